"""Which nights begin, and when: the clock of the place, nights that were missed, and once each."""

from __future__ import annotations

import datetime as dt
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from night.runner import Runner
from night.schedule import begin_nights, moments_due, nights_between
from night.sources import Hours, Schedule, Source, Sources, read_sources
from pacs.peer import Peer
from screening.archive.folder_archive import FolderArchive
from screening.errors import SettingsError
from screening.records.canaries import rounds_to_do
from screening.records.engine import Records
from screening.records.night_batches import list_batches

BERLIN = ZoneInfo("Europe/Berlin")
PACS = Source(name="pacs", ae_title="A", host="h", port=104, timezone="Europe/Berlin")


def schedule(begins: str = "0 22 * * *", **changes: object) -> Schedule:
    given: dict[str, object] = {"name": "night", "source": "pacs", "begins": begins}
    return Schedule.model_validate(given | changes)


def moments(begins: str, first: dt.datetime, last: dt.datetime) -> list[str]:
    """Return when nights begin between two moments, the first first, in UTC."""
    due = moments_due(begins, BERLIN, last)
    found = [moment.astimezone(dt.UTC) for moment in takewhile(lambda each: each >= first, due)]
    return [f"{moment:%d %H:%M}" for moment in reversed(found)]


def at(day: int, hour: int, month: int = 6, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


def test_nights_are_those_of_the_place() -> None:
    assert moments("0 22 * * *", at(1, 0), at(3, 12)) == ["01 20:00", "02 20:00"]
    assert moments("0 22 * * *", at(1, 0), at(1, 22)) == ["01 20:00"], "this very minute's"


def test_a_moment_that_summer_time_leaves_out_comes_and_one_that_is_repeated_comes_once() -> None:
    spring = moments("30 2 * * *", at(28, 0, 3), at(31, 0, 3))
    assert spring == ["28 01:30", "29 01:00", "30 00:30"]
    autumn = moments("30 2 * * *", at(24, 0, 10), at(27, 0, 10))
    assert autumn == ["24 00:30", "25 00:30", "26 01:30"]


def begun(records: Records) -> list[str]:
    with records.read() as session:
        return sorted(str(each.night) for each in list_batches(session))


def test_a_night_is_begun_once_and_one_that_was_missed_is_made_up_for(records: Records) -> None:
    sources = Sources(source=(PACS,), schedule=(schedule(first_day=1),))
    assert begin_nights(records, sources, at(1, 12)) == [], "its first night is to come"
    (first,) = begin_nights(records, sources, at(1, 22, minute=1))
    assert begin_nights(records, sources, at(1, 22, minute=2)) == []
    assert (first.schedule, str(first.night)) == ("night", "2026-06-01")
    assert (first.question["first_day"], first.question["last_day"]) == ("2026-05-31", "2026-06-01")
    assert len(begin_nights(records, sources, at(4, 9))) == 2
    with records.read() as session:
        assert len(rounds_to_do(session, at(4, 9))) == 1, "the canaries are asked for once"
    assert begun(records) == ["2026-06-01", "2026-06-02", "2026-06-03"]
    assert len(begin_nights(records, sources, at(20, 9))) == 3, "what is too old is let go"
    assert begun(records)[-3:] == ["2026-06-17", "2026-06-18", "2026-06-19"]


def test_without_catching_up_each_night_begins_at_its_moment(records: Records) -> None:
    sources = Sources(source=(PACS,), schedule=(schedule(catch_up_days=0),))
    for day in (1, 2):
        assert len(begin_nights(records, sources, at(day, 22, minute=1))) == 1
    assert begin_nights(records, sources, at(4, 12)) == []


def test_what_is_to_begin_between_two_moments_is_known() -> None:
    sources = Sources(source=(PACS,), schedule=(schedule(),))
    found = nights_between(sources, at(1, 12), at(3, 12))
    assert [(name, str(night)) for name, night, _ in found] == [
        ("night", "2026-06-02"),
        ("night", "2026-06-01"),
    ]


@pytest.mark.parametrize(
    ("begin", "end", "inside", "outside"),
    [("22:00", "06:00", [22, 23, 0, 5], [6, 12, 21]), ("08:00", "17:00", [8, 16], [17, 0, 7])],
)
def test_hours_go_over_midnight(
    begin: str, end: str, inside: list[int], outside: list[int]
) -> None:
    hours = Hours(begin=dt.time.fromisoformat(begin), end=dt.time.fromisoformat(end))
    assert all(hours.include(dt.time(hour)) for hour in inside)
    assert not any(hours.include(dt.time(hour)) for hour in outside)


SOURCE = "[[source]]\nname='a'\nae_title='A'\nhost='h'\nport=104\n"
SCHEDULE = "[[schedule]]\nname='n'\nsource='a'\nbegins='0 22 * * *'\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "names nobody"),
        (SOURCE + SOURCE, "name of its own"),
        (SOURCE.replace("104", "0"), "are needed"),
        (SOURCE + "dicomweb_url='https://h/dicom-web'\n", "there is no ae_title"),
        ("[[source]]\nname='a'\ndicomweb_url='http://h/dicom-web'\n", "https"),
        ("[[source]]\nname='a'\n", "are needed, or dicomweb_url"),
        (SOURCE + "timezone='Mars/Olympus'\n", "no time zone Mars/Olympus"),
        (SOURCE + "timezone='../../etc/passwd'\n", "no time zone"),
        (SOURCE + "retrieve='push'\n", "'move' or 'get'"),
        (SOURCE + "hours={begin='25:00', end='06:00'}\n", "source a, hours: "),
        (SOURCE + "hours={begin='06:00', end='06:00'}\n", "for always"),
        (SOURCE + "hours={begin='20:00Z', end='06:00'}\n", "without a zone"),
        (SOURCE.replace("'A'", "'A\\\\\\\\B'"), "AE title"),
        (SOURCE + SCHEDULE.replace("'a'", "'b'"), "there is no source b"),
        (SOURCE + SCHEDULE.replace("0 22", "at 22"), "nothing that cron knows"),
        (SOURCE + SCHEDULE.replace("0 22", "0 6,22"), "one schedule for each"),
        (SOURCE + SCHEDULE + "first_day=1\nlast_day=2\n", "count backwards"),
        (SOURCE + SCHEDULE + "modalities=['*']\n", "modalities"),
        (SOURCE + SCHEDULE + "oops=1\n", "schedule n, oops: there is no such key here"),
        (SOURCE.replace("[[source]]", "[source]"), "two brackets"),
        (SOURCE + "tls=true\ntls_authorities='/nowhere'\n", "certificate of destination a"),
        ("oops", "no TOML"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=why):
        read_sources(file, "NIGHTREAD")


def test_what_begins_at_noon_belongs_to_one_night() -> None:
    sources = Sources(source=(PACS,), schedule=(schedule(begins="0 12 * * *"),))
    for day in (1, 2):
        assert len(nights_between(sources, at(day, 12), at(day + 1, 12))) == 1


def test_without_schedules_the_canaries_are_asked_for_each_evening(
    records: Records, tmp_path: Path
) -> None:
    moment = at(1, 17)
    runner = Runner(
        records,
        FolderArchive(tmp_path / "archive"),
        Sources(source=(PACS,)),
        lambda _: Peer("127.0.0.1", 1, "A", "B"),
        "NIGHTREAD",
        tmp_path,
        now=lambda: moment,
    )
    for hours, rounds in ((0, 0), (2, 1), (3, 1)):
        moment = at(1, 17) + dt.timedelta(hours=hours)
        runner.begin_nights()
        with records.read() as session:
            assert len(rounds_to_do(session, moment)) == rounds
