"""Orthanc as a PACS that images are fetched from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.apparatus.process import NODELAY, free_port, listens, running, wait_until


@contextmanager
def orthanc_pacs(folder: Path, port: int, own_port: int) -> Iterator[None]:
    """Run an Orthanc on a port, which knows our listener on another; else it is as it ships."""
    folder.mkdir()
    http = free_port()
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "storage"),
                "DicomPort": port,
                "HttpPort": http,
                "DicomAet": "ORTHANC",
                "DicomModalities": {"nightread": ["NIGHTREAD", "127.0.0.1", own_port]},
            }
        )
    )
    with running(["Orthanc", configuration], folder / "log", NODELAY):
        wait_until(lambda: listens(port) and listens(http), "Orthanc listens")
        yield
