"""A split that does not leak: whole sources to each part, the classes in proportion."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.audit.entry import Entry
from models.labels import LABELS, SPLITS

SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
EXCLUDED = "excluded"
"""The split of rows that training leaves out."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where an entry goes.

    Attributes
    ----------
    split
        ``train``, ``val``, ``test`` or ``excluded``.
    group
        Its source: all entries that are copies of one another, or that the set groups together.
    why
        Why it is excluded; empty where it is not.
    """

    split: str
    group: str
    why: str = ""


def propose(
    entries: Sequence[Entry], sources: Sequence[int], excluded: Mapping[int, str], seed: int
) -> tuple[Assignment, ...]:
    """Assign each entry to a split, so that no source is in two of them.

    Sources are taken from the largest to the smallest, equal ones in an order that the seed draws
    from their first entry's name, and each goes where its labels are missed most. The same set and
    seed give the same split, whatever the folder is called.

    Parameters
    ----------
    entries
        Of the set.
    sources
        The number of each entry's source.
    excluded
        Entries to leave out, with the reason.
    seed
        Another seed, another split.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for number, source in enumerate(sources):
        if number not in excluded:
            members[source].append(number)
    labels = {
        source: Counter(entries[number].label for number in numbers)
        for source, numbers in members.items()
    }
    draw = {source: _draw(seed, entries[numbers[0]].name) for source, numbers in members.items()}
    order = sorted(members, key=lambda source: (-len(members[source]), draw[source], source))
    split_of = _fill(order, labels)
    return tuple(
        Assignment(EXCLUDED, f"s{source:06d}", excluded[number])
        if number in excluded
        else Assignment(split_of[source], f"s{source:06d}")
        for number, source in enumerate(sources)
    )


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogateescape")).hexdigest()


def _fill(order: Sequence[int], labels: Mapping[int, Counter[str]]) -> dict[int, str]:
    totals = sum(labels.values(), Counter[str]())
    given = {split: Counter[str]() for split in SPLITS}
    split_of = {}
    for source in order:
        split = max(SPLITS, key=lambda split: _missed(given[split], split, labels[source], totals))
        given[split] += labels[source]
        split_of[source] = split
    return split_of


def _missed(given: Counter[str], split: str, labels: Counter[str], totals: Counter[str]) -> float:
    """Return how much of its share a split still misses, weighed by the labels at hand."""
    return sum(
        count * (1 - given[label] / (totals[label] * SHARES[split]))
        for label, count in labels.items()
    )


def shortfalls(entries: Sequence[Entry], assigned: Sequence[Assignment]) -> list[str]:
    """Say which class a proposed split lacks, because the set has too few sources of it."""
    present = {(item.split, entry.label) for item, entry in zip(assigned, entries, strict=True)}
    return [
        f"the proposed {split} split has no image labelled {label}: there are fewer than three "
        "independent sources of it, so collect more before measuring anything"
        for split in SPLITS
        for label in LABELS
        if (split, label) not in present
    ]
