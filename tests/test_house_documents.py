"""Each command, setting, status, reason and state is documented: nobody must guess a word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

import pytest
import typer
from console import ROOT

from dicom_listener.status import Status
from nightread.console import make_console
from pacs.results.identity import Kind
from screening.domain.account import Right, Role
from screening.domain.commitment import FailureReason
from screening.domain.delivery import DeliveryState
from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.night_batch import BatchState, FetchState
from screening.domain.reason import Reason
from screening.domain.retention import Hindrance
from screening.domain.review import Finding, Opinion
from screening.domain.verdict import Verdict
from screening.records.association import Outcome, StoreCount
from screening.records.audit import Event
from screening.settings_reference import as_text, entries, reference

DOCUMENTS = {path.name: path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}


def tables(page: str, heading: str) -> list[list[str]]:
    """Return the first cells of each table below a heading."""
    text = re.split(rf"^{re.escape(heading)}$", DOCUMENTS[page], maxsplit=1, flags=re.M)[1]
    text = re.split(r"^## ", text, maxsplit=1, flags=re.M)[0]
    found: list[list[str]] = []
    for block in re.findall(r"^\|-[-|]+\|\n((?:\|.*\n)*)", text, flags=re.M):
        found.append([line.split("|")[1].strip(" `*") for line in block.splitlines()])
    return found


def values(words: Iterable[Enum]) -> list[str]:
    return [str(each.value) for each in words]


@pytest.mark.parametrize(
    ("page", "heading", "words"),
    [
        ("words.md", "## An image", [values(InstanceState)]),
        ("words.md", "## A lane", [[lane.name.lower() for lane in Lane]]),
        ("words.md", "## A C-STORE", [values(StoreCount)]),
        ("words.md", "## An association", [values(Outcome)]),
        ("words.md", "## A delivery", [values(DeliveryState)]),
        ("words.md", "## A batch", [values(BatchState)]),
        ("words.md", "## A study of a batch", [values(FetchState)]),
        ("words.md", "## A review", [values(Opinion), values(Finding)]),
        ("words.md", "## An account", [values(Role), values(Right)]),
        ("words.md", "## The audit", [values(Event)]),
        ("results.md", "## The objects", [values(Kind)]),
        ("keeping.md", "## What is never removed, however old", [values(Hindrance)]),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_each_word_of_a_kind_is_explained_and_no_other(
    page: str, heading: str, words: list[list[str]]
) -> None:
    assert tables(page, heading) == words


def test_each_verdict_and_reason_is_explained() -> None:
    verdicts, reasons = tables("README.md", "## What a verdict means")
    assert [word.replace(" ", "_") for word in verdicts] == [
        *(each.value for each in Verdict if each not in (Verdict.NOT_SCORED, Verdict.WAITING)),
        Verdict.NOT_SCORED.value,
        Verdict.WAITING.value,
    ]
    assert set(reasons) == set(values(Reason))


@pytest.mark.parametrize("page", ["door.md", "conformance.md"])
def test_each_status_of_the_listener_is_explained(page: str) -> None:
    told = {int(code, 16) for code in re.findall(r"\b0x[0-9A-F]{4}\b", DOCUMENTS[page])}
    assert set(Status) <= told
    assert page == "conformance.md" or set(FailureReason) <= told


def every_command(console: typer.Typer, above: str = "nightread") -> Iterable[str]:
    """Yield each command that a person may call, with the groups that it is in."""
    for command in console.registered_commands:
        assert command.callback is not None
        if not command.hidden:
            yield f"{above} {command.name or command.callback.__name__}"
    for group in console.registered_groups:
        assert group.typer_instance is not None
        yield from every_command(group.typer_instance, f"{above} {group.name}")


@pytest.mark.parametrize("command", list(every_command(make_console())))
def test_each_command_is_in_a_document(command: str) -> None:
    pages = [name for name, text in DOCUMENTS.items() if re.search(rf"\b{command}\b(?!-)", text)]
    assert pages, f"{command} is in no document"


def test_the_settings_page_is_what_the_program_says() -> None:
    assert DOCUMENTS["settings.md"] == reference(), (
        "write it anew: nightread settings --markdown > docs/settings.md"
    )


def test_each_setting_has_its_meaning_and_its_limits() -> None:
    for each in entries():
        assert each.meaning.endswith((".", ".)")), each.name
        assert each.takes, each.name
        assert "inf" not in each.takes, each.name
        assert "|" not in each.meaning, each.name


def test_a_secret_is_shown_by_no_default() -> None:
    secrets = [each for each in entries() if each.takes == "secret"]
    assert {each.field for each in secrets} >= {"database_password", "redis_password"}
    assert {each.default for each in secrets} == {""}
    assert as_text("postgresql://user:hush@host/db") == "postgresql://user:***@host/db"
