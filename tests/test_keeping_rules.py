"""The file of rules: what it may say, what is refused in words, and when it runs by itself."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from conftest import wait_until
from console import ROOT
from filed_cases import NOW
from kept_studies import ADMIN, POLICY, Shelf
from prometheus_client import REGISTRY

from night.keeper import STOP_SECONDS, Keeper
from night.retention_rules import Retention, read_retention
from nightread import supervisor
from nightread.check_libraries import check_libraries
from nightread.check_retention import check_retention
from nightread.finding import Level
from screening.archive.folder_archive import FolderArchive
from screening.archive.free_space import LowDisk, free_if_low
from screening.domain.prediction import Prediction
from screening.domain.retention import Policy
from screening.domain.review import Opinion
from screening.domain.verdict import Verdict
from screening.errors import SettingsError
from screening.records.audit import read_audit
from screening.records.engine import Records
from screening.records.forgetting import decide
from screening.settings import Settings

DAY = dt.timedelta(days=1)
WHOLE = """
begins = "0 3 * * *"
timezone = "Europe/Berlin"
when_low = true

[[rule]]
name = "unflagged"
verdicts = ["clear", "not_scored"]
keep_days = 90

[[rule]]
name = "flagged"
verdicts = ["suspected", "doubtful"]
reviews = ["agree", "none"]
keep_days = 730

