"""The one recipe for a gRPC channel to a model service (measured: the retry buffer and the health check matter)."""

import json

import grpc

from services.serving.oip import SERVICE_NAME
from services.serving.tls import ClientTls, connect

MAX_MESSAGE_BYTES = 64 << 20
_RETRY_BUFFER_BYTES = 96 << 20  # with the default, requests above 256 KiB are silently never retried

_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": SERVICE_NAME},  # a draining replica gets no new calls
    "methodConfig": [
        {
            "name": [{"service": SERVICE_NAME}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
}


def channel_options(max_message_bytes: int = MAX_MESSAGE_BYTES) -> list[tuple[str, str | int]]:
    """Channel arguments for a client of a model service."""
    return [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.enable_retries", 1),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.dns_min_time_between_resolutions_ms", 1000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5000),
    ]


def open_channel(target: str, max_message_bytes: int = MAX_MESSAGE_BYTES, tls: ClientTls | None = None) -> grpc.Channel:
    """A channel to `host:port` (or a full gRPC target). Open one per process and target, never before a fork.

    Raises TlsError.
    """
    address = (
        target if "://" in target or target.startswith(("unix:", "dns:", "ipv4:", "ipv6:")) else f"dns:///{target}"
    )
    return connect(address, channel_options(max_message_bytes), tls)
