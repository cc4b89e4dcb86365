"""``nightread listen``: the door, one process."""

from __future__ import annotations

from nightread.tether import Parent, tie_to


def listen(parent: Parent = 0) -> None:
    """Receive images from a PACS until stopped (C-ECHO, C-STORE)."""
    tie_to(parent)
    from dicom_listener import process
    from screening.settings import load_settings

    process.run(load_settings())
