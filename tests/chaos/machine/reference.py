"""What every transition should do, in plain Python. Each script's answer, and the state after it, is held against it.

Counters are not kept but counted, and a queued item of a cancelled job is cancelled: the scripts do both otherwise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Member = str  # "job/item"
ENDED = ("done", "failed", "cancelled")


@dataclass
class Item:
    state: str = "queued"
    epoch: int = 0
    attempts: int = 0
    waits: int = 0
    outcome: str = ""
    artifact: str = ""
    reason: str = ""
    token: str = ""
    told: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Job:
    digest: str
    final: str
    items: dict[str, Item]
    state: str = "queued"
    error: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)
    events: list[tuple[str, str, str, str, str]] = field(default_factory=list)  # item, state, detail, stage, seconds

    def count(self, state: str) -> int:
        return sum(item.state == state for item in self.items.values())

    @property
    def cancelled(self) -> bool:
        return self.state in ("cancelling", "cancelled")

    def tell(self, item: str, state: str, detail: str = "", stage: str = "", seconds: str = "") -> None:
        self.events.append((item, state, detail, stage, seconds))

    def enter(self, state: str) -> None:
        self.state = state
        self.tell("", state)


class Reference:
    """`apply` carries a call out and gives the answer that the script must give."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.requests: dict[str, str] = {}
        self.outbox: dict[Member, float] = {}
        self.published: dict[Member, float] = {}
        self.leases: dict[Member, float] = {}
        self.elected: dict[str, tuple[str, float]] = {}
        self.queue: list[str] = []
        self.workers: dict[str, tuple[str, float]] = {}
        self.now = 0.0

    def apply(self, name: str, now: float, *arguments: Any) -> Any:
        self.now = now
        return getattr(self, name)(*arguments)

    # The queue, as far as `rescue` looks at it.

    def push(self, message: str) -> None:
        self.queue.append(message)

    def pop(self) -> str | None:
        return self.queue.pop(0) if self.queue else None

    # The transitions, named as the scripts.

    def submit(
        self,
        job: str,
        request: str,
        digest: str,
        kind: str,
        final: str,
        kept: int,
        plan: str,
        spec: bytes,
        trace: str,
        *items: str,
    ) -> Any:
        if request in self.requests:
            return [self.requests[request], self.jobs[self.requests[request]].digest]
        self.requests[request] = job
        names = [*items, final] if final else list(items)
        made = self.jobs[job] = Job(digest, final, {name: Item() for name in names})
        made.tell("", "queued")
        for behind, item in enumerate(reversed(items)):
            self.outbox[f"{job}/{item}"] = self.now - behind / 1_000_000
        return [job, digest]

    def restore(self, job: str, request: str, digest: str, _kind: str, state: str, *rest: Any) -> Any:
        if job in self.jobs:
            return 0
        self.requests.setdefault(request, job)
        count, outcomes, *given = rest[5:]
        fields = [given[5 * i : 5 * i + 5] for i in range(count)]
        made = self.jobs[job] = Job(digest, "", {name: Item() for name, *_ in fields})
        for name, ended, outcome, artifact, reason in fields:
            found = made.items[name]
            found.state, found.outcome, found.artifact, found.reason = ended, outcome, artifact, reason
        counts = given[5 * count : 5 * count + 2 * outcomes]
        made.outcomes.update(dict(zip(counts[::2], counts[1::2], strict=True)))
        made.enter(state)
        return 1

    def take(self, limit: int, hide: float) -> Any:
        ticket = f"{self.now + hide:.6f}"
        taken = [ticket]
        for member in self._first(self.outbox, self.now, limit):
            job, item = self._find(member)
            if item.state == "queued" and not job.cancelled:
                self.outbox[member] = float(ticket)
                taken.append(member)
            else:
                del self.outbox[member]
        return taken

    def ack(self, ticket: str, *members: Member) -> Any:
        ours = [member for member in members if self.outbox.get(member) == float(ticket)]
        for member in ours:
            del self.outbox[member]
            self.published[member] = self.now
        return len(ours)

    def claim(self, job: str, item: str, lease: float, token: str) -> Any:
        if job not in self.jobs or item not in self.jobs[job].items:
            return "unknown"
        member, owner, found = f"{job}/{item}", self.jobs[job], self.jobs[job].items[item]
        if found.state != "running" or found.token != token:
            if found.state != "queued":
                return found.state
            if item == owner.final and owner.count("queued") + owner.count("running") > 1:
                return "early"
            found.state, found.epoch, found.token = "running", found.epoch + 1, token
            self.outbox.pop(member, None)
            self.published.pop(member, None)
            if owner.state == "queued":
                owner.enter("running")
            owner.tell(item, "running")
        self.leases[member] = self.now + lease
        return [found.epoch, found.attempts, found.waits]

    def renew(self, lease: float, *fences: str) -> Any:
        answers = []
        for job, item, fence in zip(fences[::3], fences[1::3], fences[2::3], strict=True):
            held = self.holds(job, item, fence)
            if held:
                self.leases[f"{job}/{item}"] = self.now + lease
            answers.append("fenced" if not held else "cancelling" if self.jobs[job].cancelled else "held")
        return answers

    def stage(self, job: str, item: str, fence: str, stage: str, seconds: str) -> Any:
        if not self.holds(job, item, fence):
            return 0
        found = self.jobs[job].items[item]
        if (stage, seconds) not in found.told:
            found.told.add((stage, seconds))
            self.jobs[job].tell(item, "stage", "", stage, seconds)
        return 1

    def commit(self, job: str, item: str, fence: str, outcome: str, artifact: str, *counts: Any) -> Any:
        if not self.holds(job, item, fence):
            return 0
        found = self.jobs[job].items[item]
        found.outcome, found.artifact = outcome, artifact
        self.jobs[job].outcomes.update(dict(zip(counts[::2], counts[1::2], strict=True)))
        self._end(job, item, "done", outcome)
        return 1

    def release(self, job: str, item: str, fence: str, delay: float, waited: int, detail: str) -> Any:
        if not self.holds(job, item, fence):
            return 0
        self.jobs[job].items[item].waits += waited
        self._requeue(job, item, delay, detail)
        return 1

    def fail(self, job: str, item: str, fence: str, reason: str, most: int, delay: float) -> Any:
        if not self.holds(job, item, fence):
            return 0
        if most:
            return 2 if self._count_attempt(job, item, most, delay, reason) else 1
        self._fail(job, item, reason)
        return 1

    def cancel(self, job: str) -> Any:
        if job not in self.jobs:
            return None
        owner = self.jobs[job]
        if owner.state in ("queued", "running"):
            for item in owner.items.values():
                if item.state == "queued":
                    item.state = "cancelled"
            owner.enter("cancelling" if owner.count("running") else "cancelled")
        return owner.state

    def sweep(self, limit: int, most: int) -> Any:
        poisoned, lapsed = 0, self._first(self.leases, self.now, limit)
        for member in lapsed:
            job, _, item = member.partition("/")
            poisoned += self._count_attempt(job, item, most, 0, "the lease lapsed")
        return [len(lapsed), poisoned]

    def rescue(self, queue: str, old: float, limit: int) -> Any:
        if self.queue:
            return 0
        lost = self._first(self.published, self.now - old, limit)
        for member in lost:
            del self.published[member]
            self.outbox.setdefault(member, self.now)
        return len(lost)

    def elect(self, chore: str, who: str, milliseconds: int) -> Any:
        holder, until = self.elected.get(chore, ("", 0.0))
        if holder not in ("", who) and self.now < until:
            return 0
        self.elected[chore] = (who, self.now + milliseconds / 1000)
        return 1

    def beat(self, worker: str, seconds: float, told: str) -> Any:
        self.workers.pop(worker, None)
        if seconds:
            self.workers[worker] = (told, self.now + seconds)
        return 1

    def overview(self) -> Any:
        """As long as nothing has failed for good."""
        overdue = max(0.0, self.now - min(self.outbox.values())) if self.outbox else 0
        workers = [told for told, until in self.workers.values() if until >= self.now]
        active = [
            [job, "explain", made.final, str(made.count("queued")), str(made.count("running"))]
            for job, made in self.jobs.items()
            if made.state not in ("done", "cancelled")
        ]
        return [f"{self.now:.14g}", len(self.outbox), f"{overdue:.14g}", len(self.published), workers, active, []]

    # What they share.

    def holds(self, job: str, item: str, fence: str) -> bool:
        """Whether this fence is the one live claim of the item."""
        found = self.jobs[job].items.get(item) if job in self.jobs else None
        return found is not None and found.state == "running" and fence == f"{found.epoch}.{found.token}"

    def _find(self, member: Member) -> tuple[Job, Item]:
        job, _, item = member.partition("/")
        return self.jobs[job], self.jobs[job].items[item]

    @staticmethod
    def _first(zset: dict[Member, float], until: float, limit: int) -> list[Member]:
        ordered = sorted((score, member) for member, score in zset.items())
        return [member for score, member in ordered if score <= until][:limit]

    def _let_go(self, job: str, item: str) -> Item:
        found = self.jobs[job].items[item]
        found.token, found.told = "", set()
        del self.leases[f"{job}/{item}"]
        return found

    def _end(self, job: str, item: str, state: str, detail: str) -> None:
        owner = self.jobs[job]
        self._let_go(job, item).state = state
        owner.tell(item, state, detail)
        if state == "failed" and item == owner.final:
            owner.error = f"{item}: {detail}"
        queued, running = owner.count("queued"), owner.count("running")
        if not running and owner.cancelled:
            owner.enter("cancelled")
        elif not running and not queued:
            owner.enter("done")
        elif not running and owner.final and queued == 1:
            self.outbox[f"{job}/{owner.final}"] = self.now

    def _requeue(self, job: str, item: str, delay: float, detail: str) -> None:
        if self.jobs[job].cancelled:
            return self._end(job, item, "cancelled", detail)
        self._let_go(job, item).state = "queued"
        self.outbox[f"{job}/{item}"] = self.now + delay
        self.jobs[job].tell(item, "requeued", detail)
        return None

    def _fail(self, job: str, item: str, reason: str) -> None:
        found = self.jobs[job].items[item]
        found.outcome, found.reason = "failed", reason
        self._end(job, item, "failed", reason)

    def _count_attempt(self, job: str, item: str, most: int, delay: float, reason: str) -> bool:
        """Whether it was the last one."""
        found = self.jobs[job].items[item]
        found.attempts += 1
        if self.jobs[job].cancelled or found.attempts < most:
            self._requeue(job, item, delay, reason)
            return False
        self._fail(job, item, f"poison: {found.attempts} attempts, the last: {reason}")
        return True
