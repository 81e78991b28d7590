"""What the checks look at: a profile, where the stack would run, and the machine behind small interfaces."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.doctor.gpus import Gpu, query_gpus
from orchestrator.doctor.hub import Hub
from orchestrator.doctor.needs import Needs
from orchestrator.doctor.torch_build import TorchBuild, torch_build
from services.serving.profile import Profile


@dataclass(frozen=True)
class Context:
    """`services` are those that will run on this machine; `redis_url` is given where a Redis runs already."""

    name: str
    profile: Profile
    home: Path
    services: Sequence[str]
    redis_url: str | None
    hub: Hub

    def setting(self, service: str, key: str) -> Any:
        """The environment's value, else the profile's, else None: the service's own default."""
        return os.environ.get(f"STEERSCOPE_{service}_{key}".upper()) or self.profile.section(service).get(key)

    @cached_property
    def needs(self) -> Needs:
        """The profile's own figures. Raises ProfileError for a bad section."""
        return Needs.resolve(self.profile.section("needs"))

    @cached_property
    def gpus(self) -> Sequence[Gpu]:
        """The cards of this machine."""
        return query_gpus()

    @cached_property
    def torch(self) -> TorchBuild | None:
        """The torch that services would use here, if there is one."""
        return torch_build()
