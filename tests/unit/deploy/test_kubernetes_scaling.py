"""KEDA's objects: whom they scale, on which metrics, how gently."""

import importlib
import re

import pytest

from orchestrator.local.stack import SERVICES
from orchestrator.settings import OrchestratorSettings
from services.serving.spec import ModelSpec
from tests.unit.deploy.drains import orchestrator_seconds, service_seconds
from tests.unit.deploy.kustomize import of_kind


def models(service):
    """The names of the models that a service serves."""
    spec = importlib.import_module(f"services.{service}.spec")
    return {value.name for value in vars(spec).values() if isinstance(value, ModelSpec)}


def trigger(scaled, name):
    (only,) = of_kind(scaled, "ScaledObject")[name]["spec"]["triggers"]
    return only["metadata"]


def test_everything_that_scales_is_scaled(scaled):
    scalers = of_kind(scaled, "ScaledObject")
    assert set(scalers) == {*SERVICES, "worker"}
    for name, scaler in scalers.items():
        target = scaler["spec"]["scaleTargetRef"]["name"]
        assert target == name and target in of_kind(scaled, "Deployment")
        assert 1 <= scaler["spec"]["minReplicaCount"] < scaler["spec"]["maxReplicaCount"]


def test_workers_follow_the_state_machine_not_the_redis_list(scaled):
    query = trigger(scaled, "worker")["query"]
    for gauge in ("steerscope_items_waiting", "steerscope_items_running"):
        assert f"sum(max by (kind) ({gauge}{{" in query, "every API process tells the same figure"
    assert (
        int(trigger(scaled, "worker")["threshold"]) == OrchestratorSettings.model_fields["worker_concurrency"].default
    )
    assert {one["type"] for s in of_kind(scaled, "ScaledObject").values() for one in s["spec"]["triggers"]} == {
        "prometheus"
    }


@pytest.mark.parametrize("name", SERVICES)
def test_services_follow_the_requests_that_wait_for_their_models(scaled, name):
    query = trigger(scaled, name)["query"]
    assert "nv_inference_pending_request_count{" in query
    assert set(re.search(r'model=~"([^"]+)"', query)[1].split("|")) == models(name)


def test_models_tell_services_apart():
    names = [name for service in SERVICES for name in models(service)]
    assert len(names) == len(set(names)) > 8


def test_queries_look_at_this_namespace(scaled):
    (namespace,) = of_kind(scaled, "Namespace")
    for name in of_kind(scaled, "ScaledObject"):
        assert f'namespace="{namespace}"' in trigger(scaled, name)["query"]


def test_a_replica_has_left_before_the_next_one_goes(scaled):
    for name, scaler in of_kind(scaled, "ScaledObject").items():
        down = scaler["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        (policy,) = down["policies"]
        assert policy["value"] == 1 and down["stabilizationWindowSeconds"] >= 300
        assert policy["periodSeconds"] > (service_seconds(name) if name in SERVICES else orchestrator_seconds())


def test_a_lost_prometheus_changes_nothing(scaled):
    for name, scaler in of_kind(scaled, "ScaledObject").items():
        assert scaler["spec"]["fallback"]["behavior"] == "currentReplicas"
        assert trigger(scaled, name)["ignoreNullValues"] == "false", "no pods known is a fault, not an empty queue"
