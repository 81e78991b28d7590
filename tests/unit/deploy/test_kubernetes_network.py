"""Who may call whom inside the cluster, as the network policies say it."""

from orchestrator.local.stack import SERVICES
from tests.unit.deploy.kustomize import of_kind, pods
from tests.unit.deploy.test_kubernetes import ORCHESTRATORS, matches

OUTSIDE = "outside"  # a pod of another namespace, or no pod at all


def allowed(objects, source, target, port):
    """Whether `source` may open a connection to the named port of `target` (both policies' sides must agree)."""
    return _open(objects, "ingress", target, source, port) and _open(objects, "egress", source, target, port)


def _open(objects, side, subject, peer, port):
    if subject == OUTSIDE:
        return True
    labels = {name: template["metadata"]["labels"] for name, template in pods(objects).items()}
    policies = [item["spec"] for item in of_kind(objects, "NetworkPolicy").values()]
    mine = [p for p in policies if side.capitalize() in p["policyTypes"] and matches(p["podSelector"], labels[subject])]
    assert mine, f"{subject} has no {side} policy: everything is open"
    rules = [rule for policy in mine for rule in policy.get(side, ())]
    peers = "from" if side == "ingress" else "to"
    return any(
        any(entry["port"] == port for entry in rule["ports"])
        and (peers not in rule or any(_is(one, peer, labels) for one in rule[peers]))
        for rule in rules
    )


def _is(one, peer, labels):
    if "namespaceSelector" in one:
        return peer == one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    return peer in labels and matches(one["podSelector"], labels[peer])


def test_only_the_api_is_reached_from_outside(objects):
    for name in pods(objects):
        for port in ("grpc", "redis", "http"):
            assert allowed(objects, OUTSIDE, name, port) == (name == "api" and port == "grpc"), (name, port)


def test_services_and_redis_are_called_by_the_orchestrator_alone(objects):
    for source in pods(objects):
        for name in SERVICES:
            assert allowed(objects, source, name, "grpc") == (source in ORCHESTRATORS), (source, name)
        if "redis" in pods(objects):
            assert allowed(objects, source, "redis", "redis") == (source in ORCHESTRATORS), source


def test_services_call_nobody_unless_their_weights_come_from_the_hub(scaled, real):
    for name in SERVICES:
        assert not _open(scaled, "egress", name, OUTSIDE, 443)
        assert _open(real, "egress", name, OUTSIDE, 443)


def test_a_redis_elsewhere_can_be_reached(folders):
    from tests.unit.deploy.kustomize import rendered

    objects = rendered("gpu-external-redis-scaled", folders["gpu-external-redis-scaled"])
    assert "redis" not in pods(objects) and "redis" not in of_kind(objects, "Service")
    for name in ORCHESTRATORS:
        assert _open(objects, "egress", name, OUTSIDE, 6379)


def test_prometheus_gets_in_where_it_is_asked_to(scaled, real):
    for name in (*SERVICES, *ORCHESTRATORS):
        assert _open(scaled, "ingress", name, "monitoring", "metrics")
        assert not _open(scaled, "ingress", name, OUTSIDE, "metrics")
        assert not _open(real, "ingress", name, "monitoring", "metrics")
