"""The parts of a deployment that can be disturbed: a simulated stack behind proxies; its services make trouble."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from orchestrator.local.ports import free_ports
from orchestrator.local.stack import LOOPBACK, SERVICES, Part
from orchestrator.settings import OrchestratorSettings
from tests.chaos.pace import Pace
from tests.chaos.proxy import Proxies
from tests.simulation.deployment import Shape, SimulatedStack

REPLICAS = {"vlm": 2, "sae": 2}
REPLICA_NAMES = tuple(f"{name}-{number}" for name in SERVICES for number in range(1, REPLICAS.get(name, 1) + 1))
WORKERS = ("worker-1", "worker-2")
_CONCURRENCY = 3
_PREFIX = "chaos:"
# Milliseconds of a batch: a job lasts long enough to be disturbed.
_LATENCY = {"vlm": 60, "sae": 10, "generator": 60, "segmenter": 30, "clip": 10}


class ChaosStack(SimulatedStack):
    """Clients reach API and services through `proxies`, which must be started first."""

    def __init__(self, home: Path, pace: Pace) -> None:
        self.pace = pace
        self._doors = dict(zip(("api", *REPLICA_NAMES), free_ports(1 + len(REPLICA_NAMES)), strict=True))
        latency = {f"STEERSCOPE_{name.upper()}_LATENCY_MS": str(value) for name, value in _LATENCY.items()}
        drain = {f"STEERSCOPE_{name.upper()}_DRAIN_WAIT_SECONDS": "0.2" for name in SERVICES}
        environment = {"STEERSCOPE_KEY_PREFIX": _PREFIX, **latency, **drain, **pace.environment()}
        super().__init__(home, Shape(REPLICAS, len(WORKERS), _CONCURRENCY, environment))
        backends = {name: address for name, (_, address) in self.replicas.items()}
        self.proxies = Proxies({"api": self.addresses.api, **backends}, self._doors)

    @property
    def api(self) -> str:
        """Where clients reach the API."""
        return f"{LOOPBACK}:{self._doors['api']}"

    @property
    def listening(self) -> Mapping[str, str]:
        """The addresses at which processes tell their health, by name."""
        return {"api": self.addresses.api} | {name: address for name, (_, address) in self.replicas.items()}

    @property
    def settings(self) -> OrchestratorSettings:
        """What API and workers are started with."""
        values = {name.removeprefix("STEERSCOPE_").lower(): value for name, value in self.environment.items()}
        return OrchestratorSettings.model_validate(values)

    def trouble(self, name: str) -> Path:
        """The file that a service looks at for trouble."""
        return self.home / "trouble" / name

    def target(self, service: str) -> str:
        """All replicas of a service, through their proxies."""
        doors = [f"{LOOPBACK}:{self._doors[name]}" for name, (kind, _) in self.replicas.items() if kind == service]
        return f"ipv4:{','.join(doors)}"

    def services(self) -> Iterator[Part]:
        for part in super().services():
            arguments = part.spec.argv[part.spec.argv.index("tests.simulation.service") + 1 :]
            trouble = str(self.trouble(part.spec.name))
            argv = (sys.executable, "-m", "tests.chaos.service", trouble, *arguments)
            yield replace(part, spec=replace(part.spec, argv=argv))
