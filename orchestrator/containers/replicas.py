"""Replicas of a compose service through the Docker API, in a way that `docker compose` itself would have made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.errors import DockerException
from docker.models.containers import Container

from orchestrator.containers import ContainersError

_LABEL = "com.docker.compose."
_STOP_SECONDS = 150  # for a drain, where the container names no time of its own
Tell = Callable[[str, str], None]  # (container, what happens)


class Replicas:
    """The containers of one service; `number` of compose's labels tells them apart."""

    def __init__(self, project: str, service: str, client: docker.DockerClient) -> None:
        self.project, self.service, self._client = project, service, client

    @classmethod
    def connect(cls, project: str, service: str) -> Replicas:
        """Through the socket or the address in DOCKER_HOST. Raises ContainersError."""
        try:
            client = docker.from_env(timeout=_STOP_SECONDS + 30)
            client.ping()
        except DockerException as error:
            raise ContainersError(f"Docker does not answer ({error}): start it, or set DOCKER_HOST") from error
        return cls(project, service, client)

    def running(self) -> list[Container]:
        """The running replicas, lowest number first."""
        labels = [f"{_LABEL}project={self.project}", f"{_LABEL}service={self.service}", f"{_LABEL}oneoff=False"]
        found: list[Container] = self._client.containers.list(filters={"label": labels})
        return sorted(found, key=_number)

    def scale(self, count: int, tell: Tell = lambda container, event: None) -> None:
        """Bring the number of replicas to `count` ≥ 1: new ones are copies of the first, the latest go first.

        Returns when new ones are started (ready is told by their health) and old ones have drained and are gone.
        Raises ContainersError if none runs.
        """
        now = self.running()
        if not now:
            raise ContainersError(
                f"project {self.project!r} runs no service {self.service!r}: start it with `docker compose up -d`, "
                "or name another --project"
            )
        for number in range(_number(now[-1]) + 1, _number(now[-1]) + 1 + count - len(now)):
            tell(self._add(now[0], number), "started")
        leaving = now[count:][::-1]
        if leaving:
            with ThreadPoolExecutor(len(leaving)) as pool:
                for name in pool.map(_remove, leaving):
                    tell(name, "drained and removed")

    def _add(self, model: Container, number: int) -> str:
        name = f"{self.project}-{self.service}-{number}"
        attributes: Mapping[str, Any] = model.attrs
        labels = {**attributes["Config"]["Labels"], f"{_LABEL}container-number": str(number)}
        config = {key: value for key, value in attributes["Config"].items() if key != "Hostname"}
        networks = {network: {"Aliases": [self.service, name]} for network in attributes["NetworkSettings"]["Networks"]}
        first = next(iter(networks))
        created = self._client.api.create_container_from_config(
            {
                **config,
                "Labels": labels,
                "HostConfig": attributes["HostConfig"],
                "NetworkingConfig": {"EndpointsConfig": {first: networks.pop(first)}},
            },
            name,
        )
        for network, endpoint in networks.items():  # older engines take one network at creation
            self._client.networks.get(network).connect(created["Id"], aliases=endpoint["Aliases"])
        self._client.api.start(created["Id"])
        return name


def _number(container: Container) -> int:
    return int(container.labels[f"{_LABEL}container-number"])


def _remove(container: Container) -> str:
    """SIGTERM, time to drain, gone."""
    name = str(container.name)
    container.stop(timeout=container.attrs["Config"].get("StopTimeout") or _STOP_SECONDS)
    container.remove()
    return name
