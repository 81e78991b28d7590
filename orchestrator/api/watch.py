"""Watch: a snapshot, then every event from the client's token on; after a gap a snapshot again; at the end one, too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from orchestrator.api.convert import event_message
from orchestrator.jobs.events import EventLog
from orchestrator.jobs.model import JobState
from orchestrator.jobs.records import JobRecord
from protos.v1 import jobs_pb2 as pb

_SLICE_SECONDS = 1.0  # how soon a watcher that is gone, or a drain, is noticed
_FINAL = tuple(state.value for state in JobState if state.final)


class Watch:
    """One watcher of one job. `check` is called between messages and may raise to end it."""

    def __init__(
        self,
        log: EventLog,
        job: str,
        message: Callable[[JobRecord], pb.Job],
        check: Callable[[], None],
        keep_alive_seconds: float,
    ) -> None:
        self._log = log
        self._job = job
        self._message = message
        self._check = check
        self._keep_alive = keep_alive_seconds
        self._sent = time.monotonic()

    def events(self, token: str) -> Iterator[pb.WatchEvent]:
        """From the token ("" for a fresh start) to the job's end. Raises UnknownJobError."""
        record, newest = self._log.snapshot(self._job)
        if not token or (record.state.final and token == newest):
            token = newest
            yield self._snapshot(record, token)
            if record.state.final:
                return
        while True:
            self._check()
            events = self._log.after(self._job, token)
            if events is None:  # a gap
                yield from self.events("")
                return
            for event in events:
                token = event.token
                if not event.item and event.state in _FINAL:
                    yield self._snapshot(*self._log.snapshot(self._job))
                    return
                self._sent = time.monotonic()
                yield event_message(event)
            if not events:
                yield from self._wait(token)

    def _wait(self, token: str) -> Iterator[pb.WatchEvent]:
        """A slice of silence, or the sign of life that is due."""
        left = self._sent + self._keep_alive - time.monotonic()
        if left > 0:
            self._log.wait(self._job, token, min(left, _SLICE_SECONDS))
        else:
            self._sent = time.monotonic()
            yield pb.WatchEvent(resume_token=token, keep_alive=pb.KeepAlive())

    def _snapshot(self, record: JobRecord, token: str) -> pb.WatchEvent:
        self._sent = time.monotonic()
        return pb.WatchEvent(resume_token=token, snapshot=self._message(record))
