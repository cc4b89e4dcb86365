"""The security page names tests that exist, and events as they are sent."""

from __future__ import annotations

import re

from console import ROOT

from screening.auditing.kinds import KINDS

PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20
    assert named <= set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    for path in re.findall(r"`(tests/\w+\.py)`", PAGE):
        assert (ROOT / path).is_file()


def test_the_page_says_what_each_event_is_sent_as() -> None:
    rows = [line for line in PAGE.splitlines() if re.search(r"\| `\w+`.*\(1101\d\d\)", line)]
    told = {
        event: re.findall(r"\((1101\d\d)\)", row)[0]
        for row in rows
        for event in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert told == {event.value: kind.event.value for event, kind in KINDS.items()}
