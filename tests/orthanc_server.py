"""Orthanc as a process of a test's own."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import free_port, wait_until


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc, reached by its REST interface on loopback."""

    url: str
    dicom_port: int
    server: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it as a loss of power would."""
        self.server.kill()
        self.server.wait(30)

    def call(self, path: str, content: bytes | None = None) -> Any:  # noqa: ANN401 - JSON
        request = urllib.request.Request(self.url + path, data=content)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    @property
    def ports(self) -> tuple[int, int]:
        return int(self.url.rpartition(":")[2]), self.dicom_port

    def answers(self) -> bool:
        try:
            return "Version" in self.call("/system")
        except OSError:
            return False


@contextmanager
def running_orthanc(
    program: str,
    folder: Path,
    modalities: Mapping[str, list[str | int]],
    plugins: Sequence[str] = (),
    ports: tuple[int, int] | None = None,
    **more: object,
) -> Iterator[Orthanc]:
    """Run an Orthanc that knows some peers: title, host and port by their name.

    In a folder of one that ran before it has what that one had. ``more`` is further configuration.
    The ports are those of HTTP and of
    DICOM; free ones by default.
    """
    folder.mkdir(exist_ok=True)
    http, dicom = ports or (free_port(), free_port())
    configuration = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomModalities": dict(modalities),
        "Plugins": list(plugins),
        **more,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    opened = Orthanc(f"http://127.0.0.1:{http}", dicom, server)
    try:
        wait_until(opened.answers, 30, "Orthanc answers")
        yield opened
    finally:
        server.terminate()
        server.wait(30)
