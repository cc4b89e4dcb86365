"""Several hosts, switched off and cut off at random: the ledger adds up, no verdict is doubled."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import require, wait_until
from raw_peer import RawPeer

from benchmarks.apparatus.hosts import Host, hosts_can_be_had
from benchmarks.apparatus.postgresql import find_programs
from benchmarks.apparatus.several_hosts import Site, site
from phantoms.load import write_load
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.errors import NightreadError
from screening.records.case_filter import EVERYTHING
from screening.records.cases import list_cases
from screening.records.dossier import Dossier, open_dossier
from screening.records.ledger import read_ledger
from screening.records.tally import tally

STUDIES, IMAGES = 5000, 2
SENDERS = 3
DICOM_PORT = 11112


class Sender(threading.Thread):
    """A modality that sends to one door after the other, until each image was answered 0x0000."""

    def __init__(self, doors: list[Host], paths: list[Path]) -> None:
        super().__init__(daemon=True)
        self._doors = itertools.cycle(doors)
        self._paths = paths
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        for path in self._paths:
            while not self._sent(path):
                time.sleep(0.2)

    def _sent(self, path: Path) -> bool:
        header = read_header(path)
        data_set = path.read_bytes()[data_set_offset(path) :]
        try:
            with RawPeer(DICOM_PORT, host=next(self._doors).address, seconds=5) as peer:
                peer.associate(header.sop_class_uid, header.transfer_syntax_uid)
                answer = peer.store(header.sop_instance_uid, data_set, header.sop_class_uid)
                peer.release()
        except (OSError, EOFError):
            return False
        if answer.status == 0x0000:
            self.acknowledged.add(header.sop_instance_uid)
        return answer.status == 0x0000


class Mischief(threading.Thread):
    """What befalls one host, again and again, until `over` is set; in the end it is well."""

    def __init__(self, found: Site, host: Host, command: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._site, self._host, self._command, self._over = found, host, command, over
        self._random = random.Random(host.name)
        self.count = 0

    def run(self) -> None:
        while not self._over.wait(self._random.uniform(10, 40)):
            self.count += 1
            if self._command and self._random.random() < 0.5:
                self._host.switch_off()
                self._over.wait(self._random.uniform(1, 10))
                self._host.mend()
                self._site.run(self._host, self._command)
            else:
                self._host.cut()
                # Beyond the leases, and at times beyond what a connection bears.
                self._over.wait(self._random.choice([2, 8, 15, 45] if self._command else [2, 8]))
                self._host.mend()


@pytest.mark.soak
def test_hosts_die_and_are_cut_off_and_every_image_has_one_result(tmp_path: Path) -> None:
    require(hosts_can_be_had(), "no network namespaces: be root, with Debian's iproute2")
    require(find_programs(), "no PostgreSQL: install Debian's postgresql")
    paths = write_load(tmp_path / "load", STUDIES, IMAGES)
    with site(tmp_path / "site") as found:
        doors = [found.host(f"door{number}") for number in (1, 2)]
        workers = [found.host(f"worker{number}") for number in (1, 2, 3)]
        part = dict.fromkeys(doors, "listen") | dict.fromkeys(workers, "work")
        for host, command in part.items():
            found.run(host, command)
        for door in doors:
            wait_until(lambda door=door: _listens(door), 120, f"{door.name} listens")
        began = time.monotonic()
        over = threading.Event()
        mischief = [
            Mischief(found, host, part.get(host, ""), over) for host in [*part, found.store]
        ]
        # The images of a study go to both doors at the same time.
        senders = [Sender(doors, paths[number::SENDERS]) for number in range(SENDERS)]
        for thread in (*senders, *mischief):
            thread.start()
        while any(sender.is_alive() for sender in senders):
            time.sleep(15)
            found.flush_redis_if_there()
            _show(found, began)
        over.set()
        for thread in mischief:
            thread.join(60)
        _wait_until_screened(found, len(paths), 1200)
        elapsed = time.monotonic() - began
        _assert_all_is_well(found, paths, senders)
        faults = {each._host.name: each.count for each in mischief}
        print(f"{len(paths)} images of {STUDIES} studies in {elapsed:.0f} s; faults: {faults}")
        assert (
            subprocess.run(
                [*doors[0].within, sys.executable, "-P", "-m", "nightread", "verify", "--digests"],
                env=found.environment(doors[0]),
                check=False,
            ).returncode
            == 0
        )


def _assert_all_is_well(found: Site, paths: list[Path], senders: list[Sender]) -> None:
    dossiers = _dossiers(found)
    images = {image.sop_instance_uid: image for each in dossiers for image in each.images}
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    assert len(acknowledged) == len(paths)
    assert acknowledged == images.keys()
    assert len(dossiers) == STUDIES
    for image in images.values():
        assert len(image.scores) + (image.exclusion is not None) == 1
    for dossier in dossiers:
        # Each revision says something that the one before did not, and there is none twice.
        said = [
            (r.images_scored + r.images_not_scored, r.images_received) for r in dossier.revisions
        ]
        assert len(said) == len(set(said)), (dossier.study_instance_uid, said)
        assert dossier.revisions[-1].images_received == IMAGES
        assert dossier.revisions[-1].images_waiting == 0
    with found.records.read() as session:
        assert read_ledger(session, None).discrepancies == ()


def _dossiers(found: Site) -> list[Dossier]:
    with found.records.read() as session:
        uids = [case.study_instance_uid for case in list_cases(session, EVERYTHING, limit=None)]
        opened = [open_dossier(session, uid) for uid in uids]
    return [dossier for dossier in opened if dossier is not None]


def _wait_until_screened(found: Site, images: int, seconds: float) -> None:
    def screened() -> bool:
        try:
            with found.records.read() as session:
                counted = tally(session)
        except NightreadError:
            return False
        return counted.received == images and counted.waiting == 0

    wait_until(screened, seconds, f"{images} images are screened")


def _show(found: Site, began: float) -> None:
    try:
        with found.records.read() as session:
            counted = tally(session)
    except NightreadError:
        return  # the store is cut off
    print(
        f"{time.monotonic() - began:.0f} s: {counted.received} received, {counted.waiting} wait",
        file=sys.stderr,
    )


def _listens(door: Host) -> bool:
    try:
        with RawPeer(DICOM_PORT, host=door.address, seconds=2) as peer:
            peer.associate()
            peer.release()
    except (OSError, EOFError):
        return False
    return True
