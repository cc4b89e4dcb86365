"""Each alarm rings when it must, and is silent otherwise, as Prometheus' own promtool judges it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from conftest import require
from console import ROOT

from dicom_listener import visit
from screening.domain.reason import Reason
from screening.domain.verdict import Verdict
from screening.watching.figures import ASSOCIATIONS, NOT_SCORED, SCORES, STORES
from worker import batch

RULES = ROOT / "deploy" / "prometheus" / "nightread.yml"
UP = 'up{job="nightread",instance="worker"}'
STAT = 'nightread_oldest_waiting_seconds{lane="stat"}'
OVERNIGHT = 'nightread_oldest_waiting_seconds{lane="overnight"}'
SCORED = 'nightread_scores_total{verdict="clear"}'
NONE = 'nightread_not_scored_total{reason="too_small"}'
FAILED = 'nightread_not_scored_total{reason="error"}'
REFUSED = 'nightread_stores_total{status="0xA700"}'
FREE, LOW, LEAST = (
    f"nightread_disk_{name}bytes" for name in ("free_", "low_free_", "minimum_free_")
)
DEAD = 'nightread_deliveries{state="dead",destination="pacs"}'
RETENTION = "nightread_retention_failures_total"
DUE = 'nightread_deliveries{state="due",destination="pacs"}'
DELIVERED = 'nightread_deliveries_total{outcome="delivered",destination="pacs"}'
REJECTED = 'nightread_associations_total{outcome="rejected"}'
NOTHING = "NightreadNothingIsScored"
OTHER = 'up{job="nightread",instance="listener"}'
NOBODY = "Prometheus asks nobody"


@dataclass(frozen=True)
class Case:
    """Series by the minute in promtool's notation, and which alarms ring after so many minutes."""

    about: str
    series: dict[str, str]
    rings: set[str] = field(default_factory=set)
    minutes: int = 40


CASES = [
    Case(
        "all is well",
        {
            UP: "1x60",
            "nightread_records_up": "1x60",
            STAT: "20x60",
            OVERNIGHT: "5000x60",
            SCORED: "0+9x60",
            NONE: "0x60",
            FAILED: "0x60",
            'nightread_stores_total{status="0x0000"}': "0+9x60",
            REFUSED: "0x60",
            FREE: "9e9x60",
            LOW: "6e9x60",
            LEAST: "2e9x60",
            'nightread_deliveries{state="dead",destination="pacs"}': "0x60",
            RETENTION: "0x60",
            "nightread_audit_oldest_unsent_seconds": "10x60",
        },
    ),
    Case("a process is gone", {UP: "1x30 0x30"}, {"NightreadProcessIsAway"}),
    Case("a process starts again each minute", {UP: "1 0 " * 30}, {"NightreadProcessComesAndGoes"}),
    Case("a process was restarted twice", {UP: "1x20 0 1x5 0 1x60"}),
    Case(NOBODY, {}, {"NightreadIsNotWatched"}),
    Case("the database is", {"nightread_records_up": "1x30 0x30"}, {"NightreadRecordsAreAway"}),
    Case("a disk is low", {FREE: "5e9x60", LOW: "6e9x60"}, {"NightreadDiskFills"}),
    Case("a disk is full", {FREE: "1e9x60", LEAST: "2e9x60"}, {"NightreadDiskIsFull"}),
    Case("one image is refused", {REFUSED: "0x30 1x30"}, {"NightreadImagesAreRefused"}),
    Case("one image was refused, long ago", {REFUSED: "0x5 1x55"}),
    Case("a caller is not let in", {REJECTED: "0x30 1x30"}, {"NightreadCallersAreRejected"}),
    Case("an old image is tried again", {STAT: "0x38 86400x2 0x60", SCORED: "7x39 8x60"}),
    Case("stat waits", {STAT: "0+60x60", SCORED: "0+9x60"}, {"NightreadStatImagesWait"}),
    Case("a worker does nothing", {OVERNIGHT: "0+60x60", SCORED: "7x60", NONE: "1x60"}, {NOTHING}),
    Case("there is no worker", {OVERNIGHT: "0+60x60"}, {NOTHING}),
    Case("none was ever out of scope", {OVERNIGHT: "0+60x60", SCORED: "7x60"}, {NOTHING}),
    Case("all are out of scope", {OVERNIGHT: "0+60x60", SCORED: "0x60", NONE: "0+1x60"}),
    Case("one image fails for good", {FAILED: "0x30 1x30"}, {"NightreadImagesFail"}),
    Case("results are not taken", {DEAD: "0x30 1x30"}, {"NightreadResultsAreNotTaken"}),
    Case("results wait", {DUE: "500x200", DELIVERED: "9x200"}, {"NightreadResultsWait"}, 130),
    Case("results never went", {DUE: "500x200"}, {"NightreadResultsWait"}, 130),
    Case("results go, and more come", {DUE: "500x200", DELIVERED: "0+9x200"}, minutes=130),
    Case("rules cannot be followed", {RETENTION: "0x10 1+1x50"}, {"NightreadRetentionFails"}),
    Case("a rule failed once", {RETENTION: "0x10 1x50"}),
    Case(
        "the audit is not sent",
        {"nightread_audit_oldest_unsent_seconds": "0+60x60"},
        {"NightreadAuditIsNotSent"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_alarms_ring_when_they_must(case: Case, tmp_path: Path) -> None:
    program = shutil.which("promtool")
    require(program, "no promtool: apt-get install prometheus")
    assert program is not None
    series = ({} if case.about == NOBODY else {OTHER: "1x200"}) | case.series
    asked = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{case.minutes}m",
        "exp_samples": [
            {"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(case.rings)
        ],
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": v} for name, v in series.items()],
        "promql_expr_test": [asked],
    }
    # JSON is YAML.
    path = tmp_path / "case.yml"
    path.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [test]}))
    ran = subprocess.run([program, "test", "rules", path], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_alarm_was_heard() -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert {rule["alert"] for rule in rules} == set().union(*(case.rings for case in CASES))


def test_what_an_alarm_waits_for_is_told_before_it_happens() -> None:
    told = {
        tuple(sample.labels.values())
        for counter in (SCORES, NOT_SCORED, STORES, ASSOCIATIONS)
        for metric in counter.collect()
        for sample in metric.samples
    }
    assert batch.count_outcomes
    assert visit.Visit
    assert {(each.value,) for each in (*Verdict, *Reason)} <= told
    assert {("0x0000",), ("0xA700",), ("0xC000",), ("rejected",)} <= told
