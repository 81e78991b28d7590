"""The Dockerfile as a document; `make e2e` builds it."""

import re
import tomllib
from pathlib import Path

import pytest

from orchestrator.local.stack import SERVICES

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "deploy/Dockerfile").read_text()
LINES = [line for line in TEXT.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def stages():
    """name → (the stage it builds on, its instructions)."""
    found: dict[str, tuple[str, list[str]]] = {}
    for line in LINES:
        if start := re.match(r"FROM (\S+) AS (\S+)", line):
            base, name = start.groups()
            found[name] = (base, [])
        elif found:
            found[name][1].append(line)
    return found


STAGES = stages()


def ancestors(name):
    while name in STAGES:
        yield name
        name = STAGES[name][0]


def test_docker_finds_it_at_the_root():
    assert (ROOT / "Dockerfile").samefile(ROOT / "deploy/Dockerfile")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_a_target_on_one_torch(name):
    base, instructions = STAGES[name]
    assert base == "torch"
    assert f"/kit/install {name}" in " ".join(instructions) and name in EXTRAS
    assert instructions[-1] == f'ENTRYPOINT ["python", "-m", "services.{name}"]', (
        "signals must reach Python, which drains"
    )


def test_the_orchestrator_has_no_torch():
    assert list(ancestors("orchestrator")) == ["orchestrator", "common", "base"]
    assert not any("torch" in line for name in ancestors("orchestrator") for line in STAGES[name][1])


@pytest.mark.parametrize("name", ["orchestrator", *SERVICES])
def test_images_run_without_root_and_change_only_at_their_end(name):
    _, instructions = STAGES[name]
    assert "USER steerscope" in instructions
    runs = [line for line in instructions if line.startswith("RUN")]
    assert ["from=program" in line for line in runs][:2] == [False, True], "packages first: a change of ours is small"
    assert not any(line.startswith(("COPY", "ADD")) for line in instructions)


def test_what_is_installed_is_pinned():
    install = (ROOT / "deploy/install").read_text()
    assert "-c requirements.lock" in install
    assert re.search(r"pip install .*uv==\d", TEXT)
    for line in LINES:
        if "/kit/uv pip install" in line:
            assert "--no-deps" in line or "-c /kit/requirements.lock" in line, line
