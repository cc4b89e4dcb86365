"""Results of studies whose pixels a rule removed: told in words, and sent no more as objects."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from filed_cases import NOW
from kept_studies import Shelf
from test_keeping_removal import send_again

from pacs.courier import Courier
from pacs.mail import Mail
from pacs.refusal import Refusal
from pacs.storage import Storage
from screening.archive.folder_archive import FolderArchive
from screening.domain.account import Role
from screening.domain.delivery import DeliveryState
from screening.domain.prediction import Prediction
from screening.domain.review import Opinion
from screening.records import users
from screening.records.deliveries import Delivery, count_deliveries
from screening.records.engine import Records
from screening.records.reviews import add_review


class Carrier:
    """Somebody who takes everything that is brought."""

    give_up_days = 7.0
    tells_failures = False

    def __init__(self, name: str, needs_pixels: bool) -> None:
        self.name = name
        self.needs_pixels = needs_pixels
        self.brought: list[str] = []

    def wants(self, verdict: str, calling_ae_title: str | None) -> bool:
        return True

    def carry(self, delivery: Delivery) -> list[Refusal]:
        self.brought.append(delivery.study_instance_uid)
        return []

    def cut(self) -> None:
        """It is never long."""


def test_a_review_of_a_study_without_pixels_is_told_and_leaves_no_delivery_that_is_given_up(
    records: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = Shelf(records, FolderArchive(tmp_path / "archive"))
    now = dt.datetime.now(dt.UTC)
    pacs, words = Carrier("pacs", needs_pixels=True), Carrier("words", needs_pixels=False)
    courier = Courier(records, [pacs, words], quiet=dt.timedelta(0))

    def deliver() -> list[list[str]]:
        courier.plan()
        for each in (pacs, words):
            each.brought.clear()
            courier.deliver(each)
        return [pacs.brought, words.brought]

    for uid in ("1.1", "1.2"):
        shelf.file(uid, Prediction(0.1), Prediction(0.1), now=now - dt.timedelta(hours=1))
    assert deliver() == [["1.1", "1.2"]] * 2
    assert shelf.run(now + dt.timedelta(days=40)).files == 4
    send_again(shelf, "1.2", now)
    with records.begin() as session:
        eve = users.add_user(session, "eve", Role.RADIOLOGIST, None, NOW)
        for uid in ("1.1", "1.2"):
            add_review(session, uid, eve, Opinion.DISAGREE, now - dt.timedelta(seconds=1))
    assert deliver() == [["1.2"], ["1.1", "1.2"]], "one of 1.2's images is there again"
    with records.read() as session:
        states = {state for _, state in count_deliveries(session)}
    assert states == {DeliveryState.DELIVERED}
    said = capsys.readouterr().out
    assert said.count("results_not_sent") == 1
    assert "have the PACS send it again" in said


def test_objects_need_pixels_and_words_do_not() -> None:
    assert (Storage.needs_pixels, Mail.needs_pixels) == (True, False)
