"""Every rendered object against the schema of its kind: Kubernetes' own, or what its operator documents."""

import copy
import json
import shutil
from functools import cache

import kubernetes_validate
import pytest
from pydantic import ValidationError

from tests.unit.deploy.custom_resources import MODELS
from tests.unit.deploy.kustomize import KUBERNETES, ROOT, container, of_kind, pods, render, settings

VERSIONS = ("1.30", "1.37")  # the oldest that docs/kubernetes.md promises, and the newest whose schemas are here


def check(item):
    """Raises where a field is unknown, missing or of a wrong type."""
    if item["kind"] in MODELS:
        MODELS[item["kind"]].model_validate(item)
        return
    _check(json.dumps(item, sort_keys=True))


@cache  # the overlays share most of their objects
def _check(text):
    for version in VERSIONS:
        kubernetes_validate.validate(json.loads(text), version, strict=True)


def test_every_object_is_what_its_schema_says(objects):
    assert len(objects) > 30
    for item in objects:
        check(item)


def test_a_wrong_field_is_found(scaled):
    deployment = copy.deepcopy(of_kind(scaled, "Deployment")["vlm"])
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        check(deployment)
    scaler = copy.deepcopy(of_kind(scaled, "ScaledObject")["vlm"])
    scaler["spec"]["triggers"][0]["metadata"]["threshold"] = 16
    with pytest.raises(ValidationError, match="threshold"):
        check(scaler)


def test_what_keda_hands_on_to_the_autoscaler_is_what_that_takes(scaled):
    for name, scaler in of_kind(scaled, "ScaledObject").items():
        spec = scaler["spec"]
        check(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": name},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                    "maxReplicas": spec["maxReplicaCount"],
                    "behavior": spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
                },
            }
        )


def test_everything_lies_in_one_namespace(objects):
    (namespace,) = of_kind(objects, "Namespace")
    for item in objects:
        if item["kind"] != "Namespace":
            assert item["metadata"]["namespace"] == namespace, item["metadata"]["name"]


def test_the_overlay_of_the_documentation_is_one(tmp_path):
    text = (ROOT / "docs/kubernetes.md").read_text()
    overlay, patch = (block.split("```")[0] for block in text.split("```yaml\n")[1:])
    shutil.copytree(KUBERNETES, tmp_path, dirs_exist_ok=True)
    mine = tmp_path / "overlays/mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(overlay + patch.removeprefix("patches:\n"))
    objects = render(mine)
    for item in objects:
        check(item)
    for name, template in pods(objects).items():
        assert container(template)["image"].startswith("redis:" if name == "redis" else "registry.example.com/"), name
    assert settings(objects)["STEERSCOPE_WORKER_CONCURRENCY"] == "16"
    for scaler in of_kind(objects, "ScaledObject").values():
        assert scaler["spec"]["triggers"][0]["metadata"]["serverAddress"] == "http://prometheus.example:9090"
    for claim in of_kind(objects, "PersistentVolumeClaim").values():
        assert claim["spec"]["storageClassName"] == "nfs" and claim["spec"]["accessModes"] == ["ReadWriteOnce"]
