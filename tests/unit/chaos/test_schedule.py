"""Schedules are decided by their seed, stay within bounds, and all kinds of faults come up."""

from collections import Counter

from tests.chaos.pace import DEFAULT, QUICK
from tests.chaos.schedule import FEATURES, STAGES, Kind, draw

DRAWN = [draw(seed, QUICK, 2) for seed in range(300)]


def test_a_seed_gives_the_same_schedule_again():
    assert [draw(seed, QUICK, 2) for seed in range(20)] == DRAWN[:20]
    assert len(set(DRAWN)) == len(DRAWN)


def test_schedules_stay_within_bounds():
    for schedule in DRAWN:
        assert 12 <= len(schedule.features) <= 24
        assert len(set(schedule.features)) == len(schedule.features)
        assert set(schedule.features) <= set(range(FEATURES))
        assert 3 <= len(schedule.faults) <= 6
        assert all(0 <= fault.seconds <= 8 and 0 <= fault.when.seconds <= 4 for fault in schedule.faults)


def test_a_frozen_worker_sleeps_past_its_lease():
    faults = [fault for schedule in DRAWN for fault in schedule.faults]
    naps = [one.seconds for one in faults if one.kind is Kind.FREEZE and one.target.startswith("worker")]
    assert naps and min(naps) > QUICK.lease


def test_the_default_leases_meet_kills_only():
    faults = [fault for seed in range(50) for fault in draw(seed, DEFAULT, 2).faults]
    assert {(fault.kind, fault.target) for fault in faults} == {
        (Kind.KILL, "worker-1"),
        (Kind.KILL, "worker-2"),
        (Kind.KILL, "redis"),
    }


def test_every_kind_of_fault_strikes_at_stages_and_at_any_time():
    faults = [fault for schedule in DRAWN for fault in schedule.faults]
    assert {fault.kind for fault in faults} == set(Kind)
    for kind in (Kind.KILL, Kind.TERM, Kind.FREEZE):
        targets = Counter(fault.target.rstrip("-0123456789") for fault in faults if fault.kind is kind)
        assert {"worker", "vlm", "clip", "api", "redis"} <= set(targets)
    assert set(STAGES) <= {fault.when.event for fault in faults}
    assert 0.25 < sum(not fault.when.event for fault in faults) / len(faults) < 0.75
