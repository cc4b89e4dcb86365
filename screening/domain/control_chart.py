"""Control charts: whether a night is unlike the nights before it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SIGMAS = 3.0
"""Of a Shewhart chart: by chance alone about 3 of 1,000 nights lie outside."""

_TAIL = statistics.NormalDist().cdf(-SIGMAS)

FEWEST = 50
"""Studies of the nights before, below which there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Control:
    """A figure of one night, and between which limits it was expected.

    Attributes
    ----------
    value
        Of this night; ``None`` where it has none.
    of
        Studies of this night that it rests on.
    centre, low, high
        Of the nights before; ``None`` where there are too few studies to say.
    """

    value: float | None
    of: int
    centre: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_unusual(self) -> bool:
        """Whether the figure lies outside its limits."""
        if self.value is None or self.low is None or self.high is None:
            return False
        return not self.low <= self.value <= self.high


def control_share(count: int, of: int, before: Sequence[tuple[int, int]]) -> Control:
    """Compare a share with that of the nights before: a p chart with probability limits.

    Outside of them lie counts that a binomial distribution with the earlier share would bring as
    seldom as a normal one brings what is three standard deviations away. With the usual
    p plus and minus 3 sqrt(p (1 - p) / n) (NIST/SEMATECH e-Handbook of Statistical Methods,
    6.3.3.2) a single study would stand out of a night where there was none before. That what never
    was is not impossible, the share is estimated with one study more of each kind.

    Parameters
    ----------
    count, of
        Of this night.
    before
        The same of each night before.
    """
    value = count / of if of else None
    total = sum(each for _, each in before)
    if total < FEWEST or not of:
        return Control(value, of)
    seen = sum(each for each, _ in before)
    low, high = _binomial_limits((seen + 1) / (total + 2), of)
    return Control(value, of, seen / total, low / of, high / of)


def _binomial_limits(share: float, of: int) -> tuple[int, int]:
    """Return the least and the greatest count that are no surprise."""
    low, below = None, 0.0
    for count in range(of + 1):
        chances = math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
        below += math.exp(chances + count * math.log(share) + (of - count) * math.log1p(-share))
        if low is None and below > _TAIL:
            low = count
        if below >= 1 - _TAIL:
            return low or 0, count
    return low or 0, of


def control_mean(values: Sequence[float], before: Sequence[float]) -> Control:
    """Compare a mean with that of the nights before: an x-bar chart.

    Its limits are the centre plus and minus three standard errors of a mean of so many values.

    Parameters
    ----------
    values, before
        Single values of this night, and of all nights before; in [0, 1].
    """
    value = statistics.fmean(values) if values else None
    if len(before) < FEWEST or not values:
        return Control(value, len(values))
    centre = statistics.fmean(before)
    reach = SIGMAS * statistics.pstdev(before, centre) / math.sqrt(len(values))
    low, high = max(0.0, centre - reach), min(1.0, centre + reach)
    return Control(value, len(values), centre, low, high)
