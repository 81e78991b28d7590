"""The Kubernetes objects as documents: who is locked up how, who finds whom, what leaves in which time."""

import re
from pathlib import Path

import pytest

from orchestrator.local.stack import DEFAULT_PORTS, SERVICES
from orchestrator.settings import OrchestratorSettings
from services.serving.settings import METRICS_OFFSET
from tests.unit.deploy.drains import orchestrator_seconds, service_seconds
from tests.unit.deploy.kustomize import container, of_kind, pods, settings

ROOT = Path(__file__).parents[3]
ORCHESTRATORS = ("api", "worker")


def ports(template):
    return {port["name"]: port["containerPort"] for port in container(template)["ports"]}


def matches(selector, labels):
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(
        labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", ())
    )


def test_every_pod_is_locked_up(objects):
    for name, template in pods(objects).items():
        pod, only = template["spec"], container(template)
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod), name
        kinds = {next(key for key in volume if key != "name") for volume in pod["volumes"]}
        assert kinds <= {"emptyDir", "secret", "persistentVolumeClaim"}, name
        mounts = {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]}
        assert mounts["/tmp"] == "tmp" and next(v for v in pod["volumes"] if v["name"] == "tmp")["emptyDir"], name
        limits, requests = only["resources"]["limits"], only["resources"]["requests"]
        assert "memory" in limits and {"cpu", "memory"} <= set(requests), name
    (namespace,) = of_kind(objects, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_versions_are_pinned(objects):
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    for name, template in pods(objects).items():
        image, _, tag = container(template)["image"].partition(":")
        assert tag.startswith(version if image.startswith("steerscope-") else "7."), name


def test_the_orchestrator_finds_every_replica_of_every_service(objects):
    services, templates, environment = of_kind(objects, "Service"), pods(objects), settings(objects)
    for name in SERVICES:
        address, port = environment[f"STEERSCOPE_{name.upper()}"].removeprefix("dns:///").split(":")
        assert (address, int(port)) == (name, DEFAULT_PORTS[name])
        spec = services[address]["spec"]
        assert spec["clusterIP"] == "None", "one address for all would hide the replicas from gRPC"
        assert matches({"matchLabels": spec["selector"]}, templates[name]["metadata"]["labels"])
        (entry,) = spec["ports"]
        assert entry["port"] == int(port) == ports(templates[name])[entry["targetPort"]], "headless: the pod's own port"
        assert ports(templates[name])["metrics"] == int(port) + METRICS_OFFSET
        assert environment[f"STEERSCOPE_{name.upper()}_HOST"] == "0.0.0.0"
        assert float(environment[f"STEERSCOPE_{name.upper()}_MAX_CONNECTION_AGE_SECONDS"]) <= 5


def test_api_and_redis_are_found(objects):
    services, templates, environment = of_kind(objects, "Service"), pods(objects), settings(objects)
    host, port = environment["STEERSCOPE_API"].split(":")
    (entry,) = services[host]["spec"]["ports"]
    assert entry["port"] == int(port) == ports(templates["api"])["grpc"] == DEFAULT_PORTS["api"]
    for name in ORCHESTRATORS:
        assert ports(templates[name])["metrics"] == int(environment["STEERSCOPE_METRICS_PORT"])
        paths = {mount["mountPath"] for mount in container(templates[name])["volumeMounts"]}
        assert str(Path(environment["STEERSCOPE_REDIS_PASSWORD_FILE"]).parent) in paths
    if "redis" in templates:
        redis = OrchestratorSettings(redis_url=environment["STEERSCOPE_REDIS_URL"]).redis_place()
        assert redis == f"redis:{services['redis']['spec']['ports'][0]['port']}/0"


def test_redis_keeps_its_state_behind_a_password(scaled):
    redis = of_kind(scaled, "StatefulSet")["redis"]["spec"]
    command = " ".join(container(redis["template"])["command"])
    for part in ("--appendonly yes", "--maxmemory-policy noeviction", '--requirepass "$$(cat /run/steerscope/redis)"'):
        assert part in command
    (claim,) = redis["volumeClaimTemplates"]
    mounts = {m["name"]: m["mountPath"] for m in container(redis["template"])["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/data"


def test_a_drain_ends_before_the_patience_of_the_cluster(objects):
    for name, template in pods(objects).items():
        grace = template["spec"].get("terminationGracePeriodSeconds", 30)
        if name in SERVICES:
            assert grace > service_seconds(name)
        elif name in ORCHESTRATORS:
            before = container(template).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            assert grace > before + orchestrator_seconds()


def test_health_is_asked_by_grpc(objects):
    for name in (*SERVICES, "api"):
        only = container(pods(objects)[name])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert only[probe]["grpc"] == {"port": DEFAULT_PORTS[name]}, (name, probe)
        startup = only["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= (600 if name in SERVICES else 60)


def test_the_viewer_knows_the_api_and_the_artifacts_alone(objects):
    template, environment = pods(objects)["viewer"], settings(objects)
    only, service = container(template), of_kind(objects, "Service")["viewer"]["spec"]
    command = only["args"]
    assert command[0] == "view" and command[command.index("--port") + 1] == str(ports(template)["http"])
    assert service["ports"][0]["port"] == ports(template)["http"]
    mounts = {mount["mountPath"] for mount in only["volumeMounts"]}
    assert environment["STEERSCOPE_ARTIFACTS"].startswith("file:///data/") and "/data" in mounts
    assert "/run/steerscope" not in mounts, "Redis is no business of the viewer's"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = only[probe]["httpGet"]
        assert asked["path"] == "/health" and asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


def test_a_rollout_has_the_new_replica_found_before_the_old_one_leaves(scaled):
    age = float(settings(scaled)["STEERSCOPE_VLM_MAX_CONNECTION_AGE_SECONDS"])
    for name, deployment in of_kind(scaled, "Deployment").items():
        spec = deployment["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}, name
        assert name not in SERVICES or spec["minReadySeconds"] >= 2 * age


def test_replicas_are_left_to_those_who_scale(objects):
    for deployment in of_kind(objects, "Deployment").values():
        assert "replicas" not in deployment["spec"], "applying again would undo `kubectl scale` and KEDA"


def test_budgets_hold_for_pods_that_exist_and_never_bar_an_eviction_for_good(objects):
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert set(budgets) == {*SERVICES, *ORCHESTRATORS, "viewer"}
    for name, budget in budgets.items():
        assert matches(budget["spec"]["selector"], pods(objects)[name]["metadata"]["labels"])
        others = [t["metadata"]["labels"] for other, t in pods(objects).items() if other != name]
        assert not any(matches(budget["spec"]["selector"], labels) for labels in others)
        assert budget["spec"]["maxUnavailable"] == 1


def test_selectors_select_their_own_pods(objects):
    for item in of_kind(objects, "Deployment", "StatefulSet").values():
        assert matches(item["spec"]["selector"], item["spec"]["template"]["metadata"]["labels"])


@pytest.mark.parametrize("name", SERVICES)
def test_real_models_get_a_card_each(real, name):
    only = container(pods(real)[name])
    assert only["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert only["image"].endswith("-cuda")


@pytest.mark.parametrize("name", [*SERVICES, *ORCHESTRATORS])
def test_what_reads_from_the_hub_gets_the_token_and_the_cache(real, name):
    template = pods(real)[name]
    only, environment = container(template), settings(real)
    mounts = {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    assert volumes[mounts["/cache"]]["persistentVolumeClaim"]["claimName"] == "models"
    token = Path(environment["HF_TOKEN_PATH"])
    secret = volumes[mounts[str(token.parent)]]["secret"]
    assert secret["secretName"] == "huggingface" and secret["items"] == [{"key": "token", "path": token.name}]
    assert of_kind(real, "PersistentVolumeClaim")["models"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_no_secret_lies_in_the_manifests(objects):
    assert not of_kind(objects, "Secret")
    assert not any("PASSWORD" in key and not key.endswith("_FILE") for key in settings(objects))


def test_volumes_are_claimed(objects):
    claims = of_kind(objects, "PersistentVolumeClaim")
    for template in pods(objects).values():
        for volume in template["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
