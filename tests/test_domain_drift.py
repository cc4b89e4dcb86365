"""Drift in numbers: limits as chance has them, and what is held against what."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.domain.agreement import Share
from screening.domain.chance import count_limits, distance_limit, student_quantile
from screening.domain.control_chart import (
    CHANCE,
    control_share,
    control_value,
    spread_of_shares,
)
from screening.domain.drift import REFERENCE_WEEKS, Board, Course, Group, judge, weeks_until
from screening.domain.figure import Figure
from screening.domain.week_count import Cumulated, WeekCount, error_of_median, quartiles

MONDAY = dt.date(2026, 1, 5)
COUNTED = st.dictionaries(st.integers(0, 1000), st.integers(1, 5), min_size=1, max_size=30)


def week(number: int, scored: int = 100, flagged: int = 15, **others: object) -> WeekCount:
    scores: Mapping[int, int] = {100: scored - flagged, 700: flagged}
    values = {"studies": scored, "read": scored, "scored": scored, "flagged": flagged}
    begins = MONDAY + dt.timedelta(weeks=number)
    return WeekCount(begins, **values | {"scores": scores} | others)  # type: ignore[arg-type]


def of(board: Board, figure: Figure, group: int = 0) -> Course:
    return board.groups[group].of(figure)


def kinds(course: Course) -> str:
    """Return a letter for each week: reference, outside, judged, or none of them."""
    return "".join(
        "r" if each.is_reference else "o" if each.is_outside else "j" if each.is_judged else "-"
        for each in course.points
    )


def chances(size: int, seen: int, others: int) -> list[Fraction]:
    """Return the beta-binomial chances of each count, by whole numbers alone."""
    a, b = seen + 1, others + 1
    ways = math.comb(size + a + b - 1, size)
    return [
        Fraction(math.comb(k + a - 1, k) * math.comb(size - k + b - 1, size - k), ways)
        for k in range(size + 1)
    ]


@given(st.integers(1, 60), st.integers(0, 80), st.integers(0, 80), st.sampled_from([0.02, 0.00135]))
def test_limits_of_a_count_leave_the_tails_out(
    size: int, seen: int, others: int, tail: float
) -> None:
    exact = chances(size, seen, others)
    assert sum(exact) == 1
    low, high = count_limits(size, seen, others, tail)
    assert sum(exact[:low]) <= tail < sum(exact[: low + 1])
    assert sum(exact[high + 1 :]) <= tail + 1e-12
    assert high == low or sum(exact[high:]) > tail - 1e-12


def test_limits_of_a_count_are_those_of_another_program() -> None:
    # scipy 1.17, stats.betabinom(120, 31, 171): ppf(0.00135) and ppf(0.99865).
    assert count_limits(120, 30, 170, 0.00135) == (6, 35)
    assert count_limits(500, 100, 4000, 0.0001) == (2, 28)


@pytest.mark.parametrize(
    ("tail", "freedom", "printed"),
    [(0.025, 1, 12.706), (0.025, 2, 4.303), (0.005, 7, 3.499), (0.025, 10, 2.228)],
)
def test_students_quantiles_are_those_of_the_printed_table(
    tail: float, freedom: int, printed: float
) -> None:
    assert student_quantile(tail, freedom) == pytest.approx(printed, abs=5e-4)


def test_the_limit_of_a_distance_is_that_of_the_printed_table() -> None:
    # Of large samples: 1.36 and 1.63 times sqrt((m + n) / (m n)).
    for chance, printed in ((0.05, 1.36), (0.01, 1.63)):
        assert distance_limit(chance, 100, 400) == pytest.approx(
            printed * math.sqrt(500 / 40_000), abs=1e-3
        )


@given(COUNTED, COUNTED)
def test_the_distance_is_the_greatest_between_the_cumulative_shares(
    first: dict[int, int], second: dict[int, int]
) -> None:
    def below(scores: dict[int, int], step: int) -> float:
        return sum(n for each, n in scores.items() if each <= step) / sum(scores.values())

    greatest = max(abs(below(first, step) - below(second, step)) for step in range(1001))
    assert Cumulated(first).distance(second) == pytest.approx(greatest, abs=1e-9)


@given(COUNTED)
def test_quartiles_are_those_of_the_scores_one_by_one(scores: dict[int, int]) -> None:
    each = sorted(step for step, count in scores.items() for _ in range(count))
    ranks = [math.ceil(len(each) * quarter / 4) - 1 for quarter in (1, 2, 3)]
    wanted = [min(1.0, (each[rank] + 0.5) / 1000) for rank in ranks]
    assert quartiles(scores) == pytest.approx(wanted)


def test_the_error_of_a_median_is_mcgills() -> None:
    # Quartiles at 0.1005 and 0.3005 of 100 scores: 1.25 * 0.2 / (1.35 * 10).
    assert error_of_median({100: 30, 200: 40, 300: 30}, 100) == pytest.approx(0.0185185, abs=1e-6)
    assert error_of_median({100: 50}, 50) == pytest.approx(0.000289, abs=1e-6), "of rounding"


def test_the_spread_of_shares_is_laneys() -> None:
    # Of 100 each, 10 % in the mean, sigma 0.03: -1, 1, -1, 1 sigmas; ranges of 2, over 1.128.
    before = [(7, 100), (13, 100), (7, 100), (13, 100)]
    assert spread_of_shares(before) == pytest.approx(2 / 1.128)
    assert spread_of_shares([(10, 100)] * 4) == 1.0, "less than chance is luck"
    assert spread_of_shares([(0, 100)] * 4) == 1.0


def test_weeks_that_scatter_have_wider_limits() -> None:
    steady = control_share(20, 100, [(10, 100)] * 8)
    wide = control_share(20, 100, [(10, 100)] * 8, spread=2.0)
    assert steady.high is not None
    assert wide.high == pytest.approx(0.1 + 2 * (steady.high - 0.1))
    assert wide.low == 0.0


def test_a_share_that_few_studies_were_seen_of_has_wider_limits() -> None:
    few = control_share(10, 100, [(6, 60)])
    many = control_share(10, 100, [(600, 6000)])
    assert few.high is not None
    assert many.high is not None
    assert few.high > many.high + 0.05


def test_single_values_have_the_limits_of_a_prediction() -> None:
    before = [0.10, 0.12, 0.14, 0.16]
    found = control_value(0.15, 50, before, 0.0, chance=0.05)
    # 0.13 plus and minus t(3) 3.182 * s 0.02582 * sqrt(1.25).
    assert (found.centre, found.low, found.high) == pytest.approx((0.13, 0.0381, 0.2219), abs=1e-4)
    assert control_value(0.15, 50, before, 0.05, chance=0.05).high == pytest.approx(
        0.3079, abs=1e-4
    )
    assert control_value(0.15, 50, [0.1], 0.0).high is None


def test_the_first_half_of_the_weeks_is_the_reference_and_no_more_than_eight() -> None:
    def flagged(count: int) -> str:
        group = Group("DX", "", tuple(week(number) for number in range(count)))
        return kinds(of(judge([group]), Figure.FLAGGED))

    assert flagged(1) == "-"
    assert flagged(7) == "-" * 7
    assert flagged(8) == "rrrrjjjj"
    assert flagged(20) == "r" * REFERENCE_WEEKS + "j" * 12


def test_small_weeks_are_neither_reference_nor_judged() -> None:
    sizes = [100, 5, 100, 100, 100, 19, 100, 20, 100, 100]
    weeks = [week(number, size, size // 5) for number, size in enumerate(sizes)]
    board = judge([Group("DX", "", tuple(weeks))])
    assert kinds(of(board, Figure.FLAGGED)) == "r-rrr-jjjj"
    assert of(board, Figure.FLAGGED).enough == 8


def test_a_step_is_outside_and_what_was_before_it_is_not() -> None:
    weeks = [week(number, 100, 15 if number < 14 else 40) for number in range(18)]
    board = judge([Group("DX", "", tuple(weeks))])
    assert kinds(of(board, Figure.FLAGGED)) == "r" * 8 + "j" * 6 + "o" * 4
    assert kinds(of(board, Figure.DISTANCE)) == "r" * 8 + "j" * 6 + "o" * 4
    newest = of(board, Figure.FLAGGED).outside[0]
    assert newest.week is weeks[-1]


def test_a_median_that_moves_is_outside() -> None:
    scores = [{90 + number % 3: 50, 110: 50} for number in range(12)] + [{200: 100}]
    weeks = [week(number, scores=each) for number, each in enumerate(scores)]
    course = of(judge([Group("DX", "", tuple(weeks))]), Figure.MEDIAN)
    assert kinds(course) == "r" * 6 + "j" * 6 + "o"


def test_a_week_whose_scores_drift_apart_does_not_widen_its_own_limits() -> None:
    scores = [{90 + number % 3: 50, 110: 50} for number in range(12)]
    narrow, wide = {110: 100}, {10: 30, 110: 40, 900: 30}
    limits = []
    for last in (narrow, wide):
        weeks = [week(number, scores=each) for number, each in enumerate([*scores, last])]
        newest = of(judge([Group("DX", "", tuple(weeks))]), Figure.MEDIAN).points[-1].control
        limits.append((newest.low, newest.high))
    assert limits[0] == limits[1]


def test_precision_is_judged_where_there_are_reviews_enough() -> None:
    weeks = [week(n, precision=Share(12 if n < 12 else 3, 20)) for n in range(14)]
    board = judge([Group("DX", "", tuple(weeks))])
    assert kinds(of(board, Figure.PRECISION)) == "r" * 7 + "j" * 5 + "oo"
    assert kinds(of(board, Figure.AGREED)) == "-" * 14
    few = [week(n, precision=Share(3, 9)) for n in range(14)]
    assert not of(judge([Group("DX", "", tuple(few))]), Figure.PRECISION).has_limits


def test_the_more_is_judged_the_wider_are_the_limits() -> None:
    weeks = tuple(week(number) for number in range(20))
    one = judge([Group("DX", "", weeks)])
    many = judge([Group(f"DX{number}", "", weeks) for number in range(50)])
    assert (one.judged, one.chance) == (48, CHANCE)
    assert many.judged == 2400
    assert many.expected == pytest.approx(1.0)
    narrow, wide = (of(board, Figure.FLAGGED).points[-1].control.high or 0 for board in (one, many))
    assert wide > narrow


def test_steady_groups_sound_no_more_alarms_than_is_said() -> None:
    chance = random.Random(20)
    outside, expected = 0, 0.0
    for _ in range(6):
        board = judge([_steady(chance, name) for name in "ABCDEFGHIJ"])
        outside, expected = outside + board.outside, expected + board.expected
    # A binomial of this mean brings so many in all but 2 of 10,000 runs.
    assert expected == pytest.approx(6.0)
    assert outside <= expected + 3.5 * math.sqrt(expected)


def _steady(chance: random.Random, name: str) -> Group:
    share = chance.uniform(0.05, 0.3)
    weeks = []
    for number in range(20):
        size = chance.choice([25, 60, 150])
        flags = sum(chance.random() < share for _ in range(size))
        right = sum(chance.random() < 0.6 for _ in range(flags))
        drawn = Counter(int(1000 * chance.random() ** 2) for _ in range(size))
        missed = sum(chance.random() < 0.05 for _ in range(size))
        weeks.append(
            week(
                number, size, flags, scores=drawn, not_scored=missed, precision=Share(right, flags)
            )
        )
    return Group(name, "", tuple(weeks))


def test_weeks_begin_on_mondays_across_the_year() -> None:
    found = weeks_until(dt.date(2027, 1, 3), 3)
    assert found == [dt.date(2026, 12, 14), dt.date(2026, 12, 21), dt.date(2026, 12, 28)]
    assert weeks_until(dt.date(2027, 1, 4), 1) == [dt.date(2027, 1, 4)]
