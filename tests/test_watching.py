"""What a monitor is told, and that the alerts and the dashboard ask for what there is."""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import free_port, wait_until
from filed_cases import file_study
from installation import Installation
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.parser import text_string_to_metric_families

from phantoms.load import write_load
from screening.domain.prediction import Prediction
from screening.errors import ArchiveError, SettingsError
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.settings import Settings
from screening.watching import figures
from screening.watching.port import watched
from screening.watching.state import State

ROOT = Path(__file__).resolve().parent.parent


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(port: int) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels."""
    _, text = ask(port, "/metrics")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_process_says_that_it_lives_and_whether_it_can_work(
    settings: Settings, records: Records
) -> None:
    port = free_port()
    troubles: list[str] = []

    def archive() -> None:
        if troubles:
            raise ArchiveError(troubles[0])

    checks = {"records": records.check_schema, "archive": archive}
    with watched(settings, port, records, checks):
        assert ask(port, "/healthz") == (200, "alive\n")
        assert ask(port, "/readyz") == (200, '{"records": "ok", "archive": "ok"}\n')
        assert ask(port, "/nowhere") == (404, "")
        troubles.append("the disk is away")
        status, said = ask(port, "/readyz")
        assert (status, json.loads(said)["archive"]) == (503, "fails: the process's log says why")
        assert ask(port, "/healzh?x=../../etc/passwd")[0] == 404
        with (
            pytest.raises(SettingsError, match="cannot be answered"),
            watched(settings, port, records, checks),
        ):
            pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "it ends with its process"


def test_what_waits_is_told_by_lane_and_age(settings: Settings, records: Records) -> None:
    file_study(records, "1.1", None, None, now=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
    file_study(records, "1.2", Prediction(0.9))
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in State(settings, records).collect()
        for sample in family.samples
    }
    assert found["nightread_waiting_images", "stat"] == 2
    assert 3600 <= found["nightread_oldest_waiting_seconds", "stat"] < 3700
    assert found["nightread_model_info", "mobilenet_v2", "0.1.0", "a" * 16] == 1
    assert found["nightread_records_up",] == 1


def test_a_database_that_is_away_is_a_figure_and_no_failure(settings: Settings) -> None:
    away = Records("postgresql+psycopg://nobody@127.0.0.1:9/none")
    found = {each.name: each.samples[0].value for each in State(settings, away).collect()}
    assert found["nightread_records_up"] == 0
    assert "nightread_waiting_images" not in found
    away.close()


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    ports = {f"{name}_watch_port": free_port() for name in ("listener", "worker")}
    several = {"listener_processes": 2, "worker_processes": 2}
    opened = Installation(settings.model_copy(update={**ports, **several}))
    yield opened
    opened.stop()


def test_processes_that_belong_together_count_together(
    installation: Installation, tmp_path: Path
) -> None:
    films = write_load(tmp_path, 4, 2, side=96)
    for command in ("listen", "work"):
        installation.start(command)
    wait_until(installation.listens, 30, "the door answers")
    for number in range(4):
        installation.send(films[2 * number : 2 * number + 2])
    installation.wait_until_screened(8, 120)
    door = samples(installation.settings.listener_watch_port)
    assert door["nightread_stores_total", "0x0000"] == 8
    assert door["nightread_associations_total", "released"] >= 4
    assert door["nightread_received_bytes_total",] > 8 * 96 * 96 * 2
    reading = installation.settings.worker_watch_port
    wait_until(lambda: ask(reading, "/readyz")[0] == 200, 20, "the worker is ready")
    room = samples(reading)
    scored = sum(value for name, value in room.items() if name[0] == "nightread_scores_total")
    assert scored == 8
    assert room["nightread_stage_seconds_count", "score"] >= 1


def names() -> set[str]:
    """Return the names of all figures."""
    counted = {
        # The library cuts a counter's ending off.
        f"{each._name}_total" if isinstance(each, Counter) else each._name
        for each in vars(figures).values()
        if isinstance(each, Counter | Histogram)
    }
    text = (ROOT / "screening" / "watching" / "state.py").read_text()
    return counted | set(re.findall(r'"(nightread_\w+)"', text))


def test_every_figure_is_documented_and_no_other() -> None:
    told = set(re.findall(r"`(nightread_\w+)`", (ROOT / "docs" / "watching.md").read_text()))
    assert told == names()


@pytest.mark.parametrize("path", ["prometheus/nightread.yml", "grafana/nightread.json"])
def test_alerts_and_dashboard_ask_for_figures_that_exist(path: str) -> None:
    asked = set(re.findall(r"\bnightread_\w+", (ROOT / "deploy" / path).read_text()))
    assert asked - {"nightread_stage_seconds_bucket"} <= names()
    assert len(asked) > 5


def test_every_alarm_is_in_the_handbook() -> None:
    alarms = re.findall(
        r"alert: (\w+)", (ROOT / "deploy" / "prometheus" / "nightread.yml").read_text()
    )
    told = re.findall(r"^\| `(Nightread\w+)`", (ROOT / "docs" / "watching.md").read_text(), re.M)
    assert alarms == told


def test_a_second_registry_asks_the_records_for_nothing_at_its_beginning(
    settings: Settings, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(State, "collect", lambda self: pytest.fail("nobody has asked"))
    CollectorRegistry().register(State(settings, records))
