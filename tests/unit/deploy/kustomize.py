"""The Kubernetes objects of an overlay, as kustomize renders them: the real program, offline."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy/kubernetes"
# overlay → components, as somebody would put them together
RENDERINGS = {
    "cpu": ("cpu", ()),
    "gpu": ("gpu", ()),
    "cpu-one-node-scaled": ("cpu", ("one-node", "monitoring", "keda")),
    "gpu-external-redis-scaled": ("gpu", ("external-redis", "monitoring", "keda")),
}
_FIRST = 27  # kubectl 1.27 has kustomize 5: components, `labels` with includeTemplates

Object = Mapping[str, Any]


def command() -> list[str]:
    """kustomize itself, or the one inside kubectl. Skips the test where neither is."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    if found := shutil.which("kustomize", path=path):
        return [found, "build"]
    if (found := shutil.which("kubectl", path=path)) and _minor(found) >= _FIRST:
        return [found, "kustomize"]
    pytest.skip(f"needs kustomize 5, or kubectl 1.{_FIRST} or newer, on PATH (.ci/run fetches one)")


def render(folder: Path) -> list[Object]:
    """All objects of the kustomization in `folder`."""
    done = subprocess.run([*command(), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


@cache
def rendered(name: str, folder: Path) -> list[Object]:
    """One of RENDERINGS; `folder` is an empty place for the kustomization that puts its parts together."""
    overlay, components = RENDERINGS[name]
    return render(written(folder, [f"overlays/{overlay}"], [f"components/{part}" for part in components]))


def written(folder: Path, resources: Iterable[str], components: Iterable[str]) -> Path:
    """A kustomization in `folder` made of parts of deploy/kubernetes; kustomize takes relative paths only."""

    def paths(parts: Iterable[str]) -> list[str]:
        return [os.path.relpath(KUBERNETES / part, folder) for part in parts]

    content = {"kind": "Kustomization", "resources": paths(resources), "components": paths(components)}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def of_kind(objects: Iterable[Object], *kinds: str) -> dict[str, Object]:
    """By name."""
    return {item["metadata"]["name"]: item for item in objects if item["kind"] in kinds}


def pods(objects: Iterable[Object]) -> dict[str, Object]:
    """The pod templates, by the name of what makes the pods."""
    return {
        name: item["spec"]["template"] for name, item in of_kind(objects, "Deployment", "StatefulSet", "Job").items()
    }


def container(template: Object) -> Object:
    """The one container of a pod."""
    containers: list[Object] = template["spec"]["containers"]
    (only,) = containers
    return only


def settings(objects: Iterable[Object]) -> dict[str, str]:
    """The environment that all processes share."""
    (config,) = of_kind(objects, "ConfigMap").values()
    return dict(config["data"])


def _minor(kubectl: str) -> int:
    asked = [kubectl, "version", "--client", "--output=json"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return int(json.loads(told.stdout)["clientVersion"]["minor"].rstrip("+")) if told.returncode == 0 else 0
