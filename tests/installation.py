"""A whole installation as processes, the way an operator runs it, on embedded defaults."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from conftest import wait_until
from pynetdicom import AE
from raw_peer import RawPeer

import migrations
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.records.case_filter import EVERYTHING
from screening.records.cases import Case, list_cases
from screening.records.dossier import Dossier, open_dossier
from screening.records.engine import Records
from screening.records.tally import Tally, tally
from screening.settings import Settings


@dataclass
class Installation:
    """Listener and worker as child processes over one data folder and one Redis."""

    settings: Settings
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.records = Records(self.settings.records_url)
        migrations.upgrade(self.records)

    def environment(self) -> dict[str, str]:
        chosen = self.settings.model_dump(exclude_defaults=True)
        texts = {k: ",".join(map(str, v)) if isinstance(v, tuple) else v for k, v in chosen.items()}
        return os.environ | {f"NIGHTREAD_{k.upper()}": str(v) for k, v in texts.items()}

    def start(self, command: str, name: str = "") -> None:
        """Start ``nightread COMMAND``; its log stands in the data folder, under its name."""
        log = (self.settings.data_dir / f"{name or command}.log").open("ab")
        self.processes[name or command] = subprocess.Popen(
            [sys.executable, "-m", "nightread", command],
            env=self.environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def ended(self) -> list[str]:
        """Return the names of processes that ended by themselves."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def log(self, command: str) -> str:
        return (self.settings.data_dir / f"{command}.log").read_text()

    def kill(self, name: str) -> None:
        """SIGKILL a process and its pool, as a loss of power would."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()
        self.records.close()

    def listens(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.settings.dicom_port)):
                return False
        ae = AE()
        ae.add_requested_context("1.2.840.10008.1.1")
        assoc = ae.associate("127.0.0.1", self.settings.dicom_port, ae_title="NIGHTREAD")
        if assoc.is_established:
            assoc.release()
            return True
        return False

    def send(self, paths: list[Path]) -> None:
        """Send files over one association and insist on 0x0000 for each."""
        # pynetdicom's sender loses an answer that comes before it has begun to wait for it.
        with RawPeer(self.settings.dicom_port) as peer:
            peer.associate()
            for path in paths:
                uid = read_header(path).sop_instance_uid
                assert peer.store(uid, path.read_bytes()[data_set_offset(path) :]).status == 0x0000
            peer.release()

    def tally(self) -> Tally:
        with self.records.read() as session:
            return tally(session)

    def cases(self) -> list[Case]:
        with self.records.read() as session:
            return list_cases(session, EVERYTHING, limit=None)

    def dossiers(self) -> list[Dossier]:
        with self.records.read() as session:
            found = [
                open_dossier(session, case.study_instance_uid)
                for case in list_cases(session, EVERYTHING, limit=None)
            ]
        return [dossier for dossier in found if dossier is not None]

    def wait_until_screened(self, images: int, seconds: float) -> None:
        def screened() -> bool:
            counted = self.tally()
            return counted.received == images and counted.waiting == 0

        wait_until(screened, seconds, f"{images} images are screened", self.tally)

    def assert_scored_once(self, images: int) -> None:
        """Each image has exactly one score or one reason, and the verdicts add up."""
        found = [image for dossier in self.dossiers() for image in dossier.images]
        assert len(found) == images
        for image in found:
            assert len(image.scores) + (image.exclusion is not None) == 1
        for dossier in self.dossiers():
            last = dossier.revisions[-1]
            assert last.images_received == len(dossier.images)
            assert last.images_waiting == 0
