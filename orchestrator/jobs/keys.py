"""Names of the keys in Redis, as the Lua scripts build them (`scripts/common.lua`)."""

from __future__ import annotations

from dataclasses import dataclass

# The one Celery queue; kombu keeps it as a list of this name behind the prefix.
QUEUE = "tasks"


@dataclass(frozen=True)
class Keys:
    """Keys of one deployment; `prefix` comes before all of them."""

    prefix: str

    @property
    def jobs(self) -> str:
        """zset: job id → time of its submission."""
        return f"{self.prefix}jobs"

    @property
    def requests(self) -> str:
        """hash: request id → job id."""
        return f"{self.prefix}requests"

    @property
    def queue(self) -> str:
        """list: Celery's messages."""
        return f"{self.prefix}{QUEUE}"

    def job(self, job: str) -> str:
        """hash: state, counters (`n:<state>`, `o:<outcome>`) and times of a job."""
        return f"{self.prefix}job:{job}"

    def plan(self, job: str) -> str:
        """string: the plan, JSON."""
        return f"{self.job(job)}:plan"

    def spec(self, job: str) -> str:
        """string: the request as it came."""
        return f"{self.job(job)}:spec"

    def items(self, job: str) -> str:
        """list: the items in the order of their submission, without the final one."""
        return f"{self.job(job)}:items"

    def events(self, job: str) -> str:
        """stream: what happened, oldest first, trimmed."""
        return f"{self.job(job)}:events"

    def item(self, job: str, item: str) -> str:
        """hash: state, epoch, attempts, waits, outcome, artifact, reason; token and reported stages of its claim."""
        return f"{self.prefix}item:{job}:{item}"
