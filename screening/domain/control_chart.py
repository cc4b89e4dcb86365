"""Control charts: whether a night, or a week, is unlike those before it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from screening.domain.chance import count_limits, student_quantile

SIGMAS = 3.0
"""Of a Shewhart chart: by chance alone about 3 of 1,000 nights lie outside."""

CHANCE = 2 * statistics.NormalDist().cdf(-SIGMAS)
"""That a figure lies outside of such limits, on the one side or the other."""

FEWEST = 50
"""Studies of the nights before, below which there is nothing to compare with."""

_MEAN_RANGE = 1.128
"""Of two values of a normal distribution, in standard deviations: d2 of a control chart."""


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


def control_share(
    count: int,
    of: int,
    before: Sequence[tuple[int, int]],
    *,
    chance: float = CHANCE,
    spread: float = 1.0,
) -> Control:
    """Compare a share with that of the nights before: a p chart with probability limits.

    Outside of them lie counts that chance would bring as seldom as it brings a normal value that
    is three standard deviations away. With the usual p plus and minus 3 sqrt(p (1 - p) / n)
    (NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.3.2) a single study would stand out of a
    night where there was none before, and the share before would count as known, however few
    studies it rests on: :func:`~screening.domain.chance.count_limits`.

    Parameters
    ----------
    count, of
        Of this night.
    before
        The same of each night before.
    chance
        That a share lies outside the limits though nothing has changed.
    spread
        How much further nights scatter than chance alone has them: the limits are as much wider.
    """
    value = count / of if of else None
    total = sum(each for _, each in before)
    if total < FEWEST or not of:
        return Control(value, of)
    seen = sum(each for each, _ in before)
    centre = seen / total
    low, high = (each / of for each in count_limits(of, seen, total - seen, chance / 2))
    low, high = centre + spread * (low - centre), centre + spread * (high - centre)
    return Control(value, of, centre, max(0.0, low), min(1.0, high))


def spread_of_shares(before: Sequence[tuple[int, int]]) -> float:
    """Return how much further shares scatter than chance alone has them; at least 1.

    The standard deviation of their standardized values, from the differences of neighbours: sigma-z
    of a p' chart (Laney, Improved control charts for attributes, Qual. Eng. 14, 2002). His would be
    below 1 where they scatter less; with a few weeks that is mostly chance.

    Parameters
    ----------
    before
        Count and whole of each night, in their order.
    """
    total = sum(of for _, of in before)
    share = sum(count for count, _ in before) / total if total else 0.0
    if not 0 < share < 1:
        return 1.0
    values = [
        (count / of - share) / math.sqrt(share * (1 - share) / of) for count, of in before if of
    ]
    ranges = [abs(later - sooner) for sooner, later in pairwise(values)]
    return max(1.0, statistics.fmean(ranges) / _MEAN_RANGE) if ranges else 1.0


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


def control_value(
    value: float | None, of: int, before: Sequence[float], error: float, *, chance: float = CHANCE
) -> Control:
    """Compare one value of a week with those of the weeks before: a chart for individual values.

    Three standard deviations would be too narrow for the few weeks that there are: the limits are
    those of a prediction interval, mean plus and minus t s sqrt(1 + 1 / m) (Hahn, J. Am. Stat.
    Assoc. 65, 1970).

    Parameters
    ----------
    value, of
        Of this week, in [0, 1], and how many studies it rests on.
    before
        Of each week before; without two of them there are no limits.
    error
        The standard error of such a value, below which the weeks' scatter is taken for luck.
    chance
        That a value lies outside the limits though nothing has changed.
    """
    weeks = len(before)
    if weeks < 2 or value is None:
        return Control(value, of)
    centre = statistics.fmean(before)
    scatter = max(statistics.stdev(before), error)
    reach = student_quantile(chance / 2, weeks - 1) * scatter * math.sqrt(1 + 1 / weeks)
    return Control(value, of, centre, max(0.0, centre - reach), min(1.0, centre + reach))
