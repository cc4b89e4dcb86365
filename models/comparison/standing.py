"""What is left of a published claim."""

from __future__ import annotations

from dataclasses import dataclass

from models.comparison.claim import Claim
from models.comparison.comparison import Comparison
from models.comparison.entry import Entry, OnSet
from models.comparison.multiregion import CLEAN, PUBLISHED

FRACATLAS = "fracatlas"


@dataclass(frozen=True, slots=True)
class Standing:
    """A published model: the claim, and ours beside it.

    Attributes
    ----------
    claim
        Its authors'.
    published, clean
        The classifier that repeats it, trained on the published split, and on the clean one.
    on_published, on_clean
        Each on the test split of the set that it was trained on.
    on_fracatlas
        The one trained on the clean split, or else on the published one, on FracAtlas's test split.
    """

    claim: Claim
    published: Entry | None
    clean: Entry | None
    on_published: OnSet | None
    on_clean: OnSet | None
    on_fracatlas: OnSet | None

    @property
    def measured(self) -> bool:
        """Whether there is anything of ours."""
        return self.published is not None or self.clean is not None

    @property
    def accuracies(self) -> tuple[float | None, ...]:
        """Claimed, published split, clean split, FracAtlas; in [0, 1]."""
        claimed = None if self.claim.accuracy is None else self.claim.accuracy / 100
        return (claimed, *(on.figures.accuracy.value if on else None for on in self._ours))

    @property
    def areas(self) -> tuple[float | None, ...]:
        """Published split, clean split, FracAtlas; in [0, 1]."""
        return tuple(on.figures.auc.value if on else None for on in self._ours)

    @property
    def _ours(self) -> tuple[OnSet | None, ...]:
        return self.on_published, self.on_clean, self.on_fracatlas


def standings(comparison: Comparison) -> tuple[Standing, ...]:
    """Return a standing for each claim, in the order of the table."""
    return tuple(_standing(claim, comparison) for claim in comparison.claims)


def _standing(claim: Claim, comparison: Comparison) -> Standing:
    published = comparison.find(claim.name, PUBLISHED)
    clean = comparison.find(claim.name, CLEAN)
    return Standing(
        claim,
        published,
        clean,
        published.on.get(PUBLISHED) if published else None,
        clean.on.get(CLEAN) if clean else None,
        _on(clean, FRACATLAS) or _on(published, FRACATLAS),
    )


def _on(entry: Entry | None, name: str) -> OnSet | None:
    return entry.on.get(name) if entry else None
