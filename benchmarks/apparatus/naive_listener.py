"""A listener as pynetdicom's documentation shows one: each data set decoded, and written again.

``python naive_listener.py PORT FOLDER``. It promises nothing: no sync, no record.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event


def main() -> None:
    """Listen on loopback until killed."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])

    def store(event: Event) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        ds.save_as(folder / ds.SOPInstanceUID, enforce_file_format=True)
        return 0x0000

    ae = AE()
    ae.supported_contexts = AllStoragePresentationContexts
    ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])


if __name__ == "__main__":
    main()
