"""How far the copies that were found agree with the groups that the set itself names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.audit.entry import Entry
from models.audit.likeness import Pairs
from models.audit.partition import Partition


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs of distinct pictures, counted.

    Attributes
    ----------
    known
        Pairs in one group of the set.
    found
        Pairs found to be copies.
    confirmed
        Found pairs that are in one group. The rest are errors of the search, or copies that the
        set's groups overlook: ``docs/datasets.md``.
    linked
        Known pairs that a chain of found pairs connects, so that no proposed split parts them.
    """

    known: int
    found: int
    confirmed: int
    linked: int

    @property
    def precision(self) -> float:
        """Share of found pairs that the groups confirm, in [0, 1]; 1 where none was found."""
        return self.confirmed / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of known pairs that were found, in [0, 1]; 1 where none was known."""
        return self.confirmed / self.known if self.known else 1.0

    @property
    def linked_recall(self) -> float:
        """Share of known pairs that ended in one source, in [0, 1]; 1 where none was known."""
        return self.linked / self.known if self.known else 1.0


def agreement(
    entries: Sequence[Entry], first_entry: Sequence[int], pairs: Pairs
) -> Agreement | None:
    """Compare copies with groups; ``None`` where the set names no groups.

    Parameters
    ----------
    entries
        Of the set.
    first_entry
        The first entry of each distinct picture, whose group counts.
    pairs
        Of pictures that are copies.
    """
    groups = [entries[entry].group for entry in first_entry]
    if not any(groups):
        return None
    first, second = pairs["first"].tolist(), pairs["second"].tolist()
    confirmed = sum(
        bool(groups[a]) and groups[a] == groups[b] for a, b in zip(first, second, strict=True)
    )
    linked = Partition(len(groups))
    linked.join_all(zip(first, second, strict=True))
    both = Counter((group, linked.group(i)) for i, group in enumerate(groups) if group)
    known = Counter(group for group in groups if group)
    return Agreement(_pairs_in(known.values()), len(pairs), confirmed, _pairs_in(both.values()))


def _pairs_in(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)
