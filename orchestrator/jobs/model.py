"""Words of the job queue: states, what a handler gets and gives, and the two faults that it may raise on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """A job's states; DONE and CANCELLED are final."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (JobState.DONE, JobState.CANCELLED)


class ItemState(StrEnum):
    """An item's states; DONE, FAILED and CANCELLED are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (ItemState.DONE, ItemState.FAILED, ItemState.CANCELLED)


@dataclass(frozen=True)
class ItemContext:
    """What a handler is told about its item. It may be called again for an item whose worker died."""

    job: str
    item: str
    plan: str  # JSON, as submitted
    attempt: int  # 1 for the first
    cancelled: Callable[[], bool]  # job cancelled, lease lost, or the worker draining past its grace
    stage: Callable[[str, float], None]  # report a finished stage and its seconds


@dataclass(frozen=True)
class ItemResult:
    """What a handler made of its item."""

    outcome: str  # ok, dead, failed, …
    artifact: str  # address of the serialized result in the artifact store
    outcomes: Mapping[str, int] = field(default_factory=dict)  # added to the job's: {"steering/ok": 1, …}


Handler = Callable[[ItemContext], ItemResult]


class TransientError(Exception):
    """What the item needs is down: it is queued again after a pause, and the try does not count."""


class CancelledItem(Exception):  # noqa: N818 -- not a fault: the handler obeyed `context.cancelled()`
    """The handler stopped because `context.cancelled()` was true."""


class PermanentError(Exception):
    """This item can never succeed; it fails at once with this reason, and the job goes on."""
