"""The arithmetic with known rates, against hand-made numbers and a simulation of the queue."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.estimate.arithmetic import (
    POOL,
    Range,
    busy_seconds,
    by_service,
    distinct_range,
    item_seconds,
    needs,
    wall_seconds,
)
from orchestrator.estimate.rates import Rate
from orchestrator.estimate.tally import Asked


def rate(model, rows=100, batches=100, compute=10.0, queue=0.0, replicas=1):
    return Rate(model, "v1", batches, rows, batches, queue, compute, replicas)


def test_rehearsed_features_stand_for_all():
    asked = {"generator.generate": Asked(calls=4, rows=12, guessed=6, guessed_calls=2, cached=4)}
    need = needs(asked, 10.0, Range(0.25, 0.5, 1.0))["generator.generate"]
    assert need.rows == Range(75, 90, 120)  # 6 + 6·d, ten times
    assert need.calls == Range(25, 30, 40)
    assert need.cached_share == 0.25


def test_unknown_texts_lie_between_all_alike_and_all_different():
    assert distinct_range(4, 0.6) == Range(0.25, 0.6, 1.0)
    assert distinct_range(4, None) == Range(0.25, 1.0, 1.0)
    assert distinct_range(4, 0.1) == Range(0.25, 0.25, 1.0)
    assert distinct_range(0, 0.5).high == 1.0  # nothing hangs on texts


def test_a_feature_waits_for_its_stages_one_after_another():
    rates = {
        "sae.features": rate("sae.features"),  # 0.1 s a call each
        "vlm.explain": rate("vlm.explain", compute=50.0),  # 0.5
        "generator.generate": rate("generator.generate", compute=100.0),  # 1.0
        "sae.maps": rate("sae.maps", compute=20.0),  # 0.2
        "segmenter.segment": rate("segmenter.segment", compute=150.0),  # 1.5
    }
    asked = {name: Asked(calls=1, rows=1) for name in rates}
    whole = item_seconds(needs(asked, 1.0, Range(1, 1, 1)), rates, 1, worker=0.05)
    assert whole.likely == pytest.approx(0.05 + 0.1 + 0.5 + max(1.0 + 0.2, 1.5))
    many = {name: Asked(calls=40, rows=40) if name == "generator.generate" else one for name, one in asked.items()}
    whole = item_seconds(needs(many, 1.0, Range(1, 1, 1)), rates, 1, worker=0.05)
    assert whole.likely == pytest.approx(0.05 + 0.1 + 0.5 + (40 * 1.0 + 0.2 + 1.5) / POOL)


def test_models_of_a_service_share_its_replicas():
    rates = {"sae.maps": rate("sae.maps", replicas=2), "sae.features": rate("sae.features", replicas=2)}
    asked = {"sae.maps": Asked(calls=10, rows=30), "sae.features": Asked(calls=10, rows=10)}
    busy = busy_seconds(needs(asked, 1.0, Range(1, 1, 1)), rates)
    assert busy["sae.maps"].likely == pytest.approx(3.0)
    (service,) = by_service(busy, rates)
    assert service.likely == pytest.approx((3.0 + 1.0) / 2)


def test_the_slowest_service_or_the_loop_decides():
    item = Range(1.0, 2.0, 3.0)
    assert wall_seconds(item, 100, 10, [Range(1, 5, 6)]).likely == 20.0
    assert wall_seconds(item, 100, 10, [Range(1, 50, 60)]).likely == 50.0
    assert wall_seconds(item, 1, 10, []).likely == 2.0  # not before one item is done


@given(
    item=st.tuples(*[st.floats(0.01, 100)] * 3).map(lambda three: Range(*sorted(three))),
    items=st.integers(1, 10_000),
    threads=st.integers(1, 64),
    services=st.lists(st.tuples(*[st.floats(0, 1e4)] * 3).map(lambda three: Range(*sorted(three))), max_size=5),
)
def test_low_likely_and_high_are_in_order_and_more_threads_never_take_longer(item, items, threads, services):
    found = wall_seconds(item, items, threads, services)
    assert 0 <= found.low <= found.likely <= found.high
    assert wall_seconds(item, items, threads + 1, services).likely <= found.likely


@pytest.mark.parametrize(("items", "threads", "latency"), [(200, 8, 0.3), (50, 4, 1.0), (400, 32, 0.05)])
def test_little_s_law_against_a_queue_played_event_by_event(items, threads, latency):
    """Two services after one another, each with one replica, one row at a time, latencies drawn around a mean."""
    rng = random.Random(items)
    free, clock = [0.0, 0.0], 0.0
    waits, compute = [0.0, 0.0], [0.0, 0.0]
    events = [(0.0, i, 0) for i in range(threads)]
    started = threads
    heapq.heapify(events)
    while events:
        clock, who, stage = heapq.heappop(events)
        if stage < 2:
            seconds = latency * rng.uniform(0.5, 1.5) * (1 + stage) / 2
            begin = max(clock, free[stage])
            waits[stage] += begin - clock
            compute[stage] += seconds
            free[stage] = begin + seconds
            heapq.heappush(events, (free[stage], who, stage + 1))
        elif started < items:
            heapq.heappush(events, (clock, started, 0))
            started += 1
    rates = {
        name: Rate(name, "v1", items, items, items, waits[i], compute[i], 1)
        for i, name in enumerate(("sae.features", "vlm.explain"))
    }
    need = needs({name: Asked(calls=1, rows=1) for name in rates}, items, Range(1, 1, 1))
    item = item_seconds(need, rates, items, worker=0.0)
    told = wall_seconds(item, items, threads, by_service(busy_seconds(need, rates), rates))
    assert told.likely == pytest.approx(clock, rel=0.3)
    assert told.low <= clock * 1.01 and told.high >= clock * 0.99
