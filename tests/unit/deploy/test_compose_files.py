"""The compose files as documents; `make e2e` runs them."""

import re
from pathlib import Path

import pytest
import yaml

from orchestrator.local.stack import DEFAULT_PORTS, SERVICES
from tests.unit.deploy.drains import orchestrator_seconds, service_seconds

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
GPU = yaml.safe_load((ROOT / "deploy/compose.gpu.yaml").read_text())
IGNORED = (ROOT / ".gitignore").read_text().split()


@pytest.mark.parametrize("name", list(COMPOSE["services"]))
def test_every_container_is_locked_up(name):
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service and "docker.sock" not in str(service)
    assert service.get("user", "steerscope") not in ("0", "root")
    assert ("ports" in service) == (name in ("api", "viewer")), "only the Jobs API and the viewer are published"


@pytest.mark.parametrize("name", list(COMPOSE["services"]))
def test_every_container_has_bounds(name):
    limits = COMPOSE["services"][name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"memory", "cpus", "pids"}


@pytest.mark.parametrize("name", [*SERVICES, "api", "worker"])
def test_a_drain_ends_before_the_patience_of_docker(name):
    grace = float(COMPOSE["services"][name]["stop_grace_period"].removesuffix("s"))
    assert grace > (service_seconds(name) if name in SERVICES else orchestrator_seconds())


def test_redis_keeps_its_state_behind_a_password():
    redis = COMPOSE["services"]["redis"]
    command = " ".join(redis["command"])
    assert "--appendonly yes" in command and "--maxmemory-policy noeviction" in command
    assert "--aclfile /tmp/users.acl" in command and "redis:/data" in redis["volumes"]
    assert "./deploy/redis.acl:/etc/steerscope.acl:ro" in redis["volumes"]
    rules = (ROOT / "deploy/redis.acl").read_text()
    assert "user default off" in rules and "#PASSWORD_SHA256" in rules and "nopass" not in rules
    assert "redis" in COMPOSE["volumes"] and redis["networks"] == ["inside"]


def test_versions_are_pinned():
    for name, service in COMPOSE["services"].items():
        if "build" not in service:
            assert re.search(r":\d+\.\d+", service["image"]), name
        else:
            assert re.search(r":-python:3\.\d+-slim-\w+}$", service["build"]["args"]["BASE_IMAGE"]), name


def test_the_api_is_published_on_loopback_unless_told_otherwise():
    assert COMPOSE["services"]["api"]["ports"] == ["${API_BIND:-127.0.0.1}:${API_PORT:-8000}:8000"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_the_viewer_is_for_this_machine():
    viewer = COMPOSE["services"]["viewer"]
    assert viewer["ports"] == ["${VIEWER_BIND:-127.0.0.1}:${VIEWER_PORT:-8080}:8080"]
    assert (
        viewer["image"] == COMPOSE["services"]["api"]["image"] and viewer["healthcheck"]["test"][-1] == "127.0.0.1:8080"
    )
    assert viewer["environment"] == COMPOSE["services"]["cli"]["environment"], "the token stays in this container"


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_where_the_orchestrator_looks_for_them(name):
    service, port = COMPOSE["services"][name], DEFAULT_PORTS[name]
    assert COMPOSE["services"]["worker"]["environment"][f"STEERSCOPE_{name.upper()}"] == f"dns:///{name}:{port}"
    assert service["healthcheck"]["test"][-1] == f"127.0.0.1:{port}"
    assert service["build"]["target"] == name
    assert service["environment"][f"STEERSCOPE_{name.upper()}_HOST"] == "0.0.0.0"
    assert float(service["environment"][f"STEERSCOPE_{name.upper()}_MAX_CONNECTION_AGE_SECONDS"]) <= 5


@pytest.mark.parametrize("name", SERVICES)
def test_real_models_get_a_card_the_token_and_the_cache(name):
    service = GPU["services"][name]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"] and device["device_ids"][0].startswith(f"${{{name.upper()}_GPU:-")
    assert service["secrets"] == ["hf_token"] and service["environment"]["HF_TOKEN_PATH"] == "/run/secrets/hf_token"
    assert service["volumes"] == ["models:/cache"]
    assert service["build"]["args"]["TORCH_INDEX"] == "", "the CUDA build"


@pytest.mark.parametrize("name", ["api", "worker", "viewer", "cli"])
def test_image_sets_may_come_from_a_folder_or_from_the_hub(name):
    service = GPU["services"][name]
    assert service["volumes"][0].endswith(":/images:ro") and "models:/cache" in service["volumes"]
    assert service["secrets"] == ["hf_token"] and "outside" in service["networks"]


def test_secrets_stay_out_of_git():
    assert {".hf-token", ".env"} <= set(IGNORED)
