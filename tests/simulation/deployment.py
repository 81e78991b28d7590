"""The whole orchestrator on real processes over simulated services, with image sets drawn and indexed by real jobs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.local.images import prepare_images
from orchestrator.local.ports import free_ports
from orchestrator.local.stack import LOOPBACK, SERVICES, Part, Stack
from orchestrator.local.supervisor import Supervisor
from tests.integration.stack import RunningStack, reviving
from tests.simulation.processes import simulated_service
from tests.simulation.service import PROFILE


@dataclass(frozen=True)
class Shape:
    """How large a deployment is. `environment` goes to every process: STEERSCOPE_VLM_LATENCY_MS, and so on."""

    replicas: Mapping[str, int] = field(default_factory=dict)  # of a service; 1 where nothing is said
    workers: int = 1
    concurrency: int = 8  # items at once in each worker
    environment: Mapping[str, str] = field(default_factory=dict)


class SimulatedStack(Stack):
    """Parts are named `vlm-1`, `vlm-2`, …, `worker-1`, …, `api`, `redis`; replicas of a service share one target."""

    def __init__(self, home: Path, shape: Shape) -> None:
        super().__init__(str(PROFILE), home, None, shape.concurrency, fixed_ports=False)
        self.shape = shape
        counts = {name: shape.replicas.get(name, 1) for name in SERVICES}
        taken = set(self.ports.values())
        free = iter([port for port in free_ports(sum(counts.values()) + len(taken)) if port not in taken])
        self.replicas = {
            f"{name}-{number}": (name, f"{LOOPBACK}:{next(free)}")
            for name, count in counts.items()
            for number in range(1, count + 1)
        }
        self.addresses = replace(self.addresses, services={name: self.target(name) for name in SERVICES})

    def target(self, service: str) -> str:
        """A gRPC target that names all replicas of a service."""
        return "ipv4:" + ",".join(address for name, address in self.replicas.values() if name == service)

    def services(self) -> Iterator[Part]:
        for replica, (service, address) in self.replicas.items():
            port = address.rpartition(":")[2]
            yield Part(simulated_service(service, port, self.shape.environment, replica), address)

    def orchestrators(self) -> Iterator[Part]:
        api, worker = super().orchestrators()
        yield api
        for number in range(1, self.shape.workers + 1):
            yield replace(worker, spec=replace(worker.spec, name=f"worker-{number}"))

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.shape.environment}


@contextmanager
def deployment(home: Path, shape: Shape | None = None, *, revive: bool = False) -> Iterator[RunningStack]:
    """Start it, index both image sets, stop it at the end. With `revive`, what dies is started again."""
    stack = SimulatedStack(home, shape or Shape())

    def draw(root: Path) -> None:
        prepare_images(stack.profile.section("sets"), root, lambda *_: None)

    with Supervisor(stack, lambda *_: None, draw) as supervisor, reviving(supervisor) if revive else nullcontext():
        running = RunningStack(supervisor)
        running.index_all()
        yield running


if __name__ == "__main__":  # look at one by hand: steerscope --home FOLDER …
    with deployment(Path(sys.argv[1]), revive=True) as running:
        sys.stdout.write(f"Jobs API at {running.stack.addresses.api}; Enter stops\n")
        sys.stdin.readline()