[[rule]]
name = "disputed"
reviews = ["disagree", "uncertain"]
keep_days = "forever"
"""


def test_a_file_says_how_long_what_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(WHOLE)
    found, policy = read_retention(file)
    assert (found.begins, found.timezone, found.when_low) == ("0 3 * * *", "Europe/Berlin", True)
    assert policy.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert policy.shortest_days == 90
    said = {
        (verdict, opinion): str(policy.rule_for(verdict, opinion) or "kept")
        for verdict in (Verdict.CLEAR, Verdict.SUSPECTED)
        for opinion in (None, Opinion.AGREE, Opinion.DISAGREE)
    }
    assert said == {
        (Verdict.CLEAR, None): "unflagged: for 90 days",
        (Verdict.CLEAR, Opinion.AGREE): "unflagged: for 90 days",
        (Verdict.CLEAR, Opinion.DISAGREE): "disputed: for ever",
        (Verdict.SUSPECTED, None): "flagged: for 730 days",
        (Verdict.SUSPECTED, Opinion.AGREE): "flagged: for 730 days",
        (Verdict.SUSPECTED, Opinion.DISAGREE): "disputed: for ever",
    }
    assert policy.rule_for(Verdict.WAITING, None) is None


def test_the_doctor_warns_where_nobody_knows_who_is_told_of_results(tmp_path: Path) -> None:
    (tmp_path / "retention.toml").write_text(WHOLE)
    rules = Settings(retention_file=tmp_path / "retention.toml")
    found = {each.subject: each for each in check_retention(rules)}
    assert found["retention"].level is Level.OK
    assert found["retention holds"].level is Level.WARN
    assert "NIGHTREAD_DESTINATIONS_FILE" in found["retention holds"].detail
    told = rules.model_copy(update={"destinations_file": tmp_path / "destinations.toml"})
    assert {each.level for each in check_retention(told)} == {Level.OK}
    assert list(check_retention(Settings())) == []


def test_the_doctor_names_a_library_that_the_hour_needs_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "retention.toml").write_text(WHOLE)
    monkeypatch.setitem(sys.modules, "cronsim", None)
    (found,) = check_retention(Settings(retention_file=tmp_path / "retention.toml"))
    assert found.level is Level.FAIL
    assert "needs cronsim" in found.detail


def test_rules_alone_need_the_libraries_of_the_night(tmp_path: Path) -> None:
    def asked(settings: Settings) -> set[str]:
        return {each.subject for each in check_libraries(settings)}

    assert "cronsim" not in asked(Settings())
    assert "cronsim" in asked(Settings(retention_file=tmp_path / "retention.toml"))


def test_whoever_stops_the_night_waits_for_what_it_waits_for() -> None:
    assert supervisor._STOP_SECONDS["night"] > STOP_SECONDS
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name in ("night", "keeping"):
        grace = compose["services"][name]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > STOP_SECONDS
    unit = (ROOT / "deploy/systemd/nightread-night.service").read_text()
    (systemd,) = re.findall(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)
    assert int(systemd) > STOP_SECONDS


def test_without_a_file_everything_is_kept() -> None:
    assert read_retention(None) == (Retention(), Policy())


RULE = '[[rule]]\nname = "a"\n'
WRONG = {
    "": "has no rule: docs/keeping.md has examples",
    "[[rule]": "is no TOML",
    "[rule]\nname = 'a'": "rule: write \\[\\[rule\\]\\], with two brackets",
    f"{RULE}": "rule a, keep_days: Field required",
    f"{RULE}keep_days = 0": "rule a, keep_days: 0 is not a number of days from 1 on",
    f"{RULE}keep_days = -1": "rule a, keep_days: -1 is not a number of days",
    f"{RULE}keep_days = 1.5": "rule a, keep_days: 1.5 is not a number of days",
    f"{RULE}keep_days = true": "rule a, keep_days: True is not a number of days",
    f"{RULE}keep_days = 99999999": "is not a number of days",
    f'{RULE}keep_days = "never"': "'never' is not a number of days from 1 on, or \"forever\"",
    f'{RULE}keep_days = 9\nverdicts = ["clean"]': "verdicts: .*is not a list of suspected, doubt",
    f'{RULE}keep_days = 9\nverdicts = ["waiting"]': "verdicts: .*is not a list of suspected",
    f'{RULE}keep_days = 9\nverdicts = "clear"': "verdicts: 'clear' is not a list of",
    f"{RULE}keep_days = 9\nverdicts = []": "is not a list of",
    f'{RULE}keep_days = 9\nreviews = ["yes"]': "reviews: .*agree, disagree, uncertain, none",
    f"{RULE}keep_days = 9\nkeep_day = 9": "no such key here; known are name, keep_days",
    f"{RULE}keep_days = 9\nbegins = '0 3 * * *'": "no such key here",
    f"keep = 9\n{RULE}keep_days = 9": "no such key here; known are rule, begins, timezone",
    f"begins = '0 3'\n{RULE}keep_days = 9": "begins: '0 3' is nothing that cron knows",
    f"timezone = 'Mars'\n{RULE}keep_days = 9": "timezone: there is no time zone Mars",
    f"when_low = 'maybe'\n{RULE}keep_days = 9": "when_low: ",
    f"{RULE}keep_days = 9\n{RULE}keep_days = 8": "each rule needs a name of its own",
    "[[rule]]\nname = 'a b'\nkeep_days = 9": "name",
}


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_meant_is_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=WRONG[content]) as raised:
        read_retention(file)
    assert str(raised.value).startswith(f"NIGHTREAD_RETENTION_FILE={file}")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_retention(tmp_path / "none.toml")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    import migrations

    records = Records(f"sqlite:///{tmp_path / 'records.sqlite'}")
    migrations.upgrade(records)
    return Shelf(records, FolderArchive(tmp_path / "archive"))


class Clock:
    now = NOW + 31 * DAY

    def __call__(self) -> dt.datetime:
        return self.now


def keeper(shelf: Shelf, rules: Retention, clock: Clock, low: list[bool] | None = None) -> Keeper:
    return Keeper(
        shelf.records,
        shelf.archive,
        lambda: (rules, POLICY),
        lambda: None,
        lambda: bool(low and low[0]),
        now=clock,
    )


def test_they_run_by_themselves_at_their_hour_and_once(shelf: Shelf) -> None:
    clock = Clock()  # 22:00 UTC
    shelf.file("1.1", Prediction(0.1))
    runs = keeper(shelf, Retention(begins="0 3 * * *"), clock)
    assert runs.step() is None, "it is not three"
    assert shelf.has("1.1")
    clock.now += dt.timedelta(hours=5)
    gone = runs.step()
    assert gone is not None
    assert gone.files == 1
    shelf.file("1.2", Prediction(0.1))
    assert runs.step() is None, "it was done"
    clock.now += DAY
    assert not shelf.has("1.1")
    again = runs.step()
    assert again is not None
    assert again.files == 1
    with shelf.records.read() as session:
        assert {each.actor for each in read_audit(session)} == {"night"}


def failures() -> float:
    return REGISTRY.get_sample_value("nightread_retention_failures_total") or 0.0


def test_rules_that_cannot_be_read_are_counted_and_remove_nothing(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    before = failures()

    def read_rules() -> tuple[Retention, Policy]:
        raise SettingsError("NIGHTREAD_RETENTION_FILE is no TOML")

    runs = Keeper(shelf.records, shelf.archive, read_rules, lambda: None, lambda: True)
    runs.start()
    wait_until(lambda: failures() == before + 1, 10, "it was counted")
    runs.stop()
    assert not runs.is_alive()
    assert shelf.has("1.1")


def test_nothing_runs_by_itself_unless_it_is_asked_for(shelf: Shelf) -> None:
    clock = Clock()
    shelf.file("1.1", Prediction(0.1))
    runs = keeper(shelf, Retention(), clock, [True])
    for _ in range(3):
        assert runs.step() is None
        clock.now += DAY
    assert shelf.has("1.1")


def test_what_a_killed_run_had_decided_is_finished_at_the_start(shelf: Shelf) -> None:
    clock = Clock()
    shelf.file("1.1", Prediction(0.1))
    with shelf.records.begin() as session:
        decide(session, POLICY, None, clock(), shelf.row("1.1"), shelf.files(), ADMIN)
    keeper(shelf, Retention(), clock).step()
    assert not shelf.has("1.1")


def test_while_the_disk_is_low_what_is_due_goes_the_oldest_first_and_no_more_than_needed(
    shelf: Shelf,
) -> None:
    clock = Clock()
    for number in range(4):
        shelf.file(f"1.{number}", Prediction(0.1), now=NOW - number * DAY)
    shelf.file("2", Prediction(0.9), now=NOW - 100 * DAY)

    class Low:
        def __getitem__(self, _: int) -> bool:
            return len(shelf.files()) > 3

        def __bool__(self) -> bool:
            return True

    low = Low()
    runs = keeper(shelf, Retention(when_low=True), clock, low)  # type: ignore[arg-type]
    gone = runs.step()
    assert gone is not None
    assert gone.files == 2
    assert [shelf.has(f"1.{number}") for number in range(4)] == [True, True, False, False]


def test_a_full_disk_is_no_reason_to_remove_what_is_not_due(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    shelf.file("1.1", Prediction(0.9))
    runs = keeper(shelf, Retention(when_low=True), clock, [True])
    for _ in range(3):
        runs.step()
    assert shelf.has("1.1")
    assert capsys.readouterr().out.count("disk_low") == 1, "said once an hour"
    clock.now += dt.timedelta(hours=2)
    runs.step()
    assert "nothing that is not due is removed" in capsys.readouterr().out


def test_the_lower_watermark_never_lies_below_the_one_at_which_images_are_refused(
    tmp_path: Path,
) -> None:
    def low(**chosen: float) -> float:
        return Settings(data_dir=tmp_path, **chosen).low_free_bytes / 1e9  # type: ignore[arg-type]

    assert low() == 3
    assert low(minimum_free_gigabytes=2) == 6
    assert low(low_free_gigabytes=10) == 10
    assert low(low_free_gigabytes=1, minimum_free_gigabytes=4) == 4
    assert free_if_low(tmp_path, 0) is None
    assert free_if_low(tmp_path, 1 << 62) is not None
    assert free_if_low(tmp_path / "none", 1 << 62) is None


def test_many_pages_may_ask_at_the_same_moment(tmp_path: Path) -> None:
    disk = LowDisk(tmp_path, 1 << 62)
    together = threading.Barrier(16)

    def ask(_: int) -> None:
        together.wait(20)
        for _ in range(50):
            disk.free()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(ask, range(16)))
    assert disk.free() is not None


def test_a_disk_that_does_not_answer_holds_up_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    usage = shutil.disk_usage(tmp_path)

    def disk_usage(_: Path) -> object:
        assert answers.wait(20)
        return usage

    disk = LowDisk(tmp_path, 1 << 62)
    assert disk.free() is not None
    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    began = time.monotonic()
    known = [disk.free() for _ in range(20)]
    assert time.monotonic() - began < 5, "it waits once, and not for each page"
    assert None not in known
    answers.set()
