"""A hub and profiles for the doctor's tests: nothing here reaches the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.doctor.context import Context
from orchestrator.doctor.hub import Remote
from orchestrator.local.stack import SERVICES
from services.serving.profile import Profile


@dataclass
class FakeHub:
    """Repositories by id; what is not listed does not answer."""

    remotes: Mapping[str, Remote] = field(default_factory=dict)
    cache: Mapping[str, Path] = field(default_factory=dict)
    offline: bool = False
    token: bool = False
    asked: list[str] = field(default_factory=list)

    def cached(self, repository: str, revision: str | None) -> Path | None:
        return self.cache.get(repository)

    def remote(self, repository: str, revision: str | None, files: Sequence[str]) -> Remote:
        self.asked.append(repository)
        return self.remotes.get(repository, Remote("unreachable", detail="ConnectError: no route"))


def context(
    tmp_path: Path,
    sections: Mapping[str, Mapping[str, object]],
    hub: FakeHub | None = None,
    services: Sequence[str] = SERVICES,
    redis_url: str | None = None,
) -> Context:
    return Context("mine", Profile("mine", sections), tmp_path / "home", services, redis_url, hub or FakeHub())


def lines(findings) -> list[str]:
    return [f"{one.level} {one.area}: {one.text} -> {one.remedy}" for one in findings]
