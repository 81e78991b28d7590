"""Compose and Kubernetes deploy the same thing: variables, ports, users, bounds."""

import os
import re

import pytest
import yaml

from orchestrator.access import Access
from orchestrator.local.stack import SERVICES
from orchestrator.settings import OrchestratorSettings
from services.serving.profile import load_profile
from tests.unit.deploy.drains import settings_of
from tests.unit.deploy.kustomize import ROOT, container, pods, settings

COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
GPU = yaml.safe_load((ROOT / "deploy/compose.gpu.yaml").read_text())["services"]
DEFAULT = re.compile(r"\$\{\w+:?-([^}]*)\}")
ONLY_KUBERNETES = {"STEERSCOPE_METRICS_HOST", "STEERSCOPE_METRICS_PORT"}  # somebody scrapes there
ELSEWHERE = {"HF_TOKEN_PATH"}  # a secret is a folder in Kubernetes, a file in compose


def plain(value):
    """A value of a compose file with the defaults of its variables."""
    return DEFAULT.sub(lambda match: match[1], str(value))


def variables(services):
    found: dict[str, str] = {}
    for service in services.values():
        for name, value in (service.get("environment") or {}).items():
            assert found.setdefault(name, plain(value)) == plain(value), f"{name} differs between containers"
    return found


def test_the_same_environment(scaled):
    environment = settings(scaled)
    for name in ONLY_KUBERNETES - variables(COMPOSE).keys():
        del environment[name]
    wanted = variables(COMPOSE)
    # compose's Redis has a user with few rights; Kubernetes' has a password, and a network policy before it
    wanted["STEERSCOPE_REDIS_URL"] = wanted["STEERSCOPE_REDIS_URL"].replace("steerscope@", "")
    assert environment == wanted


def test_the_same_environment_for_real_models(real):
    environment, added = settings(real), variables(GPU)
    assert {name: environment[name] for name in added.keys() - ELSEWHERE} == {
        name: added[name] for name in added.keys() - ELSEWHERE
    }
    assert set(added) >= ELSEWHERE and set(environment) >= ELSEWHERE


@pytest.mark.parametrize("name", SERVICES)
def test_the_same_bounds(scaled, real, name):
    for compose, objects in ((COMPOSE, scaled), (GPU, real)):
        limits = compose[name]["deploy"]["resources"]["limits"]
        found = container(pods(objects)[name])["resources"]["limits"]
        assert plain(limits["memory"]).removesuffix("g") == found["memory"].removesuffix("Gi")
        assert plain(limits["cpus"]) == found["cpu"]


@pytest.mark.parametrize("name", [*SERVICES, "api"])
def test_the_same_ports(scaled, name):
    asked = COMPOSE[name]["healthcheck"]["test"][-1].rpartition(":")[2]
    assert container(pods(scaled)[name])["readinessProbe"]["grpc"]["port"] == int(asked)


@pytest.mark.parametrize("name", ["api", "worker"])
def test_the_same_commands(scaled, name):
    assert container(pods(scaled)[name])["command"] == COMPOSE[name]["entrypoint"]


def test_every_process_takes_the_environment_that_all_share(objects, monkeypatch):
    for name in [name for name in os.environ if name.startswith("STEERSCOPE_")]:
        monkeypatch.delenv(name)
    environment = settings(objects)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    profile = load_profile(environment["STEERSCOPE_PROFILE"])
    assert OrchestratorSettings().api_host == "0.0.0.0"
    for service in SERVICES:
        assert settings_of(service).resolve(profile.section(service), {}).host == "0.0.0.0"


def test_every_variable_is_one_that_somebody_reads(objects):
    known = {"STEERSCOPE_API", "STEERSCOPE_HOME", "HF_TOKEN_PATH", "STEERSCOPE_METRICS_HOST"}
    for read in (OrchestratorSettings, Access):
        known |= {f"STEERSCOPE_{field.upper()}" for field in read.model_fields}
    for service in SERVICES:
        fields = settings_of(service).model_fields
        known |= {f"STEERSCOPE_{service.upper()}_{field.upper()}" for field in fields}
    assert set(settings(objects)) <= known | {
        "STEERSCOPE_API",
        "STEERSCOPE_HOME",
        "HF_TOKEN_PATH",
        "STEERSCOPE_METRICS_HOST",
    }
