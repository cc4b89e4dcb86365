"""The same film under two labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.audit.entry import Entry
from models.audit.likeness import Likeness, Pairs, likeness


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two entries with different labels; ``likeness`` is ``None`` where their pixels are equal."""

    first: int
    second: int
    likeness: Likeness | None


def find_conflicts(
    entries: Sequence[Entry], picture_of: Sequence[int], pairs: Pairs
) -> tuple[Conflict, ...]:
    """Find films that are labelled in two ways: equal pixels first, then the most similar.

    One conflict is listed per picture, or per pair of pictures, whatever the number of their files.
    """
    labelled = _labelled(entries, picture_of)
    exact = [_exact(first_of) for first_of in labelled.values() if len(first_of) > 1]
    near = [found for row in pairs for found in _near(labelled, likeness(row))]
    return (*exact, *sorted(near, key=_least_similar_last))


def _exact(first_of: dict[str, int]) -> Conflict:
    first, second, *_ = sorted(first_of.values())
    return Conflict(first, second, None)


def _least_similar_last(conflict: Conflict) -> float:
    return -conflict.likeness.similarity if conflict.likeness else -2.0


def _labelled(entries: Sequence[Entry], picture_of: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return for each picture its labels, each with the first entry that gives it."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for number, entry in enumerate(entries):
        if picture_of[number] >= 0:
            found[picture_of[number]].setdefault(entry.label, number)
    return found


def _near(labelled: dict[int, dict[str, int]], pair: Likeness) -> Iterator[Conflict]:
    first, second = labelled[pair.first], labelled[pair.second]
    if len(first) == len(second) == 1 and set(first) != set(second):
        yield Conflict(next(iter(first.values())), next(iter(second.values())), pair)
