"""How much of one split is already known from another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.audit.entry import Entry
from models.audit.likeness import Likeness, Pairs, likeness

_CHECKED = (("val", "train"), ("test", "train"), ("test", "val"))


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of a split and its copy in another; ``likeness`` is ``None`` if it is exact."""

    entry: int
    original: int
    likeness: Likeness | None


@dataclass(frozen=True, slots=True)
class Leak:
    """What a split shares with another.

    Attributes
    ----------
    split, into
        Files of ``split`` whose like is in ``into``.
    files
        Readable files of ``split``.
    exact
        Of them, those whose pixels are in ``into``.
    near
        Those without an exact copy there, but with one that lies the same way up.
    turned
        Those whose best copy there is turned or mirrored.
    related
        Those without a copy, whose group of the set's own table is in ``into``.
    copies
        One per file of ``exact``, ``near`` and ``turned``, in that order.
    """

    split: str
    into: str
    files: int
    exact: int
    near: int
    turned: int
    related: int
    copies: tuple[Copy, ...]

    @property
    def leaking(self) -> int:
        """Files that have any copy in the other split."""
        return self.exact + self.near + self.turned


def find_leaks(
    entries: Sequence[Entry], picture_of: Sequence[int], pairs: Pairs
) -> tuple[Leak, ...]:
    """Compare the splits of a set, each with those that a classifier has seen before it.

    Parameters
    ----------
    entries
        Of the set.
    picture_of
        The number of each entry's distinct picture, -1 where it has none.
    pairs
        Of pictures that are copies.
    """
    alike = _alike(pairs)
    present = {entry.split for entry in entries}
    return tuple(
        _leak(split, into, entries, picture_of, alike)
        for split, into in _CHECKED
        if split in present and into in present
    )


def _alike(pairs: Pairs) -> dict[int, list[Likeness]]:
    """List for each picture its copies, the most similar first."""
    found: dict[int, list[Likeness]] = defaultdict(list)
    for row in pairs:
        pair = likeness(row)
        found[pair.first].append(pair)
        found[pair.second].append(pair)
    for copies in found.values():
        copies.sort(key=lambda pair: -pair.similarity)
    return found


def _leak(
    split: str,
    into: str,
    entries: Sequence[Entry],
    picture_of: Sequence[int],
    alike: Mapping[int, Sequence[Likeness]],
) -> Leak:
    holders, groups = _known(entries, picture_of, into)
    exact, near, turned, files, related = list[Copy](), list[Copy](), list[Copy](), 0, 0
    for number, entry in enumerate(entries):
        picture = picture_of[number]
        if entry.split != split or picture < 0:
            continue
        files += 1
        if picture in holders:
            exact.append(Copy(number, holders[picture], None))
        elif (pair := _best(picture, alike.get(picture, ()), holders)) is not None:
            other = pair.second if pair.first == picture else pair.first
            (near if pair.upright else turned).append(Copy(number, holders[other], pair))
        elif entry.group and entry.group in groups:
            related += 1
    counts = len(exact), len(near), len(turned)
    return Leak(split, into, files, *counts, related, (*exact, *near, *turned))


def _known(
    entries: Sequence[Entry], picture_of: Sequence[int], split: str
) -> tuple[dict[int, int], set[str]]:
    """Return the first entry of each picture of a split, and the split's groups."""
    holders: dict[int, int] = {}
    groups = set()
    for number, entry in enumerate(entries):
        if entry.split == split:
            groups.add(entry.group)
            if picture_of[number] >= 0:
                holders.setdefault(picture_of[number], number)
    return holders, groups


def _best(picture: int, copies: Iterable[Likeness], holders: Mapping[int, int]) -> Likeness | None:
    """Return the most similar copy among the pictures of the other split."""
    return next(
        (pair for pair in copies if _other(pair, picture) in holders),
        None,
    )


def _other(pair: Likeness, picture: int) -> int:
    return pair.second if pair.first == picture else pair.first
