"""The whole orchestrator on real processes, beside the session's model services: Redis, oracles, a worker, the API."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from orchestrator.analysis.judge import Judge, load_judge
from orchestrator.client import JobsClient
from orchestrator.local.images import SETS, prepare_images
from orchestrator.local.stack import Stack
from orchestrator.local.supervisor import Supervisor
from protos.v1.jobs_pb2 import DONE, IndexSpec, Job
from protos.v1.results_pb2 import FeatureResult
from tests.services import ServiceProcess

IMAGES_PER_SET = 400
# A dead worker's items come back within seconds instead of half a minute.
QUICK_LEASES = {"LEASE_SECONDS": "4", "LEASE_RENEW_SECONDS": "1", "SWEEP_SECONDS": "1", "OUTBOX_STALE_SECONDS": "2"}


class RunningStack:
    """A started stack with a client of its API and its image sets indexed."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.stack = supervisor.stack
        self.client = JobsClient(self.stack.addresses.api)

    @cached_property
    def judge(self) -> Judge:
        judge = load_judge(self.stack.profile.section("judge"))
        assert judge is not None
        return judge

    def index_all(self) -> None:
        """Index the image sets that came with the profile."""
        for name in SETS:
            assert self.index(name, self.stack.images / name).state == DONE

    def index(self, name: str, folder: Path) -> Job:
        return self.finish(self.client.submit(index=IndexSpec(images=str(folder), name=name)))

    def finish(self, job: Job) -> Job:
        """The job at its end."""
        return finish(self.client, job)

    def results(self, job: Job) -> list[FeatureResult]:
        return list(self.client.results(job.id))

    def kill(self, name: str) -> None:
        """SIGKILL to a part and everything it started."""
        pid = self.supervisor.process(name).pid
        assert pid is not None
        os.killpg(pid, signal.SIGKILL)
        self.supervisor.process(name).wait(10)


def finish(client: JobsClient, job: Job) -> Job:
    """Watch a job to its end; how it ended."""
    for event in client.watch(job.id):
        if event.HasField("snapshot") and event.snapshot.state == DONE:
            return event.snapshot
    return client.get(job.id)


@contextmanager
def running_stack(home: Path, services: dict[str, ServiceProcess]) -> Iterator[RunningStack]:
    """Start it (the services run already), draw and index two small image sets; stop it at the end."""
    elsewhere = {name: f"dns:///{service.target}" for name, service in services.items()}
    stack = Stack("microworld", home, None, concurrency=4, fixed_ports=False, elsewhere=elsewhere)
    small = stack.profile.section("sets") | {"explain": IMAGES_PER_SET, "test": IMAGES_PER_SET}
    os.environ.update({f"STEERSCOPE_{name}": value for name, value in QUICK_LEASES.items()})

    def draw(root: Path) -> None:
        prepare_images(small, root, lambda *_: None)

    with Supervisor(stack, lambda *_: None, draw) as supervisor, reviving(supervisor):
        running = RunningStack(supervisor)
        running.index_all()
        yield running


@contextmanager
def reviving(supervisor: Supervisor) -> Iterator[None]:
    """Watches the parts as `steerscope up` does: what dies is started again."""
    stop = threading.Event()
    watcher = threading.Thread(target=supervisor.watch, args=(stop.is_set,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
