"""What one gRPC server bears from its peers: the arguments that the model services and the Jobs API share."""

_MAX_METADATA_BYTES = 16 << 10  # a token, a trace and deadlines take one; headers are held before a call is known
_MIN_PING_SECONDS = 20.0  # clients here ping every 30 s; whoever does so much more often is sent away
_PING_SECONDS, _PONG_SECONDS = 60.0, 20.0  # a peer that lost power holds its streams no longer than their sum
_HANDSHAKE_SECONDS = 20.0  # a connection that does not get beyond its greeting in this time is closed


def server_options(
    *, max_message_bytes: int, max_streams: int, age_seconds: float, grace_seconds: float
) -> list[tuple[str, int]]:
    """gRPC's server arguments. Times in seconds.

    A message counts by its size after decompression. `max_streams` is per connection; calls above it wait in the
    client. A connection ends after `age_seconds`, its calls `grace_seconds` later at the latest: clients look for new
    replicas then, certificates and tokens that do not count any more are asked for again.
    """
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", max_streams),
        ("grpc.max_connection_age_ms", _ms(age_seconds)),
        ("grpc.max_connection_age_grace_ms", _ms(grace_seconds)),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _ms(_MIN_PING_SECONDS)),
        ("grpc.keepalive_time_ms", _ms(_PING_SECONDS)),
        ("grpc.keepalive_timeout_ms", _ms(_PONG_SECONDS)),
        ("grpc.server_handshake_timeout_ms", _ms(_HANDSHAKE_SECONDS)),
        ("grpc.so_reuseport", 0),
    ]


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
