"""Replicas through a fake of the Docker client: copies carry compose's labels, the latest leave first."""

from types import SimpleNamespace

import pytest

from orchestrator.containers import ContainersError
from orchestrator.containers.replicas import Replicas

PREFIX = "com.docker.compose."


class FakeDocker:
    """Containers by name, in the shape of docker-py: `containers.list`, `api.create_container_from_config`, …"""

    def __init__(self, *numbers: int) -> None:
        self.all: dict[str, SimpleNamespace] = {}
        self.log: list[str] = []
        for number in numbers:
            self._put(f"p-vlm-{number}", self._attributes(number))
            self.all[f"p-vlm-{number}"].up = True
        self.containers = SimpleNamespace(list=self._list)
        self.networks = SimpleNamespace(get=lambda name: SimpleNamespace(connect=self._connect(name)))
        self.api = SimpleNamespace(create_container_from_config=self._create, start=self._start)

    def _attributes(self, number):
        labels = {f"{PREFIX}project": "p", f"{PREFIX}service": "vlm", f"{PREFIX}oneoff": "False"}
        return {
            "Config": {
                "Image": "i",
                "Hostname": "abc",
                "StopTimeout": 7,
                "Labels": labels | {f"{PREFIX}container-number": str(number)},
            },
            "HostConfig": {"ReadonlyRootfs": True},
            "NetworkSettings": {"Networks": {"inside": {}, "outside": {}}},
        }

    def _put(self, name, attributes):
        self.all[name] = SimpleNamespace(
            name=name,
            attrs=attributes,
            labels=attributes["Config"]["Labels"],
            up=False,
            stop=lambda timeout: self.log.append(f"stop {name} {timeout}"),
            remove=lambda: self.all.pop(name),
        )

    def _list(self, filters):
        wanted = dict(label.split("=") for label in filters["label"])
        return [c for c in reversed(self.all.values()) if c.up and wanted.items() <= c.labels.items()]

    def _create(self, config, name):
        network = dict(config["NetworkingConfig"]["EndpointsConfig"])
        self.log.append(f"create {name} on {network}")
        self._put(name, {"Config": config, "HostConfig": config["HostConfig"]})
        return {"Id": name}

    def _connect(self, network):
        return lambda container, aliases: self.log.append(f"connect {container} to {network} as {aliases}")

    def _start(self, name):
        self.all[name].up = True


def test_new_replicas_are_copies_with_numbers_of_their_own():
    docker = FakeDocker(1)
    told = []
    Replicas("p", "vlm", docker).scale(3, lambda name, event: told.append((name, event)))
    assert told == [("p-vlm-2", "started"), ("p-vlm-3", "started")]
    copy = docker.all["p-vlm-3"]
    assert copy.attrs["HostConfig"] == {"ReadonlyRootfs": True}
    assert copy.labels == docker.all["p-vlm-1"].labels | {f"{PREFIX}container-number": "3"}
    assert "Hostname" not in copy.attrs["Config"], "a copy of the name would hide one container behind another"
    assert "create p-vlm-2 on {'inside': {'Aliases': ['vlm', 'p-vlm-2']}}" in docker.log
    assert "connect p-vlm-2 to outside as ['vlm', 'p-vlm-2']" in docker.log


def test_the_latest_replicas_leave_with_time_to_drain():
    docker = FakeDocker(1, 2, 4)
    Replicas("p", "vlm", docker).scale(1)
    assert list(docker.all) == ["p-vlm-1"]
    assert sorted(docker.log) == ["stop p-vlm-2 7", "stop p-vlm-4 7"]


def test_numbers_are_not_taken_twice():
    docker = FakeDocker(2, 5)
    Replicas("p", "vlm", docker).scale(3)
    assert sorted(docker.all) == ["p-vlm-2", "p-vlm-5", "p-vlm-6"]


def test_a_service_that_does_not_run_is_named():
    with pytest.raises(ContainersError, match="'p' runs no service 'sae'"):
        Replicas("p", "sae", FakeDocker(1)).scale(2)
