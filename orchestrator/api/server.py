"""`ApiServer`: one API process — the gRPC server with health and reflection, the dispatcher and the sweeper."""

from __future__ import annotations

import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server
from redis.exceptions import RedisError

from orchestrator.api.backend import Backend
from orchestrator.api.methods import handler
from orchestrator.api.servicer import Servicer
from orchestrator.jobs.database import Database
from orchestrator.jobs.dispatcher import dispatcher
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.store import JobStore
from orchestrator.jobs.sweeper import sweeper
from orchestrator.queue import metrics
from orchestrator.queue.app import make_app
from orchestrator.queue.tasks import publisher
from orchestrator.settings import OrchestratorSettings
from protos.v1 import jobs_pb2

log = logging.getLogger(__name__)

SERVICE = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"].full_name
_MAX_MESSAGE_BYTES = 64 << 20
_REDIS_RETRY_SECONDS = 5.0  # a caller waits; workers are more patient
_NOTICE_SECONDS = 1.0  # for clients to see NOT_SERVING before calls are refused


class ApiServer:
    """Start, then `drain` once."""

    def __init__(self, settings: OrchestratorSettings, backend: Backend) -> None:
        self._settings = settings
        patience = min(settings.redis_retry_seconds, _REDIS_RETRY_SECONDS)
        self._database = Database(settings.redis_with_password(), settings.key_prefix, patience)
        self._servicer = Servicer(settings, self._database, backend)
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(1, "health")
        )
        self._server = grpc.server(
            ThreadPoolExecutor(settings.api_threads, "call"),
            options=[
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
                ("grpc.so_reuseport", 0),
            ],
            # Beyond this, calls are refused at once (RESOURCE_EXHAUSTED): an endless queue would answer nobody in time.
            maximum_concurrent_rpcs=2 * settings.api_threads,
        )
        self._server.add_generic_rpc_handlers((handler(self._servicer),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        store, reader = JobStore(self._database, settings), JobReader(self._database)
        self._chores = [
            dispatcher(store, publisher(make_app(settings), reader)),
            sweeper(store, settings),
        ]
        self.port = 0

    def start(self) -> None:
        """Serve. Raises RuntimeError if the port is taken, RedisError if Redis does not answer."""
        self._database.read("PING")
        self.port = self._server.add_insecure_port(f"{self._settings.api_host}:{self._settings.api_port}")
        self._server.start()
        for chore in self._chores:
            chore.start()
        if self._settings.metrics_port:
            metrics.QUEUE.set_function(self._queue_length)  # told here, too: there may be no worker to tell it
            start_http_server(self._settings.metrics_port)
        for service in ("", SERVICE):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        log.info("serving on %s:%d", self._settings.api_host, self.port)

    def drain(self) -> None:
        """NOT_SERVING, end the watchers (they go on elsewhere), give other calls `drain_seconds`, stop."""
        self._health.enter_graceful_shutdown()
        time.sleep(_NOTICE_SECONDS)
        self._servicer.draining.set()
        self._server.stop(self._settings.drain_seconds).wait()
        for chore in self._chores:
            chore.stop()
        self._database.close()

    def _queue_length(self) -> float:
        try:
            return self._database.queue_length()
        except RedisError:
            return math.nan
