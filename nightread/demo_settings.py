"""The settings of a demonstration: embedded defaults, whatever the environment holds."""

from __future__ import annotations

import os
import shlex
import socket
from pathlib import Path

from screening.settings import PREFIX, Settings
from screening.settings_source import load_settings

_FILE = "nightread.env"
# What a person may want to see demonstrated otherwise.
_KEPT = ("NIGHTREAD_MODEL", "NIGHTREAD_LOG_LEVEL", "NIGHTREAD_ABSTAIN_UNLIKE")


def demo_settings(folder: Path, *, phantoms: bool = False) -> Settings:
    """Write the demonstration's settings into its folder, and have this process use no others.

    Everything is embedded, and each port is the usual one or, where it is taken, a free one.
    Phantoms are drawn, and a classifier may rightly find them unlike its radiographs: unless a
    person says otherwise they are scored all the same, which the demonstration says.
    """
    chosen = {
        **({"NIGHTREAD_ABSTAIN_UNLIKE": "false"} if phantoms else {}),
        "NIGHTREAD_DATA_DIR": str(folder),
        "NIGHTREAD_DICOM_PORT": str(_free_port("dicom_port")),
        "NIGHTREAD_WORKLIST_PORT": str(_free_port("worklist_port")),
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
    }
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    file = folder / _FILE
    file.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in chosen.items()))
    os.environ["NIGHTREAD_SETTINGS_FILE"] = str(file)
    return load_settings()


def _free_port(setting: str) -> int:
    usual = int(Settings.model_fields[setting].default)
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return usual
