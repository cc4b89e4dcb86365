"""How far chance alone reaches: the quantiles that control limits are made of."""

from __future__ import annotations

import math

_NOTHING = 1e-16


def count_limits(of: int, seen: int, others: int, tail: float) -> tuple[int, int]:
    """Return the least and the greatest count among ``of`` that are no surprise.

    The count is predicted from what was seen before: with a share that is itself only estimated it
    has a beta-binomial distribution, here after a uniform prior. Limits by a predictive
    distribution: Bourazas, Kiagias and Tsiamyrtzis, J. Qual. Technol. 54, 2022
    (doi 10.1080/00224065.2021.1916413).

    Parameters
    ----------
    of
        How many there are now, at least 1.
    seen, others
        How many there were before of the kind that is counted, and of the other.
    tail
        The probability of a count below the least one, at most; and of one above the greatest.
    """
    chances = _beta_binomial(of, seen + 1, others + 1)
    total = sum(chances.values())
    low, below = None, 0.0
    for count in sorted(chances):
        below += chances[count] / total
        if low is None and below > tail:
            low = count
        if below >= 1 - tail:
            return low or 0, count
    return low or 0, of


def _beta_binomial(of: int, a: int, b: int) -> dict[int, float]:
    """Return chances in proportion, from the likeliest count outward until they are nothing."""
    start = min(of, of * a // (a + b))
    chances = {start: 1.0}
    chance = 1.0
    for count in range(start, of):
        chance *= (of - count) * (count + a) / ((count + 1) * (of - count - 1 + b))
        if chance < _NOTHING:
            break
        chances[count + 1] = chance
    chance = 1.0
    for count in range(start, 0, -1):
        chance *= count * (of - count + b) / ((of - count + 1) * (count - 1 + a))
        if chance < _NOTHING:
            break
        chances[count - 1] = chance
    return chances


def student_quantile(tail: float, freedom: int) -> float:
    """Return what Student's t exceeds with a probability of ``tail``, below one half.

    Parameters
    ----------
    freedom
        Degrees of freedom, at least 1.
    """
    low, high = 0.0, 1.0
    while _within(high, freedom) < 1 - 2 * tail:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 1 - 2 * tail else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Return the probability that Student's t lies between -t and t.

    The finite series for whole degrees of freedom: Abramowitz and Stegun, Handbook of
    Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * cosine * cosine
    if odd:
        return 2 / math.pi * (angle + sine * total)
    return sine * total


def distance_limit(chance: float, first: int, second: int) -> float:
    """Return the distance of two samples that is exceeded with a probability of ``chance``.

    The distance is Smirnov's: the greatest between the two cumulative shares (Ann. Math. Stat. 19,
    1948). The first term of its limiting distribution, which for small chances is all of it; where
    values are equal, as rounded ones are, the distance exceeds it more seldom still.

    Parameters
    ----------
    first, second
        How many values each sample has.
    """
    return math.sqrt(-math.log(chance / 2) / 2) * math.sqrt(1 / first + 1 / second)


MEAN_DISTANCE = math.sqrt(math.pi / 2) * math.log(2)
"""Of two samples by chance alone, in units of sqrt(1 / first + 1 / second)."""
