"""The events of a job: a snapshot and where to go on from, then everything after it, or word of a gap."""

from __future__ import annotations

import re

from orchestrator.jobs.database import Database
from orchestrator.jobs.records import Event, JobRecord

_TOKEN = re.compile(r"\d{1,20}-\d{1,20}")
_LIMIT = 500


def is_token(text: str) -> bool:
    """Whether it looks like a resume token."""
    return _TOKEN.fullmatch(text) is not None


class EventLog:
    """Reads the streams that the transitions write."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def snapshot(self, job: str) -> tuple[JobRecord, str]:
        """The job, and the token of its last event: what `after` gives then is all that the record lacks.

        Raises UnknownJobError.
        """
        keys = self.database.keys
        fields, last = self.database.read_all(
            [("HGETALL", keys.job(job)), ("XREVRANGE", keys.events(job), "+", "-", "COUNT", 1)]
        )
        return JobRecord.parse(job, fields), last[0][0].decode() if last else ""

    def after(self, job: str, token: str) -> list[Event] | None:
        """The next events after the one of the token, oldest first; None if that one is trimmed away (a gap)."""
        key = self.database.keys.events(job)
        there, entries = self.database.read_all(
            [("XRANGE", key, token, token), ("XRANGE", key, f"({token}", "+", "COUNT", _LIMIT)]
        )
        return [Event.parse(token, fields) for token, fields in entries] if there else None

    def wait(self, job: str, token: str, seconds: float) -> None:
        """Return when there is an event after the token, or after `seconds`."""
        key = self.database.keys.events(job)
        self.database.read("XREAD", "COUNT", 1, "BLOCK", max(1, round(seconds * 1000)), "STREAMS", key, token)
