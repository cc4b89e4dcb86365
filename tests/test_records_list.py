"""The list: its order, its filters and its pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from filed_cases import NOW, file_study
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

import migrations
from screening.domain.lane import Lane
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.search_words import queried, words_of
from screening.domain.triage import place, place_in_sql, places
from screening.domain.verdict import URGENCY, Verdict
from screening.records.case_filter import (
    EVERYTHING,
    CaseFilter,
    Cursor,
    count_by_verdict,
    state_of_list,
)
from screening.records.case_page import ask
from screening.records.cases import list_cases
from screening.records.engine import Records
from screening.records.results import record_results
from screening.records.retry import retry_study

ALL = frozenset(Verdict)
BLANK = Exclusion(Reason.BLANK_OR_SATURATED)


def uids(records: Records, wanted: CaseFilter, limit: int | None = None) -> list[str]:
    with records.read() as session:
        return [case.study_instance_uid for case in list_cases(session, wanted, limit=limit)]


def test_the_rule_is_verdict_then_lane_then_band_of_score_then_arrival() -> None:
    order = [
        place(Verdict.SUSPECTED, Lane.STAT, 0.97),
        place(Verdict.SUSPECTED, Lane.STAT, 0.7),
        place(Verdict.SUSPECTED, Lane.OVERNIGHT, 0.99),
        place(Verdict.DOUBTFUL, Lane.STAT, 0.5),
        place(Verdict.WAITING, Lane.STAT, None),
        place(Verdict.NOT_SCORED, Lane.STAT, None),
        place(Verdict.CLEAR, Lane.STAT, 0.1),
        place(Verdict.CLEAR, Lane.OVERNIGHT, 0.0),
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)
    alike = {place(Verdict.DOUBTFUL, Lane.STAT, score) for score in (0.5, 0.52, 0.5499)}
    assert len(alike) == 1, "a difference of some hundredths says nothing"


@given(st.sampled_from(list(Verdict)), st.sampled_from(list(Lane)), st.none() | st.floats(0, 1))
def test_each_place_lies_in_its_verdicts_range(
    verdict: Verdict, lane: Lane, score: float | None
) -> None:
    ((first, last),) = places([verdict])
    assert first <= place(verdict, lane, score) <= last


def test_neighbouring_verdicts_share_a_range() -> None:
    assert len(places([Verdict.SUSPECTED, Verdict.DOUBTFUL])) == 1
    assert len(places([Verdict.SUSPECTED, Verdict.CLEAR])) == 2
    assert len(places(ALL)) == 1
    assert places([]) == []


def test_the_databases_compute_the_same_place(records: Records) -> None:
    query = text(
        f"SELECT {place_in_sql()} FROM (SELECT CAST(:verdict AS VARCHAR) AS verdict, "
        "CAST(:lane AS INTEGER) AS lane, CAST(:score AS FLOAT) AS top_probability) AS studies"
    )
    scores = [None, 0.0, 0.049, 0.05, 0.3, 0.35, 0.5, 0.8999999, 0.9, 0.95, 1.0]
    with records.read() as session:
        for verdict in URGENCY:
            for lane in Lane:
                for score in scores:
                    given = {"verdict": verdict.value, "lane": lane.value, "score": score}
                    assert session.scalar(query, given) == place(verdict, lane, score)


def test_within_a_band_who_waited_longer_comes_first(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.71))
    file_study(records, "1.2", Prediction(0.74))
    file_study(records, "1.3", Prediction(0.99))
    assert uids(records, EVERYTHING) == ["1.3", "1.1", "1.2"]


def many(records: Records) -> None:
    days = [dt.date(2026, 3, 1) - dt.timedelta(days=number) for number in range(4)]
    for number in range(24):
        results = [
            Prediction((number * 37 % 100) / 100),
            *([BLANK] if number % 3 == 0 else []),
        ]
        if number % 8 == 7:
            results = [Exclusion(Reason.TOO_SMALL)]
        file_study(
            records,
            f"1.2.{number}",
            *(results if number % 6 else [None]),
            study_date=days[number % 4],
            body_part=["HAND", "FOOT", None][number % 3],
            patient_name=f"Müller^Anna{number}" if number % 2 else f"DOE^JANE{number}",
            patient_id=f"P-{number:04}",
            accession_number=f"ACC{number}",
        )


FILTERS: dict[str, tuple[CaseFilter, Callable[[int], bool]]] = {
    "everything": (EVERYTHING, lambda n: True),
    "body part": (CaseFilter(ALL, body_part="FOOT"), lambda n: n % 3 == 1),
    "day": (
        CaseFilter(ALL, first_date=dt.date(2026, 2, 28), last_date=dt.date(2026, 2, 28)),
        lambda n: n % 4 == 1,
    ),
    "days": (
        CaseFilter(ALL, first_date=dt.date(2026, 2, 26), last_date=dt.date(2026, 2, 28)),
        lambda n: n % 4 != 0,
    ),
    "years": (
        CaseFilter(ALL, first_date=dt.date(2020, 1, 1), last_date=dt.date(2026, 2, 27)),
        lambda n: n % 4 > 1,
    ),
    "until": (CaseFilter(ALL, last_date=dt.date(2026, 2, 26)), lambda n: n % 4 == 3),
    "name": (CaseFilter(ALL, text="mull"), lambda n: n % 2 == 1),
    "name and number": (CaseFilter(ALL, text="MÜLLER anna7"), lambda n: n == 7),
    "identifier": (CaseFilter(ALL, text="p-0003"), lambda n: n == 3),
    "accession": (CaseFilter(ALL, text="acc2"), lambda n: n == 2 or 20 <= n < 24),
    "uid": (CaseFilter(ALL, text="1.2.5"), lambda n: n == 5),
    "nobody": (CaseFilter(ALL, text="nobody"), lambda n: False),
    "sender": (CaseFilter(ALL, calling_ae_title="PACS"), lambda n: True),
    "other sender": (CaseFilter(ALL, calling_ae_title="OTHER"), lambda n: False),
    "reason": (
        CaseFilter(ALL, reason=Reason.TOO_SMALL),
        lambda n: n % 8 == 7 and n % 6 != 0,
    ),
    "not reviewed": (CaseFilter(ALL, reviewed=False), lambda n: True),
    "reviewed": (CaseFilter(ALL, reviewed=True), lambda n: False),
    "since": (CaseFilter(ALL, since=NOW + dt.timedelta(days=1)), lambda n: False),
    "no verdict": (CaseFilter(frozenset()), lambda n: False),
    "a name, some days, not reviewed": (
        CaseFilter(
            ALL,
            text="doe",
            reviewed=False,
            first_date=dt.date(2026, 2, 26),
            last_date=dt.date(2026, 2, 28),
        ),
        lambda n: n % 2 == 0 and n % 4 != 0,
    ),
    "waiting on a day": (
        CaseFilter(
            frozenset({Verdict.WAITING}),
            first_date=dt.date(2026, 3, 1),
            last_date=dt.date(2026, 3, 1),
        ),
        lambda n: n % 6 == 0 and n % 4 == 0,
    ),
}


def test_each_filter_finds_its_studies_and_pages_follow_each_other(records: Records) -> None:
    many(records)
    whole = uids(records, EVERYTHING)
    for name, (wanted, belongs) in FILTERS.items():
        expected = [uid for uid in whole if belongs(int(uid.rsplit(".", 1)[1]))]
        assert uids(records, wanted) == expected, name
        paged: list[str] = []
        after = None
        with records.read() as session:
            while page := list_cases(session, wanted, limit=5, after=after):
                paged += [case.study_instance_uid for case in page]
                after = Cursor.parse(page[-1].cursor)
        assert paged == expected, name


def test_what_most_studies_have_is_found_without_a_list_of_them(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(records)
    few = uids(records, CaseFilter(ALL, text="doe"))
    monkeypatch.setattr("screening.records.case_page._FEW", 2)
    assert uids(records, CaseFilter(ALL, text="doe")) == few
    assert uids(records, CaseFilter(ALL, text="doe jane2")) == [
        uid for uid in few if uid.removeprefix("1.2.") in ("2", "20", "22")
    ]
    monkeypatch.setattr("screening.records.case_page._SOME", 2)
    assert uids(records, CaseFilter(ALL, text="doe")) == few
    assert len(uids(records, CaseFilter(ALL, since=NOW))) == 24


def test_a_study_with_many_such_words_is_one(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screening.records.case_page._FEW", 3)
    names = ("Anna^Andrea^Annette", "Anders^Angus^Antonia", "Ansel^Anne^An")
    for number, name in enumerate(names):
        file_study(records, f"1.{number}", Prediction(0.9), patient_name=name)
    assert uids(records, CaseFilter(ALL, text="an")) == ["1.0", "1.1", "1.2"]


def test_a_long_list_of_rows_stands_once_in_a_statement(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(records)
    wanted = CaseFilter(
        frozenset({Verdict.SUSPECTED, Verdict.CLEAR}),
        text="doe jane",
        reviewed=True,
        first_date=dt.date(2026, 2, 20),
        last_date=dt.date(2026, 3, 1),
    )
    with records.read() as session:
        shape, values = ask(session, wanted, 5, Cursor(3, 1))
    assert len([name for name in values if name.startswith("among")]) == 1
    assert len(shape.stretches) == 3


def test_studies_are_counted_by_verdict(records: Records) -> None:
    many(records)
    with records.read() as session:
        counted = count_by_verdict(session)
        listed = [case.verdict for case in list_cases(session, EVERYTHING, limit=None)]
    assert counted == {verdict: listed.count(verdict) for verdict in Verdict}


@pytest.mark.parametrize(
    "text", ["", "1", "a.b", "1.2.3", "-1.2", "1.-2", "²." + "1", "1." + "9" * 30, "3.2147483648"]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        Cursor.parse(text)


def test_words_are_found_whole_in_pieces_and_without_accents() -> None:
    assert words_of("Müller-Lüdenscheidt^José=山田^太郎", "P-12") == {
        *("muller-ludenscheidt", "muller", "ludenscheidt", "jose", "山田", "太郎"),
        *("p-12", "p", "12"),
    }
    assert queried("  José MÜLLER ") == ["muller", "jose"]
    assert words_of(None, "", " ^ ") == set()
    assert len(words_of("^".join(map(str, range(10_000))))) == 64


def test_a_retried_study_that_fails_again_is_where_it_was(records: Records) -> None:
    file_study(records, "1.2", Exclusion(Reason.ERROR, "crash"))
    with records.begin() as session:
        row = session.scalar(text("SELECT id FROM studies"))
        image = session.scalar(text("SELECT id FROM instances"))
        assert retry_study(session, row, [Reason.ERROR], NOW) == 1
    with records.read() as session:
        (case,) = list_cases(session, EVERYTHING)
    assert (case.verdict, case.images_waiting, case.images_not_scored) == (Verdict.WAITING, 1, 0)
    assert uids(records, CaseFilter(ALL, reason=Reason.ERROR)) == []
    from filed_cases import SCORER

    with records.begin() as session:
        record_results(session, row, {image: Exclusion(Reason.ERROR, "crash")}, SCORER, NOW)
    with records.read() as session:
        (case,) = list_cases(session, EVERYTHING)
    assert (case.verdict, case.images_waiting, case.images_not_scored) == (
        Verdict.NOT_SCORED,
        0,
        1,
    )
    assert uids(records, CaseFilter(ALL, reason=Reason.ERROR)) == ["1.2"]


def test_a_late_image_moves_its_study_and_what_it_is_found_by(records: Records) -> None:
    file_study(records, "1.2", BLANK)
    with records.read() as session:
        before = state_of_list(session)
    file_study(records, "1.2", BLANK, None)
    waiting = CaseFilter(frozenset({Verdict.WAITING}), reason=Reason.BLANK_OR_SATURATED)
    assert uids(records, waiting) == ["1.2"]
    with records.read() as session:
        (case,) = list_cases(session, waiting, limit=1)
        assert list_cases(session, waiting, after=Cursor.parse(case.cursor)) == []
        assert state_of_list(session) != before


def test_what_an_older_release_filed_is_in_the_list_after_the_migration(
    records: Records,
) -> None:
    from alembic import command

    many(records)
    before = {name: uids(records, wanted) for name, (wanted, _) in FILTERS.items()}
    config = migrations.configuration()
    with records.exclusive() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    migrations.upgrade(records)
    assert {name: uids(records, wanted) for name, (wanted, _) in FILTERS.items()} == before
    with records.read() as session:
        (case, *_) = list_cases(session, EVERYTHING)
    assert (case.images_received, case.calling_ae_title) == (1, "PACS")
