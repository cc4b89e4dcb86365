"""All that an audit found, and the way to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audit.agreement import Agreement, agreement
from models.audit.conflict import Conflict, find_conflicts
from models.audit.entry import Entry
from models.audit.film import Fault, read_film
from models.audit.leak import Leak, find_leaks
from models.audit.likeness import PAIR, SIMILAR, Pairs, find_likenesses
from models.audit.partition import Partition
from models.audit.proposal import Assignment, propose, shortfalls
from models.audit.signature import FREQUENCIES, RINGS, Signature, signature
from models.audit.source import Source
from models.labels import LABELS, SPLITS
from screening.errors import TrainingError

Step = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FaultyFile:
    """An entry whose file is missing, corrupt, truncated or blank, and what is wrong."""

    entry: int
    fault: Fault
    detail: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What an audit found.

    Attributes
    ----------
    source
        The set.
    picture_of
        For each entry the number of its distinct picture, -1 where it has none.
    first_entry
        For each distinct picture its first entry.
    faults
        Files with something wrong, in the order of the entries.
    pairs
        Pictures that are copies (`models.audit.likeness.PAIR`); empty if they were not looked for.
    near
        Whether copies that are not exact were looked for, and from which similarity; 0 if not.
    conflicts, leaks, agreement
        See their modules.
    assigned
        The proposed split, one per entry.
    seed
        Of the proposal.
    warnings
        Sentences on what stands in the way of learning from the set.
    """

    source: Source
    picture_of: tuple[int, ...]
    first_entry: tuple[int, ...]
    faults: tuple[FaultyFile, ...]
    pairs: Pairs
    near: float
    conflicts: tuple[Conflict, ...]
    leaks: tuple[Leak, ...]
    agreement: Agreement | None
    assigned: tuple[Assignment, ...]
    seed: int
    warnings: tuple[str, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Of the set."""
        return self.source.entries


def _silent(done: int, total: int) -> None:
    """Report nothing."""


def examine(
    source: Source,
    *,
    near: bool = True,
    similar: float = SIMILAR,
    seed: int = 0,
    on_read: Step = _silent,
    on_compare: Step = _silent,
) -> Findings:
    """Audit a set. Nothing is written.

    Each file is decoded once and dropped; of a distinct picture 4.4 kB stay in memory.

    Parameters
    ----------
    source
        The set.
    near
        Whether to look for copies that are not exact.
    similar
        Similarity from which two pictures are copies, in (0, 1].
    seed
        Of the proposed split.
    on_read, on_compare
        Called with the files read, or pictures compared, so far, and their number.

    Raises
    ------
    TrainingError
        If no file can be read, or too many are alike.
    """
    entries = source.entries
    gallery = _Gallery(len({entry.path for entry in entries}), near)
    picture_of, faults = gallery.hang(entries, on_read)
    if not gallery.first_entry:
        raise TrainingError(
            f"none of the {len(entries)} images can be read, the first "
            f"({entries[0].path}) is {faults[0].fault}: {faults[0].detail}. Are the paths right? "
            "A table's paths start from its own folder, or from --root"
        )
    pairs = gallery.likenesses(similar, on_compare)
    conflicts = find_conflicts(entries, picture_of, pairs)
    excluded = _excluded(entries, picture_of, faults, conflicts)
    sources = _sources(entries, picture_of, gallery.first_entry, pairs)
    assigned = propose(entries, sources, excluded, seed)
    return Findings(
        source=source,
        picture_of=tuple(picture_of),
        first_entry=tuple(gallery.first_entry),
        faults=tuple(faults),
        pairs=pairs,
        near=similar if near else 0.0,
        conflicts=conflicts,
        leaks=find_leaks(entries, picture_of, pairs),
        agreement=agreement(entries, gallery.first_entry, pairs) if near else None,
        assigned=assigned,
        seed=seed,
        warnings=(*_missing_classes(entries), *shortfalls(entries, assigned)),
    )


class _Gallery:
    """The distinct pictures of a set: their digests, first entries and signatures."""

    def __init__(self, files: int, near: bool) -> None:
        self.first_entry: list[int] = []
        self._numbers: dict[str, int] = {}
        # The pages of an empty array are taken as they are written.
        self._spectra = np.empty((files if near else 0, RINGS, FREQUENCIES), np.complex64)

    def hang(self, entries: Sequence[Entry], on_read: Step) -> tuple[list[int], list[FaultyFile]]:
        """Read each file once, and number the pictures as they come."""
        known: dict[Path, tuple[int, Fault | None, str]] = {}
        picture_of, faults = [], []
        for number, entry in enumerate(entries):
            if entry.path not in known:
                known[entry.path] = self._read(number, entry)
            picture, fault, detail = known[entry.path]
            picture_of.append(picture)
            if fault is not None:
                faults.append(FaultyFile(number, fault, detail))
            on_read(number + 1, len(entries))
        return picture_of, faults

    def _read(self, number: int, entry: Entry) -> tuple[int, Fault | None, str]:
        film = read_film(entry.path)
        if not film.digest:
            return -1, film.fault, film.detail
        picture = self._numbers.setdefault(film.digest, len(self._numbers))
        if picture == len(self.first_entry):
            self.first_entry.append(number)
            if len(self._spectra):
                self._spectra[picture] = _signature_of(film.thumbnail)
        return picture, film.fault, film.detail

    def likenesses(self, similar: float, on_compare: Step) -> Pairs:
        if not len(self._spectra):
            return np.empty(0, PAIR)
        known = self._spectra[: len(self.first_entry)]
        return find_likenesses(known, similar=similar, on_step=on_compare)


def _signature_of(thumbnail: NDArray[np.uint8] | None) -> Signature:
    """Return zeros, which are like nothing, for a film on which there is nothing to see."""
    if thumbnail is None:
        return np.zeros((RINGS, FREQUENCIES), np.complex64)
    return signature(thumbnail)


def _excluded(
    entries: Sequence[Entry],
    picture_of: Sequence[int],
    faults: Sequence[FaultyFile],
    conflicts: Sequence[Conflict],
) -> dict[int, str]:
    """Return the entries that a proposed split leaves out: one picture, one row, one label."""
    disputed = {picture_of[item.first] for item in conflicts if item.likeness is None}
    seen: dict[int, int] = {}
    found = {item.entry: item.detail for item in faults if item.fault is not Fault.TRUNCATED}
    for number, picture in enumerate(picture_of):
        given = entries[number].split
        if number in found:
            continue
        if given and given not in SPLITS:
            found[number] = f"the set itself calls its split {given}"
        elif picture in disputed:
            found[number] = "the same pixels are labelled in two ways"
        elif seen.setdefault(picture, number) != number:
            found[number] = f"exact copy of {entries[seen[picture]].name}"
    return found


def _sources(
    entries: Sequence[Entry], picture_of: Sequence[int], first_entry: Sequence[int], pairs: Pairs
) -> list[int]:
    """Give each entry the number of its source: shared pixels, likeness or the set's own group."""
    joined = Partition(len(entries))
    joined.join_equal((number, entry.group) for number, entry in enumerate(entries))
    for number, picture in enumerate(picture_of):
        if picture >= 0:
            joined.join(number, first_entry[picture])
    for first, second in zip(pairs["first"].tolist(), pairs["second"].tolist(), strict=True):
        joined.join(first_entry[first], first_entry[second])
    return [joined.group(number) for number in range(len(entries))]


def _missing_classes(entries: Sequence[Entry]) -> list[str]:
    present: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        present[entry.split].add(entry.label)
    return [
        f"the {split} split has no image labelled {label}: nothing can be measured on it"
        for split in SPLITS
        if split in present
        for label in LABELS
        if label not in present[split]
    ]
