"""One schedule on a deployment: submit its job, let its faults strike, wait for the end, gather what happened."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from orchestrator.client import UnavailableError
from orchestrator.jobs.database import Database
from orchestrator.jobs.model import JobState
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import Event, JobRecord, UnknownJobError
from orchestrator.pipeline.results import count_outcomes, without_timings
from tests.chaos import faults, recovery
from tests.chaos.deployment import START_SECONDS, Deployment, until
from tests.chaos.history import History, Struck
from tests.chaos.oracle import findings
from tests.chaos.schedule import Kind, Schedule
from tests.chaos.trace import Trace
from tests.chaos.watching import Watcher
from tests.chaos.world import Results, forget_stages, spec_of

Answer = TypeVar("Answer")
_END_SECONDS = 240.0  # for a job that would take three seconds
_LOOK_SECONDS = 0.1
_SETTLE_SECONDS = 0.3  # for what was frozen, to do the harm that it must not do
_WATCH_SECONDS = 30.0  # for a watch to end after its job
_REQUEST = "chaos-{seed}-{at:.6f}"
_LOST_WITH_REDIS = 2.5  # seconds before its death whose acknowledged writes Redis may lose (appendfsync everysec)


@dataclass
class Outcome:
    """What a schedule came to."""

    schedule: Schedule
    findings: list[str]
    struck: list[Struck]
    seconds: float = 0.0
    worker_recoveries: list[float] = field(default_factory=list)
    redis_recoveries: list[float] = field(default_factory=list)
    silent_workers: int = 0


class Run:
    """One schedule. `expected` are the undisturbed results of its spec; `stop` ends it in its midst."""

    def __init__(self, schedule: Schedule, deployment: Deployment, expected: Results, stop: threading.Event) -> None:
        self._stop = stop
        self._schedule, self._deployment, self._expected = schedule, deployment, expected
        self._database = Database.connect(deployment.stack.settings)
        self._reader = JobReader(self._database)
        self._client = deployment.client()
        self._struck = [Struck(fault) for fault in schedule.faults]
        self._over = threading.Event()
        self._broken: list[str] = []
        self._redis_away: list[tuple[float, float]] = []  # (gone, back)
        self._epochs: dict[str, list[int]] = defaultdict(list)

    def carry_out(self) -> Outcome:
        """Do it all. Whatever goes wrong is a finding."""
        started = time.monotonic()
        forget_stages(self._deployment)
        trace = Trace(self._database)
        threads = [threading.Thread(target=self._strike, args=(one, trace), daemon=True) for one in self._struck]
        outcome = Outcome(self._schedule, [], self._struck)
        try:
            for thread in threads:
                thread.start()
            history = self._history(trace, threads)
            outcome.findings = findings(history) + self._broken
            outcome.worker_recoveries = recovery.after_worker_kills(history.events, self._struck)
            outcome.redis_recoveries = recovery.after_redis(history.events, self._redis_away)
        except Exception as error:
            outcome.findings = [f"{type(error).__name__}: {error}"]
        finally:
            self._over.set()
            trace.close()
            for thread in threads:
                thread.join()
            self._client.close()
            self._database.close()
        outcome.seconds = time.monotonic() - started
        return outcome

    def _history(self, trace: Trace, threads: Sequence[threading.Thread]) -> History:
        job, watcher = self._through(trace)
        self._over.set()
        for thread in threads:
            thread.join()
        self._deployment.await_whole()
        time.sleep(_SETTLE_SECONDS)
        self._await_end(job)  # again: a Redis that was killed in the last moment may have forgotten it
        results = self._patiently(lambda: list(self._client.results(job)))
        counts: Counter[str] = Counter()
        for result in results:
            counts.update(count_outcomes(result))
        return History(
            schedule=self._schedule,
            job=self._reader.job(job),
            items=list(self._reader.items(job)),
            events=self._log(job),
            results=[without_timings(result) for result in results],
            expected=self._expected,
            outcomes=counts,
            left=self._left(job),
            watched=watcher.seen(_WATCH_SECONDS),
            redis_killed=self._redis_killed() > 0,
            epochs=self._epochs,
        )

    def _through(self, trace: Trace) -> tuple[str, Watcher]:
        """Submit, and wait for the job's end. A job that Redis lost with its last moment is submitted again."""
        request = _REQUEST.format(seed=self._schedule.seed, at=time.time())
        while True:
            job = self._submit(request)
            submitted = time.time()
            trace.follow(job)
            watcher = Watcher(self._client, job)
            try:
                self._await_end(job)
                return job, watcher
            except UnknownJobError:
                if self._redis_killed() < submitted or self._redis_killed() > submitted + _LOST_WITH_REDIS:
                    raise

    def _submit(self, request: str) -> str:
        spec = spec_of(self._schedule.spec, self._schedule.features)
        return self._patiently(lambda: self._client.submit(spec, request_id=request)).id

    @staticmethod
    def _patiently(call: Callable[[], Answer]) -> Answer:
        """As a careful client does: the same call until it is answered."""
        give_up = time.monotonic() + _END_SECONDS
        while True:
            try:
                return call()
            except UnavailableError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(_LOOK_SECONDS)

    def _await_end(self, job: str) -> None:
        def ended() -> bool:
            if self._stop.is_set():
                return True
            record = self._reader.job(job)
            for item in self._reader.items(job):
                self._epochs[item.item].append(item.epoch)
            return record.state in (JobState.DONE, JobState.CANCELLED)

        until(ended, _END_SECONDS, lambda: f"lost: the job is stuck: {self._state(self._reader.job(job))}")

    def _state(self, record: JobRecord) -> str:
        items = [item for item in self._reader.items(record.id) if not item.state.final]
        return f"{record.state.value}, {items}, {self._left(record.id)}"

    def _log(self, job: str) -> list[Event]:
        entries = self._database.read("XRANGE", self._database.keys.events(job), "-", "+")
        return [Event.parse(token, fields) for token, fields in entries]

    def _left(self, job: str) -> list[str]:
        names = ("leases", "outbox", "published")
        found = self._database.read_all([("ZRANGE", self._database.keys.prefix + name, 0, -1) for name in names])
        members = [(name, member.decode()) for name, entries in zip(names, found, strict=True) for member in entries]
        return [f"{name}: {member}" for name, member in members if member.startswith(f"{job}/")]

    def _redis_killed(self) -> float:
        """When Redis was last killed; 0 if it never was."""
        kills = (one for one in self._struck if (one.fault.kind, one.fault.target) == (Kind.KILL, "redis"))
        return max((one.at for one in kills), default=0.0)

    def _strike(self, one: Struck, trace: Trace) -> None:
        """Wait for the fault's moment, then let it strike."""
        if not trace.wait(one.fault.when, self._over):
            return
        one.at = time.time()
        try:
            one.note = faults.strike(one.fault, self._deployment, self._over)
            self._note_absence(one)
        except faults.MISSED as error:
            one.at, one.note = 0.0, f"{type(error).__name__}: {error}"
        except Exception as error:
            self._broken.append(f"the suite failed to strike ({one.fault}): {type(error).__name__}: {error}")

    def _note_absence(self, one: Struck) -> None:
        """When Redis was away, if this was what the fault did."""
        if one.fault.target != "redis":
            return
        if one.fault.kind in (Kind.KILL, Kind.TERM):
            until(lambda: self._deployment.redis_back > one.at, START_SECONDS, lambda: "Redis did not come back")
            self._redis_away.append((one.at, self._deployment.redis_back))
        elif one.fault.kind in (Kind.FREEZE, Kind.PAUSE):
            self._redis_away.append((one.at, one.at + one.fault.seconds))
