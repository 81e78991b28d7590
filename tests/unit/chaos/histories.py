"""Histories of a job of two features, made by hand."""

from dataclasses import replace

from orchestrator.jobs.model import ItemState, JobState
from orchestrator.jobs.records import Event, ItemRecord, JobRecord
from protos.v1.results_pb2 import FeatureResult, VariantResult
from tests.chaos.history import History, Watched
from tests.chaos.schedule import Schedule

START = 1_000_000  # milliseconds


def event(at: int, item: str, state: str, stage: str = "", detail: str = "") -> Event:
    """An event `at` milliseconds after the start."""
    return Event(f"{START + at}-0", item, state, stage, 0.1 if stage else 0.0, detail)


def result(feature: int, text: str = "a red circle") -> FeatureResult:
    return FeatureResult(feature=feature, alive=True, variants=[VariantResult(variant="steering", text=text)])


def history() -> History:
    """One in which all is well; item 4 was taken back from a dead worker."""
    events = [
        event(0, "", "queued"),
        event(1, "3", "running"),
        event(2, "", "running"),
        event(3, "4", "running"),
        event(100, "3", "stage", "features"),
        event(200, "3", "stage", "explain"),
        event(210, "4", "stage", "features"),
        event(300, "3", "done"),
        event(2300, "4", "requeued", detail="the lease lapsed"),
        event(2500, "4", "running"),
        event(2600, "4", "stage", "features"),
        event(2700, "4", "done"),
        event(2701, "", "done"),
    ]
    seen = [(one.token, one.item, one.state, one.stage) for one in events if one.item][1:]
    done = ItemState.DONE
    return History(
        schedule=Schedule(1, 0, (3, 4), ()),
        job=JobRecord(
            id="0123456789ab",
            kind="explain",
            state=JobState.DONE,
            request_id="r",
            final="",
            total=2,
            counts={state: 2 if state is done else 0 for state in ItemState},
            outcomes={"steering/ok": 2},
            created=1.0,
            started=1.0,
            finished=4.0,
            error="",
        ),
        items=[ItemRecord("3", done, epoch=1), ItemRecord("4", done, epoch=2, attempts=1)],
        events=events,
        results=[result(3), result(4)],
        expected={3: result(3), 4: result(4), 5: result(5)},
        outcomes={"steering/ok": 2},
        left=[],
        watched=Watched(events[1].token, seen),
        epochs={"3": [0, 1, 1], "4": [0, 1, 2]},
    )


def with_events(events: list[Event]) -> History:
    """With another log, which the watcher saw as well."""
    first = events[0].token
    seen = [(one.token, one.item, one.state, one.stage) for one in events[1:] if one.item]
    return replace(history(), events=events, watched=Watched(first, seen))
