"""Canaries: the same phantoms, the same scores, night after night, or an alarm."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator

import pytest
from conftest import wait_until
from desk import TestDesk
from filed_cases import NOW
from installation import Installation
from reading_room import Room

from models.classifier import load_classifier
from screening.domain.canary import CanaryScore
from screening.domain.night import night_of
from screening.domain.prediction import ModelIdentity
from screening.queue.embedded import EmbeddedRedis
from screening.records.canaries import (
    ask_for_canaries,
    canaries_not_scored,
    read_canaries,
    record_canaries,
    rounds_to_do,
)
from screening.records.engine import Records
from screening.settings import Settings
from worklist.night_report import read_night
from worklist.report_page import report_object, report_text

MODEL = ModelIdentity("mobilenet_v2", "0.2.0", "a" * 64)
DAY = dt.timedelta(days=1)
NIGHT = NOW.date()


def score(
    records: Records, days: int, model: ModelIdentity = MODEL, **scores: float | str
) -> list[CanaryScore]:
    """Have canaries scored in a night, and return what is read of it."""
    now = NOW + days * DAY
    with records.begin() as session:
        ask_for_canaries(session, NIGHT + days * DAY, now)
        (row,) = rounds_to_do(session, now)
        record_canaries(session, row, model, scores, now)
    with records.read() as session:
        return read_canaries(session, now, now + DAY)


def test_a_score_that_moved_is_seen_against_the_first_and_not_the_last(records: Records) -> None:
    assert not any(each.has_moved for each in score(records, 0, hand=0.6, knee=0.9))
    assert not any(each.has_moved for each in score(records, 1, hand=0.63, knee=0.88))
    creeping = {each.name: each for each in score(records, 2, hand=0.67, knee=0.9)}
    assert creeping["hand"].has_moved
    assert creeping["hand"].first == 0.6
    assert not creeping["knee"].has_moved


def test_a_canary_that_can_no_longer_be_scored_has_moved(records: Records) -> None:
    score(records, 0, hand=0.6)
    (gone,) = score(records, 1, hand="MemoryError while scoring")
    assert gone.has_moved
    assert gone.why == "MemoryError while scoring"


def test_a_first_attempt_that_failed_is_no_measure_of_later_ones(records: Records) -> None:
    (failed,) = score(records, 0, hand="MemoryError while scoring")
    assert failed.has_moved, "no score is never as it should be"
    assert not score(records, 1, hand=0.6)[0].has_moved
    assert not score(records, 2, hand=0.6)[0].has_moved


def test_other_weights_under_the_same_version_are_seen(records: Records) -> None:
    assert not score(records, 0, hand=0.6)[0].other_weights
    replaced = dataclasses.replace(MODEL, digest="c" * 64)
    assert score(records, 1, replaced, hand=0.6)[0].other_weights


def test_another_model_has_a_first_time_of_its_own(records: Records) -> None:
    score(records, 0, hand=0.6)
    retrained = dataclasses.replace(MODEL, digest="b" * 64)
    (first,) = score(records, 1, retrained, hand=0.2)
    assert (first.first, first.has_moved) == (0.2, False)


def test_a_round_is_asked_for_once_and_done_once(records: Records) -> None:
    with records.begin() as session:
        for _ in range(3):
            ask_for_canaries(session, NIGHT, NOW)
        (row,) = rounds_to_do(session, NOW)
    for probability in (0.6, 0.9):
        with records.begin() as session:
            record_canaries(session, row, MODEL, {"hand": probability}, NOW)
    with records.read() as session:
        assert [each.probability for each in read_canaries(session, NOW, NOW + DAY)] == [0.6]
        assert rounds_to_do(session, NOW) == []
        assert canaries_not_scored(session, NOW, NOW + DAY) == 0


def test_what_nobody_scored_in_half_a_day_is_let_go_and_stays_an_alarm(records: Records) -> None:
    with records.begin() as session:
        ask_for_canaries(session, NIGHT, NOW)
    with records.read() as session:
        assert rounds_to_do(session, NOW + DAY) == []
        assert canaries_not_scored(session, NOW, NOW + DAY) == 1


def test_the_report_sounds_the_alarm(settings: Settings) -> None:
    desk = TestDesk(settings)
    night = night_of(NOW)
    since = dt.timedelta(hours=6)
    score(desk.records, -1, hand=0.6, knee=0.9)
    score(desk.records, 0, hand=0.2, knee=0.9)
    report = read_night(desk.records, night, NOW + since)
    assert report.alarms == ("canary hand: 0.200, and the first time 0.600 (mobilenet_v2 0.2.0)",)
    assert report.is_complete, "every image was read all the same"
    assert "alarm    canary hand" in report_text(report)
    moved = {each["name"]: each["moved"] for each in report_object(report)["canaries"]}
    assert moved == {"hand": True, "knee": False}
    page = desk.signed_in("anna").get(f"/nights/{night}").text
    assert "canary hand: 0.200" in page
    with desk.records.begin() as session:
        ask_for_canaries(session, NIGHT + DAY, NOW + dt.timedelta(hours=1))
    assert "canaries wait" in read_night(desk.records, night, NOW + since).alarms[1]
    desk.close()


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    opened = Installation(settings)
    yield opened
    opened.stop()


def test_a_worker_scores_them_as_any_other_image(installation: Installation) -> None:
    records, now = installation.records, dt.datetime.now(dt.UTC)
    with records.begin() as session:
        ask_for_canaries(session, now.date(), now)
    installation.start("work")

    def found() -> list[CanaryScore]:
        with records.read() as session:
            return read_canaries(session, now, now + DAY)

    wait_until(lambda: len(found()) > 0, 60, "the canaries are scored")
    scores = {each.name: each.probability for each in found()}
    assert len(scores) == 6
    assert all(probability is not None for probability in scores.values())
    assert max(scores.values()) - min(scores.values()) > 0.5, "far from each other"  # type: ignore[type-var,operator]
    assert installation.tally().received == 0, "a canary is nobody's study"


def test_a_second_look_gives_the_same_scores(settings: Settings) -> None:
    room = Room(settings, load_classifier("mobilenet_v2"))
    now = dt.datetime.now(dt.UTC)
    for days in (0, 1):
        with room.records.begin() as session:
            ask_for_canaries(session, now.date() + days * DAY, now)
            (row,) = rounds_to_do(session, now)
        room.pipeline().score_canaries(row)
        room.pipeline().score_canaries(row)
    with room.records.read() as session:
        found = read_canaries(session, now, now + DAY)
    room.records.close()
    assert len(found) == 12
    assert not any(each.has_moved for each in found)
