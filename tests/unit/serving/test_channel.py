"""How channels and servers are set up (SERVING §1, §2): each of these was measured to matter."""

import json

import grpc
import pytest

from services.serving import channel
from services.serving.server import ServiceServer
from services.serving.settings import ServiceSettings

MIB = 1 << 20
OPTIONS = dict(channel.channel_options())
CONFIG = json.loads(str(OPTIONS["grpc.service_config"]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grpc.enable_retries", 1),
        ("grpc.max_send_message_length", 64 * MIB),
        ("grpc.max_receive_message_length", 64 * MIB),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.dns_min_time_between_resolutions_ms", 1000),
        ("grpc.max_reconnect_backoff_ms", 5000),
    ],
)
def test_options_of_a_channel(name, value):
    assert OPTIONS[name] == value


def test_the_retry_buffer_holds_the_largest_message():
    assert OPTIONS["grpc.per_rpc_retry_buffer_size"] > OPTIONS["grpc.max_send_message_length"]


def test_replicas_share_the_calls_and_tell_their_health():
    assert CONFIG["loadBalancingConfig"] == [{"round_robin": {}}]
    assert CONFIG["healthCheckConfig"]["serviceName"]


def test_what_passes_by_itself_is_retried_for_a_moment():
    (method,) = CONFIG["methodConfig"]
    policy = method["retryPolicy"]
    assert set(policy["retryableStatusCodes"]) == {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}
    assert policy["maxAttempts"] > 1


@pytest.mark.parametrize(
    ("target", "address"),
    [("vlm:8001", "dns:///vlm:8001"), ("dns:///vlm:8001", "dns:///vlm:8001"), ("unix:/tmp/s", "unix:/tmp/s")],
)
def test_names_are_resolved_to_all_replicas(monkeypatch, target, address):
    opened = []
    monkeypatch.setattr(grpc, "insecure_channel", lambda address, options: opened.append(address))
    channel.open_channel(target)
    assert opened == [address]


def test_options_of_a_server(monkeypatch):
    made = []
    monkeypatch.setattr(grpc.aio, "server", lambda **arguments: made.append(arguments))
    ServiceServer("toy", ServiceSettings(), [], list)
    options = dict(made[0]["options"])
    assert options["grpc.max_receive_message_length"] == options["grpc.max_send_message_length"] == 64 * MIB
    assert options["grpc.max_connection_age_ms"] == 60_000
    assert options["grpc.max_connection_age_grace_ms"] == 900_000
    assert options["grpc.http2.min_recv_ping_interval_without_data_ms"] < OPTIONS["grpc.keepalive_time_ms"]
