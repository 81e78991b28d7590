"""The replicas behind the model services' names: found by DNS, asked for their health and for what they have done."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.serving.oip import GRPCInferenceServiceStub, pb
from services.serving.tls import ClientTls, connect

_SECONDS = 1.0  # for one replica to answer
_FRESH_SECONDS = 0.8  # many may watch: they share what was seen so lately
_THREADS = 16
_NANO = 1e-9
Place = tuple[str, str]  # service, address


@dataclass(frozen=True)
class ModelLoad:
    """What a replica has done with a model since it started; seconds are summed over requests or batches."""

    name: str
    requests: int
    failures: int
    rows: int
    batches: int
    queue_seconds: float
    compute_seconds: float

    @classmethod
    def of(cls, told: Any) -> ModelLoad:
        """From the protocol's ModelStatistics."""
        stats = told.inference_stats
        compute = sum(batch.compute_infer.ns for batch in told.batch_stats)
        return cls(
            name=told.name,
            requests=stats.success.count,
            failures=stats.fail.count,
            rows=told.inference_count,
            batches=told.execution_count,
            queue_seconds=stats.queue.ns * _NANO,
            compute_seconds=compute * _NANO,
        )


@dataclass(frozen=True)
class Replica:
    """One process of a service; `state` is ready, not_ready (loading or draining) or unreachable."""

    service: str
    address: str
    state: str
    models: tuple[ModelLoad, ...] = ()


class Board:
    """Looks at the replicas of all targets (service → gRPC target). Thread-safe; keeps its channels."""

    def __init__(self, targets: Mapping[str, str], tls: ClientTls | None = None) -> None:
        self._targets = dict(targets)
        self._tls = tls
        self._channels: dict[Place, grpc.Channel] = {}
        self._lock = threading.Lock()
        self._seen: list[Replica] = []
        self._until = 0.0

    def look(self) -> list[Replica]:
        """All replicas, by service and address. A name without an address is one that is unreachable."""
        with self._lock:
            if time.monotonic() >= self._until:
                with ThreadPoolExecutor(_THREADS, thread_name_prefix="look") as pool:
                    places = zip(self._targets, pool.map(addresses, self._targets.values()), strict=True)
                    found = [(name, address) for name, many in places for address in many]
                    self._connect(found)
                    self._seen = list(pool.map(self._ask, found))
                self._until = time.monotonic() + _FRESH_SECONDS
            return self._seen

    def close(self) -> None:
        """Close the channels."""
        with self._lock:
            self._connect(())

    def _connect(self, wanted: Iterable[Place]) -> None:
        """Channels to the places wanted, none to others."""
        places = set(wanted)
        for gone in self._channels.keys() - places:
            self._channels.pop(gone).close()
        for new in places - self._channels.keys():
            self._channels[new] = self._open(*new)

    def _open(self, service: str, address: str) -> grpc.Channel:
        """Under TLS a certificate names the service's host, not the address of one replica. Raises TlsError."""
        host = _bare(self._targets[service]).rpartition(":")[0].strip("[]")
        return connect(address, [("grpc.ssl_target_name_override", host)] if self._tls else [], self._tls)

    def _ask(self, place: Place) -> Replica:
        service, address = place
        channel = self._channels[place]
        try:
            told = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
            if told.status != health_pb2.HealthCheckResponse.SERVING:
                return Replica(service, address, "not_ready")
            stub = GRPCInferenceServiceStub(channel)
            statistics = stub.ModelStatistics(pb.ModelStatisticsRequest(), timeout=_SECONDS).model_stats
        except grpc.RpcError:
            return Replica(service, address, "unreachable")
        return Replica(service, address, "ready", tuple(ModelLoad.of(one) for one in statistics))


def addresses(target: str) -> list[str]:
    """`IP:PORT` of every replica behind a gRPC target, a list or a name; its own words where DNS knows none."""
    return [address for place in _bare(target).split(",") for address in _resolved(place)]


def _resolved(place: str) -> list[str]:
    host, _, port = place.rpartition(":")
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)}
    except (OSError, ValueError):
        return [place]
    return sorted(f"[{one}]:{port}" if ":" in str(one) else f"{one}:{port}" for one in found)


def _bare(target: str) -> str:
    return target.removeprefix("dns:///").removeprefix("ipv4:")
