"""Measure every classifier on every set, once, and make ensembles of those that learnt the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.comparison.claim import Claim, read_claims
from models.comparison.contender import Contender
from models.comparison.entry import Entry, OnSet
from models.comparison.labelled_split import LabelledSplit
from models.comparison.measured import Measured, Results, score_split
from models.comparison.pair_figures import bootstrap_of, pair_figures
from models.ensemble import Mixture, average, fit_stack
from models.group_bootstrap import GroupBootstrap
from models.selection import choose_points
from screening.domain.verdict import OperatingPoints
from screening.errors import TrainingError

OnImage = Callable[[str, str, int, int], None]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was measured.

    Attributes
    ----------
    sets
        In the order given.
    entries
        The classifiers in the order given, then the ensembles.
    claims
        Of the published models.
    """

    sets: tuple[LabelledSplit, ...]
    entries: tuple[Entry, ...]
    claims: tuple[Claim, ...]

    def find(self, key: str, trained_on: str) -> Entry | None:
        """Return the first classifier of a recipe that was trained on a set, if there is one."""
        fitting = (e for e in self.entries if e.key == key and e.trained_on == trained_on)
        return next(fitting, None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, without the scores."""
        return {
            "sets": [
                {
                    "name": data.name,
                    "split": data.split,
                    "images": len(data.rows),
                    "fractured": int(data.labels.sum()),
                    "groups": len(set(data.sources)),
                    "sha256": data.sha256,
                }
                for data in self.sets
            ],
            "classifiers": [entry.as_dict() for entry in self.entries],
        }


def compare(
    contenders: Sequence[Contender],
    sets: Sequence[LabelledSplit],
    results: Path,
    *,
    ensembles: bool = False,
    on_image: OnImage = lambda label, data, done, total: None,
) -> Comparison:
    """Measure, or take from the folder what was measured before.

    Parameters
    ----------
    contenders
        The classifiers.
    sets
        The splits, each under its own name.
    results
        Folder of what is measured. Another call goes on there: a pair with the same weights,
        settings and data is not measured again.
    ensembles
        Whether to add an average and a stack of all classifiers that were trained on one of the
        sets. Their weights and operating points come from its validation split.
    on_image
        Called as films are scored: the classifier, the set and its split, how many and of how many.

    Raises
    ------
    TrainingError
        If two sets have one name, a film cannot be read, or results cannot be kept.
    BundleError
        If a bundle cannot be loaded.
    """
    if len({data.name for data in sets}) < len(sets):
        raise TrainingError("two sets have the same name: give each its own, as NAME=FOLDER")
    return _Measuring(contenders, sets, Results(results), on_image).comparison(ensembles)


class _Measuring:
    """One comparison on its way."""

    def __init__(
        self,
        contenders: Sequence[Contender],
        sets: Sequence[LabelledSplit],
        results: Results,
        on_image: OnImage,
    ) -> None:
        self._contenders = contenders
        self._sets = {data.name: data for data in sets}
        self._results = results
        self._on_image = on_image
        self._bootstraps = {name: bootstrap_of(data) for name, data in self._sets.items()}

    def comparison(self, ensembles: bool) -> Comparison:
        entries = [self._entry(contender) for contender in self._contenders]
        if ensembles:
            entries += self._ensembles(entries)
        return Comparison(tuple(self._sets.values()), tuple(entries), read_claims())

    def _entry(self, contender: Contender) -> Entry:
        training, trained_on = contender.training, self._trained_on(contender)
        points = contender.bundle.settings.operating_points
        on = {}
        for name, data in self._sets.items():
            measured = self._measured(contender, data)
            on[name] = _on_set(
                np.array(measured.probabilities),
                points,
                self._bootstraps[name],
                (measured.images_per_second, measured.machine),
                self._copies(trained_on, data),
            )
        return Entry(
            label=contender.label,
            key=contender.key,
            trained_on=trained_on,
            training=training,
            command=self._command(contender, trained_on),
            parameters=contender.parameters(),
            weights_bytes=contender.weights_size(),
            members=(),
            on=on,
        )

    def _trained_on(self, contender: Contender) -> str:
        if contender.training is None:
            return ""
        for name, data in self._sets.items():
            if data.validation_sha256 == contender.training.validation_sha256:
                return name
        return contender.training.data

    def _command(self, contender: Contender, trained_on: str) -> str:
        if contender.training is None or contender.training.finished:
            return ""
        data = str(self._sets[trained_on].data) if trained_on in self._sets else "DATA"
        return contender.training.command(data, str(contender.run or "RUN"))

    def _copies(self, trained_on: str, data: LabelledSplit) -> int | None:
        if trained_on not in self._sets:
            return None
        try:
            return self._results.copies(self._sets[trained_on].other("train"), data)
        except TrainingError:
            return None

    def _measured(self, contender: Contender, data: LabelledSplit) -> Measured:
        kept = self._results.find(contender, data)
        if kept is not None:
            return kept
        tell, name = self._on_image, f"{data.name}, {data.split}"
        measured = score_split(
            contender, data, lambda done, total: tell(contender.label, name, done, total)
        )
        self._results.keep(contender, data, measured)
        return measured

    def _ensembles(self, entries: Sequence[Entry]) -> list[Entry]:
        """Make two of each set's classifiers, where there are several."""
        groups: dict[str, list[tuple[Contender, Entry]]] = defaultdict(list)
        for contender, entry in zip(self._contenders, entries, strict=True):
            if entry.trained_on in self._sets:
                groups[entry.trained_on].append((contender, entry))
        return [
            made
            for name, members in groups.items()
            if len(members) > 1
            for made in self._of_group(name, members)
        ]

    def _of_group(self, name: str, members: Sequence[tuple[Contender, Entry]]) -> list[Entry]:
        validation = self._sets[name].other("val")
        scored = [self._measured(contender, validation).probabilities for contender, _ in members]
        each, labels = np.array(scored).T, validation.labels
        mixtures = (average(len(members)), fit_stack(each, labels))
        return [
            self._mixed(
                mixture,
                choose_points(mixture.probabilities(each), labels),
                name,
                [entry for _, entry in members],
            )
            for mixture in mixtures
        ]

    def _mixed(
        self, mixture: Mixture, points: OperatingPoints, name: str, members: Sequence[Entry]
    ) -> Entry:
        on = {}
        for data in self._sets:
            parts = [member.on[data] for member in members]
            each = np.array([part.probabilities for part in parts]).T
            seconds = sum(1 / part.images_per_second for part in parts)
            machines = " and ".join(sorted({part.machine for part in parts}))
            on[data] = _on_set(
                mixture.probabilities(each),
                points,
                self._bootstraps[data],
                (1 / seconds, machines),
                parts[0].copies,
            )
        weighed = zip((member.label for member in members), mixture.weights, strict=True)
        return Entry(
            label=f"{mixture.kind} of {len(members)}, {name}",
            key="",
            trained_on=name,
            training=None,
            command="",
            parameters=sum(member.parameters for member in members),
            weights_bytes=sum(member.weights_bytes for member in members),
            members=tuple(weighed),
            on=on,
        )


def _on_set(
    probabilities: _Floats,
    points: OperatingPoints,
    bootstrap: GroupBootstrap,
    speed: tuple[float, str],
    copies: int | None,
) -> OnSet:
    figures = pair_figures(probabilities, points, bootstrap)
    return OnSet(figures, tuple(map(float, probabilities)), *speed, copies)
