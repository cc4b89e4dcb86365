"""The films of a report's contact sheets: few, and as different from one another as can be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from models.audit.contact_sheet import Case, contact_sheet
from models.audit.entry import Entry
from models.audit.findings import Findings
from models.audit.leak import Copy
from models.audit.likeness import Likeness, likeness

_CASES = 12
T = TypeVar("T")


def contact_sheets(findings: Findings) -> dict[str, bytes]:
    """Draw the sheets for which there is anything to show, as PNG by file name."""
    cases: Mapping[str, Callable[[Findings], Iterable[Case]]] = {
        "leaks.png": _leaks,
        "conflicts.png": _conflicts,
        "copies.png": _copies,
        "faults.png": _faults,
    }
    chosen = {name: list(islice(of(findings), _CASES)) for name, of in cases.items()}
    return {name: contact_sheet(found) for name, found in chosen.items() if found}


def _leaks(findings: Findings) -> Iterator[Case]:
    """Show each kind of leak in turn."""
    kinds: list[list[Copy]] = []
    for leak in findings.leaks:
        exact, near = leak.exact, leak.exact + leak.near
        kinds += [list(leak.copies[part]) for part in _parts(exact, near)]
    for copy in _varied(kinds, lambda copy: findings.assigned[copy.entry].group):
        yield _pair(findings, copy.entry, copy.original, copy.likeness)


def _parts(exact: int, near: int) -> tuple[slice, slice, slice]:
    return slice(exact), slice(exact, near), slice(near, None)


def _varied(kinds: list[list[T]], source_of: Callable[[T], str]) -> Iterator[T]:
    """Take from each list in turn, and from sources that were not shown while there are any."""
    shown: set[str] = set()
    while any(kinds):
        for items in filter(None, kinds):
            at = next((i for i, item in enumerate(items) if source_of(item) not in shown), 0)
            shown.add(source_of(items[at]))
            yield items.pop(at)


def _conflicts(findings: Findings) -> Iterator[Case]:
    for item in findings.conflicts:
        yield _pair(findings, item.first, item.second, item.likeness)


def _copies(findings: Findings) -> Iterator[Case]:
    """Show the least similar pairs, one per source first."""
    first = [findings.assigned[findings.first_entry[i]].group for i in findings.pairs["first"]]
    order = findings.pairs["similarity"].argsort(kind="stable").tolist()
    for at in _varied([order], first.__getitem__):
        pair = likeness(findings.pairs[at])
        a, b = (findings.first_entry[i] for i in (pair.first, pair.second))
        yield _pair(findings, a, b, pair)


def _faults(findings: Findings) -> Iterator[Case]:
    by_kind: dict[str, list[Case]] = {}
    for item in findings.faults:
        entry = findings.entries[item.entry]
        case = Case((entry.path,), (_caption(entry),), item.fault.value)
        by_kind.setdefault(item.fault, []).append(case)
    each = max(1, _CASES // max(1, len(by_kind)))
    for found in by_kind.values():
        yield from found[:each]


def _pair(findings: Findings, first: int, second: int, alike: Likeness | None) -> Case:
    a, b = findings.entries[first], findings.entries[second]
    how = "equal pixels"
    if alike is not None:
        how = f"similarity {alike.similarity:.3f}, {alike.orientation}"
    return Case((a.path, b.path), (_caption(a), _caption(b)), how)


def _caption(entry: Entry) -> tuple[str, str]:
    return entry.path.name, f"{entry.split}, {entry.label}" if entry.split else entry.label
