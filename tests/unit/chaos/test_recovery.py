"""Recovery times, from logs made by hand."""

from tests.chaos.history import Struck
from tests.chaos.recovery import after_redis, after_worker_kills
from tests.chaos.schedule import Fault, Kind, When
from tests.unit.chaos.histories import START, event, history


def struck(at: int, kind: Kind = Kind.KILL, target: str = "worker-1") -> Struck:
    return Struck(Fault(kind, target, When()), (START + at) / 1000)


def test_from_the_kill_to_the_next_claim():
    (seconds,) = after_worker_kills(history().events, [struck(500)])
    assert round(seconds, 3) == 2.0


def test_the_slowest_item_counts():
    events = [event(5, "5", "running"), event(2300, "5", "requeued", detail="the lease lapsed")]
    log = sorted([*history().events, *events, event(4500, "5", "running")], key=lambda one: int(one.token[:-2]))
    (seconds,) = after_worker_kills(log, [struck(500)])
    assert round(seconds, 3) == 4.0


def test_a_kill_that_cost_no_lease_has_no_recovery():
    assert after_worker_kills(history().events, [struck(2400), struck(0), struck(500, Kind.KILL, "api")]) == []


def test_the_first_disturbance_since_the_claim_is_to_blame():
    assert after_worker_kills(history().events, [struck(400, Kind.FREEZE), struck(500)]) == []
    (seconds,) = after_worker_kills(history().events, [struck(500), struck(800)])
    assert round(seconds, 3) == 2.0


def test_from_the_return_of_redis_to_the_next_event():
    gone, back = (START + 1000) / 1000, (START + 2000) / 1000
    (seconds,) = after_redis(history().events, [(gone, back)])
    assert round(seconds, 3) == 0.3
    assert after_redis(history().events, [(gone + 9, back + 9)]) == []
