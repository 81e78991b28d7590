"""The oracle finds what it is there to find, each by its name; and nothing where all is well."""

from dataclasses import replace

import pytest

from orchestrator.jobs.model import ItemState, JobState
from orchestrator.jobs.records import ItemRecord
from tests.chaos.history import Watched
from tests.chaos.oracle import findings
from tests.unit.chaos.histories import event, history, result, with_events


def only(found: list[str]) -> str:
    (finding,) = found
    return finding


def test_nothing_where_all_is_well():
    assert findings(history()) == []


def test_a_feature_without_a_result_is_lost():
    assert only(findings(replace(history(), results=[result(3)]))) == "lost: feature 4 has 0 results"


def test_a_feature_with_two_results_is_doubled():
    found = findings(replace(history(), results=[result(3), result(4), result(4)]))
    assert found == ["doubled: feature 4 has 2 results"]


def test_a_result_that_differs_names_the_fields():
    found = only(findings(replace(history(), results=[result(3), result(4, "a blue circle")])))
    assert found.startswith("differs: feature 4 in variants:")


@pytest.mark.parametrize("state", [ItemState.FAILED, ItemState.QUEUED, ItemState.RUNNING])
def test_an_item_that_is_not_done_is_lost(state):
    items = [ItemRecord("3", ItemState.DONE, epoch=1), ItemRecord("4", state, epoch=2, reason="poison")]
    found = findings(replace(history(), items=items))
    assert f"lost: item 4 ended as {state.value}: poison" in found
    assert any(finding.startswith("counter:") for finding in found)


def test_an_item_that_is_missing_is_lost():
    assert "lost: item 4 is not in the job" in findings(replace(history(), items=history().items[:1]))


def test_a_job_that_is_not_done_is_found():
    job = replace(history().job, state=JobState.RUNNING)
    assert only(findings(replace(history(), job=job))) == "job 0123456789ab ended as running"


@pytest.mark.parametrize(
    ("inserted", "expected"),
    [
        (event(2650, "3", "done"), "log: item 3 is done after done"),
        (event(2650, "3", "running"), "log: item 3 is running after done"),
        (event(150, "3", "running"), "log: item 3 is running after stage"),
        (event(150, "3", "failed", detail="poison"), "log: item 3 is failed after stage"),
        (event(2400, "4", "stage", "score"), "log: item 4 is stage after requeued"),
        (event(250, "3", "stage", "features"), "log: item 3 reports features after explain"),
        (event(150, "9", "running"), "log: there are events of '9'"),
    ],
)
def test_an_event_that_may_not_be_there(inserted, expected):
    events = sorted([*history().events, inserted], key=lambda one: int(one.token[:-2]))
    assert any(finding.startswith(expected) for finding in findings(with_events(events)))


def test_an_item_without_an_end_in_the_log():
    events = [one for one in history().events if (one.item, one.state) != ("3", "done")]
    assert only(findings(with_events(events))) == "log: item 3 ends as stage"


def test_a_log_that_goes_back_in_time():
    events = list(history().events)
    events[4], events[5] = events[5], events[4]
    assert any(
        finding.startswith("log: event 1000100-0 comes after 1000200-0") for finding in findings(with_events(events))
    )


def test_an_epoch_without_a_claim():
    items = [history().items[0], replace(history().items[1], epoch=3)]
    assert only(findings(replace(history(), items=items))) == "epoch: item 4 is at 3 after 2 claims"


def test_an_epoch_that_falls():
    fallen = replace(history(), epochs={"4": [2, 1]})
    assert only(findings(fallen)) == "epoch: item 4 went through [2, 1]"
    assert findings(replace(fallen, redis_killed=True)) == []


@pytest.mark.parametrize("change", [{"counts": dict.fromkeys(ItemState, 1)}, {"total": 3}, {"outcomes": {}}])
def test_a_counter_that_does_not_count_what_is_there(change):
    found = findings(replace(history(), job=replace(history().job, **change)))
    assert found and all(finding.startswith("counter:") for finding in found)


def test_a_lease_that_is_left():
    assert findings(replace(history(), left=["leases: 0123456789ab/4"])) == ["left: leases: 0123456789ab/4"]


def test_a_watcher_that_missed_an_event():
    watched = Watched(history().watched.first, history().watched.events[1:])
    found = replace(history(), watched=watched)
    assert only(findings(found)).startswith("watch: 1 events were not seen")
    assert findings(replace(found, redis_killed=True)) == []


def test_a_watcher_that_saw_an_event_twice():
    events = [*history().watched.events[:3], history().watched.events[2], *history().watched.events[3:]]
    assert only(findings(replace(history(), watched=Watched(history().watched.first, events)))).startswith(
        "watch: event"
    )


def test_a_watch_that_broke():
    watched = replace(history().watched, error="INTERNAL: surprise")
    assert findings(replace(history(), watched=watched)) == ["watch: INTERNAL: surprise"]
