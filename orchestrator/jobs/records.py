"""What is read from Redis, as typed records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.jobs.model import ItemState, JobState

Fields = Mapping[bytes, bytes]


class UnknownJobError(LookupError):
    """There is no job of that id."""


class RequestConflictError(ValueError):
    """The request id belongs to another request."""


@dataclass(frozen=True)
class JobRecord:
    """A job as it stands. Times are unix seconds of Redis's clock, 0 for what has not happened."""

    id: str
    kind: str
    state: JobState
    request_id: str
    final: str  # the item that runs alone at the end; "" for none
    total: int
    counts: Mapping[ItemState, int]
    outcomes: Mapping[str, int]
    created: float
    started: float
    finished: float
    error: str
    trace: str = ""  # the span that its items' spans hang on, W3C traceparent
    imported: float = 0.0  # when it was brought here from elsewhere; 0: it ran here

    @classmethod
    def parse(cls, job: str, fields: Fields) -> JobRecord:
        """From the job's hash. Raises UnknownJobError if that is empty."""
        if not fields:
            raise UnknownJobError(job)
        text = {name.decode(): value.decode() for name, value in fields.items()}
        return cls(
            id=job,
            kind=text["kind"],
            state=JobState(text["state"]),
            request_id=text["request"],
            final=text["final"],
            total=int(text["total"]),
            counts={state: int(text[f"n:{state}"]) for state in ItemState},
            outcomes={name[2:]: int(value) for name, value in text.items() if name.startswith("o:")},
            created=float(text["created"]),
            started=float(text.get("started", 0)),
            finished=float(text.get("finished", 0)),
            error=text.get("error", ""),
            trace=text.get("trace", ""),
            imported=float(text.get("imported", 0)),
        )


@dataclass(frozen=True)
class ItemRecord:
    """An item as it stands."""

    item: str
    state: ItemState
    epoch: int = 0
    attempts: int = 0  # tries that died or broke
    waits: int = 0  # times it was given back because what it needs was down
    outcome: str = ""
    artifact: str = ""
    reason: str = ""

    @classmethod
    def parse(cls, item: str, fields: Fields, job: JobState) -> ItemRecord:
        """From the item's hash. Cancelling a job ends its queued items without touching them."""
        text = {name.decode(): value.decode() for name, value in fields.items()}
        state = ItemState(text["state"])
        if state is ItemState.QUEUED and job in (JobState.CANCELLING, JobState.CANCELLED):
            state = ItemState.CANCELLED
        return cls(
            item=item,
            state=state,
            epoch=int(text.get("epoch", 0)),
            attempts=int(text.get("attempts", 0)),
            waits=int(text.get("waits", 0)),
            outcome=text.get("outcome", ""),
            artifact=text.get("artifact", ""),
            reason=text.get("reason", ""),
        )


@dataclass(frozen=True)
class Claim:
    """A worker's hold on an item: good as long as the item's epoch and token are these."""

    job: str
    item: str
    epoch: int
    attempt: int  # 1 for the first
    waits: int
    token: str = ""  # tells it from a claim of the same epoch that a restart of Redis forgot

    @property
    def fence(self) -> str:
        """What every write of this claim carries."""
        return f"{self.epoch}.{self.token}"


@dataclass(frozen=True)
class Event:
    """Something that happened to an item, or to the job itself (item "")."""

    token: str  # where to go on from
    item: str
    state: str  # running, stage, done, failed, cancelled, requeued; of a job: its new state
    stage: str = ""
    seconds: float = 0.0
    detail: str = ""

    @classmethod
    def parse(cls, token: bytes, fields: Fields) -> Event:
        """From an entry of the stream."""
        text = {name.decode(): value.decode() for name, value in fields.items()}
        seconds = float(text["seconds"] or 0)
        return cls(token.decode(), text["item"], text["state"], text["stage"], seconds, text["detail"])


@dataclass(frozen=True)
class Tickets:
    """Outbox entries that a dispatcher has taken; `ticket` tells its own from later ones."""

    ticket: str
    entries: list[tuple[str, str]] = field(default_factory=list)  # (job, item)
