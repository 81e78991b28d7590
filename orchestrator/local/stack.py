"""The whole of SteerScope on this machine, from a profile: what runs, where, in which order it starts and stops."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orchestrator.local.ports import free_ports
from orchestrator.local.process import ProcessSpec
from orchestrator.local.redis import redis_process
from services.serving.profile import load_profile

SERVICES = ("vlm", "sae", "generator", "segmenter", "clip")
ORACLES = ("generator", "segmenter")
DEFAULT_PORTS = {"api": 8000, "vlm": 8001, "sae": 8002, "generator": 8003, "segmenter": 8004, "clip": 8005}
DEFAULT_PORTS |= {"redis": 6390, "oracle_generator": 8013, "oracle_segmenter": 8014}
LOOPBACK = "127.0.0.1"
# Two torch processes with two threads each crawl on a small machine; an environment that sets it wins.
_ONE_THREAD = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True)
class Addresses:
    """Where everything listens and lies; written to `<home>/stack.json`, where the CLI finds the API."""

    api: str
    redis_url: str
    profile: str
    artifacts: str
    services: Mapping[str, str] = field(default_factory=dict)

    def write(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "stack.json").write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def read(home: Path) -> "Addresses | None":
        """What `write` left in `home`, or None."""
        path = home / "stack.json"
        return Addresses(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    @staticmethod
    def forget(home: Path) -> None:
        (home / "stack.json").unlink(missing_ok=True)


@dataclass(frozen=True)
class Part:
    """One process and how to tell that it is ready: the gRPC address whose health to ask, if it has one."""

    spec: ProcessSpec
    address: str | None = None


class Stack:
    """The parts for one profile (a name or a path), on the documented ports (`fixed_ports`) or on free ones.

    `elsewhere` gives the addresses of services that run already, on this machine or on others; the rest is started.
    """

    def __init__(
        self,
        profile_name: str,
        home: Path,
        redis_url: str | None,
        concurrency: int,
        fixed_ports: bool,
        elsewhere: Mapping[str, str] | None = None,
    ) -> None:
        self.profile_name = profile_name
        self.profile = load_profile(profile_name)
        self.home = home.resolve()
        self.concurrency = concurrency
        self.elsewhere = dict(elsewhere or {})
        self.oracle = self.profile.section("oracle")
        names = tuple(DEFAULT_PORTS)
        found = [DEFAULT_PORTS[name] for name in names] if fixed_ports else free_ports(len(names))
        self.ports = dict(zip(names, found, strict=True))
        self.own_redis = redis_url is None
        listening = [*SERVICES, *(f"oracle_{name}" for name in ORACLES if self.oracle)]
        self.addresses = Addresses(
            api=f"{LOOPBACK}:{self.ports['api']}",
            redis_url=redis_url or f"redis://{LOOPBACK}:{self.ports['redis']}/0",
            profile=profile_name,
            artifacts=f"file://{self.home / 'artifacts'}",
            services={name: f"dns:///{LOOPBACK}:{self.ports[name]}" for name in listening} | self.elsewhere,
        )

    def ports_in_use(self) -> dict[str, int]:
        """The ports that this stack will listen on, by part."""
        unused = set() if self.own_redis else {"redis"}
        unused |= set() if self.oracle else {f"oracle_{name}" for name in ORACLES}
        unused |= set(self.elsewhere)
        return {name: port for name, port in self.ports.items() if name not in unused}

    @property
    def images(self) -> Path:
        """Where this profile's image sets lie, a folder each."""
        return self.home / "images"

    def redis(self) -> Part | None:
        """The embedded Redis, or None when an address was given."""
        return Part(redis_process(self.home / "redis", self.ports["redis"])) if self.own_redis else None

    def services(self) -> Iterator[Part]:
        """The model services that do not run elsewhere."""
        for name in SERVICES:
            if name not in self.elsewhere:
                yield self._service(name, name, self.profile_name, {})

    def oracles(self) -> Iterator[Part]:
        """The judges that know the truth, where the profile has them; they need the image sets on disk."""
        if not self.oracle:
            return
        env = {name: value.replace("{images}", str(self.images)) for name, value in self.oracle.get("env", {}).items()}
        for name in ORACLES:
            yield self._service(f"oracle_{name}", name, str(self.oracle["profile"]), env)

    def orchestrators(self) -> Iterator[Part]:
        """The Jobs API and one worker."""
        api = ("--port", str(self.ports["api"]))
        yield Part(ProcessSpec("api", self._python("orchestrator.api", *api), self.environment), self.addresses.api)
        worker = ("--concurrency", str(self.concurrency))
        yield Part(ProcessSpec("worker", self._python("orchestrator.worker", *worker), self.environment))

    @property
    def environment(self) -> dict[str, str]:
        """The settings of API, worker and CLI that follow from where things run."""
        settings = {
            "profile": self.addresses.profile,
            "redis_url": self.addresses.redis_url,
            "artifacts": self.addresses.artifacts,
            **self.addresses.services,
        }
        return _ONE_THREAD | {f"STEERSCOPE_{name.upper()}": value for name, value in settings.items()}

    def _service(self, name: str, service: str, profile: str, env: Mapping[str, str]) -> Part:
        arguments = ("--profile", profile, "--port", str(self.ports[name]), "--metrics-port", "0")
        argv = self._python(f"services.{service}", *arguments)
        return Part(ProcessSpec(name, argv, _ONE_THREAD | dict(env)), self.addresses.services[name])

    @staticmethod
    def _python(module: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", module, *arguments)
