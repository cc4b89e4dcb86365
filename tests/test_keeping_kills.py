"""SIGKILL at every step of a removal, and the same image coming again at any moment."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from filed_cases import NOW
from kept_studies import ADMIN, LATER, POLICY, Shelf, digest_of
from sqlalchemy import select

from night.retention_run import RetentionRun
from screening.archive.folder_archive import FolderArchive
from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.domain.prediction import Prediction
from screening.errors import ArchiveError
from screening.records.association import Caller, open_association
from screening.records.audit import read_audit
from screening.records.engine import Records
from screening.records.keeping_schema import RemovalRow
from screening.records.ledger import read_ledger
from screening.records.register import Register


class Mortal(FolderArchive):
    """An archive whose process is killed at a step: before and after each look and each removal."""

    steps: Iterator[int]
    last: int

    def size(self, digest: str) -> int | None:
        self.step()
        return super().size(digest)

    def remove(self, digest: str) -> None:
        self.step()
        super().remove(digest)
        self.step()

    def step(self, *_: object) -> None:
        if next(self.steps) == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(url: str, folder: Path, last: int) -> bool:
    """Run in a process that is killed at a step, and say whether it came so far."""
    child = os.fork()
    if child == 0:
        try:
            archive = Mortal(folder)
            archive.steps, archive.last = itertools.count(), last
            records = Records(url)
            RetentionRun(
                records,
                archive,
                POLICY,
                None,
                ADMIN,
                threading.Event(),
                now=lambda: LATER,
                progress=archive.step,
            ).run()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def assert_marked(shelf: Shelf) -> None:
    """No file is away that was not decided of, and none is there that is marked as removed."""
    with shelf.records.read() as session:
        rows = {row.digest: row for row in session.scalars(select(RemovalRow))}
    files = shelf.files()
    assert not {digest for digest, row in rows.items() if row.removed_at} & files
    due = {digest_of(uid, number) for uid in shelf.due for number in (1, 2)}
    assert due - files <= rows.keys()


def test_killed_at_any_step_it_goes_on_and_nothing_is_lost_or_doubled(
    records: Records, database_url: str, tmp_path: Path
) -> None:
    shelf = Shelf(records, FolderArchive(tmp_path / "archive"))
    for last in itertools.count():
        shelf.file(f"1.{last}", Prediction(0.1), Prediction(0.01))
        shelf.due.add(f"1.{last}")
        shelf.file(f"2.{last}", Prediction(0.9))
        records.close()  # a connection must not be two processes'
        was_killed = run_and_die(database_url, tmp_path / "archive", last)
        assert_marked(shelf)
        shelf.run()
        assert_marked(shelf)
        kept = {digest_of(f"2.{number}") for number in range(last + 1)}
        assert shelf.files() == kept
        if not was_killed:
            break
    assert last > 8, "there were steps to die at"
    with records.read() as session:
        noted = [
            each.study_instance_uid
            for each in read_audit(session, limit=1000)
            if each.event == "pixels_removed"
        ]
    assert sorted(noted) == sorted(shelf.due)
    with records.read() as session:
        ledger = read_ledger(session, LATER)
    assert (ledger.discrepancies, ledger.removed) == ((), {"clear": 2 * (last + 1)})


def test_what_was_answered_as_stored_is_there_whatever_is_removed_meanwhile(
    records: Records, tmp_path: Path
) -> None:
    shelf = Shelf(records, FolderArchive(tmp_path / "archive"))
    uids = [f"1.{number}" for number in range(20)]
    for uid in uids:
        shelf.file(uid, Prediction(0.1))
    with records.begin() as session:
        association = open_association(session, Caller("PACS", "US", "127.0.0.1", "here:1"), NOW)
    register = Register(records, shelf.archive.holds)
    answered, refused = set(), set()

    def send() -> None:
        for uid in random.sample(uids, len(uids)):
            shelf.write(digest_of(uid))
            header = InstanceHeader(f"{uid}.1", "1.2", uid, "1.2.840.10008.1.2")
            kept = KeptFile(digest_of(uid), 1000)
            now = LATER + dt.timedelta(seconds=1)
            try:
                register.take_in(
                    header, kept, association_row=association, now=now, announce_at=now
                )
                answered.add(uid)
            except ArchiveError:
                refused.add(uid)

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        shelf.run()
    shelf.run()
    came_back = {uid for uid in uids if shelf.has(uid)}
    gone = shelf.gone()
    assert {digest_of(uid) for uid in came_back} == {digest_of(uid) for uid in uids} - gone
    with records.read() as session:
        returned = set(
            session.scalars(select(RemovalRow.digest).where(RemovalRow.returned_at.is_not(None)))
        )
    assert returned <= shelf.files(), "what came again is there"
