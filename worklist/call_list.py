"""Associations in a terminal: a line each, and below it in words what went otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from screening.records.association import Outcome
from screening.records.calls import Call
from worklist.columns import Column, fitted_lines
from worklist.plain_text import plain
from worklist.signs import span_sign

# The longest of IPv4; a longer one goes below its line, and leaves room for the titles.
_ADDRESS = 15
# Below it there is no room for a column of each count; they are in words then.
_ROOMY = 110
_INDENT = 10

_STYLES = {
    Outcome.OPEN: "cyan",
    Outcome.RELEASED: "green",
    Outcome.ABORTED: "yellow",
    Outcome.REJECTED: "bold red",
    Outcome.LOST: "bold red",
}
_COLUMNS = (
    Column("Opened", 8, 8),
    Column("Calling", 8, 16),
    Column("Called", 8, 16),
    Column("Address", 11, _ADDRESS),
    Column("Outcome", 8, 8),
    Column("Lasted", 7, 7, right=True),
    Column("Stored", 6, 9, right=True),
)
_COUNTS = (
    Column("Duplicates", 10, 10, right=True),
    Column("Conflicts", 9, 9, right=True),
    Column("Refused", 7, 9, right=True),
)


def call_list(calls: Sequence[Call], now: dt.datetime, width: int) -> RenderableType:
    """Return associations for a terminal of ``width`` columns, from 80, under the day of each.

    Times are by this machine's clock.
    """
    return Group(*_parts(calls, now, width))


def _parts(calls: Sequence[Call], now: dt.datetime, width: int) -> Iterator[RenderableType]:
    roomy = width >= _ROOMY
    columns = (*_COLUMNS, *_COUNTS) if roomy else _COLUMNS
    header, lines = fitted_lines(columns, [_row(call, now, roomy) for call in calls], width)
    yield header
    day = None
    for call, line in zip(calls, lines, strict=True):
        opened = call.opened_at.astimezone()
        if opened.date() != day:
            day = opened.date()
            yield Text(f"{opened:%Y-%m-%d %Z}", style="dim")
        yield line
        for words in _words(call, roomy):
            yield Padding(Text(words), (0, 0, 0, _INDENT))


def _row(call: Call, now: dt.datetime, roomy: bool) -> list[Text]:
    counts = (call.stored, call.duplicates, call.conflicts, call.refused)
    return [
        Text(f"{call.opened_at.astimezone():%H:%M:%S}"),
        _text(call.calling_ae_title),
        _text(call.called_ae_title),
        _text(call.peer_address),
        Text(call.outcome.value, style=_STYLES[call.outcome]),
        Text(_lasted(call, now)),
        *(Text(str(count) if count else "-") for count in counts[: len(counts) if roomy else 1]),
    ]


def _lasted(call: Call, now: dt.datetime) -> str:
    if call.outcome is Outcome.REJECTED:
        return "-"
    return span_sign((call.closed_at or now) - call.opened_at)


def _words(call: Call, roomy: bool) -> Iterator[str]:
    """Say why it did not end well, and which images it did not leave."""
    if len(call.peer_address) > _ADDRESS:
        yield f"from {plain(call.peer_address)}"
    if call.explanation:
        yield plain(call.explanation)
    if not roomy and call.duplicates:
        yield f"{call.duplicates} came again and were there already"
    if call.conflicts:
        yield f"{call.conflicts} with other bytes under a UID that we hold: kept apart"
    if call.refused:
        last = plain(call.last_refusal or "its reason is in the listener's log")
        yield f"{call.refused} refused, the last: {last}"


def _text(value: str) -> Text:
    """Return foreign text as it is, without a meaning to rich or to the terminal."""
    return Text(plain(value) or "-")
