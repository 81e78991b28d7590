"""The figures that the load tools draw from what they saw."""

import grpc
import pytest

from tests.load.arrivals import Answer, poisson
from tests.load.knee import at_twice, summarize
from tests.load.scale import Figures
from tests.load.soak import Series

OK, LATE = grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED
FULL, BROKEN = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL


def test_arrivals_are_those_of_the_seed_in_order_and_of_about_the_rate():
    times = poisson(50, 100, seed=1)
    assert times == poisson(50, 100, seed=1) != poisson(50, 100, seed=2)
    assert times == sorted(times) and times[0] > 0 and times[-1] < 100
    assert 4700 < len(times) < 5300


def test_a_point_counts_answers_in_time_and_names_the_rest():
    answers = [Answer(1 + i / 10, 1.2 + i / 10, OK) for i in range(6)]
    answers += [
        Answer(2, 3, LATE),
        Answer(2, 2.01, FULL),
        Answer(2, 2.01, FULL),
        Answer(2, 2, grpc.StatusCode.INTERNAL),
    ]
    point = summarize(1.0, 10.0, answers, seconds=2)
    assert point.goodput == 3 and point.p50 == pytest.approx(0.2)
    assert (point.refused, point.expired, point.other) == (0.2, 0.1, 0.1)


def test_goodput_at_twice_the_capacity_is_a_share_of_the_peak():
    points = [summarize(share, 0, [Answer(0, 1, OK)] * count, 1) for share, count in ((1.0, 8), (1.5, 10), (2.0, 9))]
    assert at_twice(points) == 0.9


def test_a_slope_is_per_minute_and_leaves_the_warm_up_out():
    minutes = [i / 2 for i in range(41)]
    megabytes = [100 + 50 * min(at, 5) + 0.5 * at for at in minutes]
    series = Series(minutes, megabytes, [20] * 20 + [27] * 21)
    assert series.after(5).slope() == pytest.approx(0.5) and series.slope() > 5
    assert series.gathered() == 7 and series.after(11).gathered() == 0


def test_scale_says_which_figures_were_missed():
    good = Figures(10, 400, rate={1: 1.0, 8: 7.6}, bytes_per_feature={"done": 9000.0}, removal_failed=0)
    assert good.missed(8) == Figures(10, 400).missed(8) == []
    bad = Figures(10, 400, rate={1: 1.0, 8: 7.4}, bytes_per_feature={"done": 21_000.0}, removal_failed=2)
    assert [what.split(" ")[0] for what in bad.missed(8)] == ["8", "2", "21000"]
