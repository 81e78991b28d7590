"""`ApiServer`: one API process — the gRPC server with health and reflection, the dispatcher and the sweeper."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from wsgiref.simple_server import WSGIServer

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import REGISTRY

from orchestrator import metrics
from orchestrator.access import is_loopback
from orchestrator.api.backend import Backend
from orchestrator.api.gauges import DeploymentCollector
from orchestrator.api.methods import handler
from orchestrator.api.servicer import Servicer
from orchestrator.api.tokens import TokenInterceptor, Tokens
from orchestrator.jobs.database import Database
from orchestrator.jobs.dispatcher import dispatcher
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.store import JobStore
from orchestrator.jobs.sweeper import sweeper
from orchestrator.queue.app import make_app
from orchestrator.queue.tasks import publisher
from orchestrator.settings import OrchestratorSettings
from protos.v1 import jobs_pb2
from services.serving.limits import server_options
from services.serving.tls import add_port

log = logging.getLogger(__name__)

SERVICE = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"].full_name
_REDIS_RETRY_SECONDS = 5.0  # a caller waits; workers are more patient
_NOTICE_SECONDS = 1.0  # for clients to see NOT_SERVING before calls are refused


class ApiServer:
    """Start, then `drain` once."""

    def __init__(self, settings: OrchestratorSettings, backend: Backend) -> None:
        """Raises TokensError."""
        self._settings = settings
        self._database = Database.connect(settings, _REDIS_RETRY_SECONDS)
        self._servicer = Servicer(settings, self._database, backend)
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(1, "health")
        )
        calls = settings.api_threads  # of a connection: what waits for a thread only ages
        self._server = grpc.server(
            ThreadPoolExecutor(settings.api_threads, "call"),
            interceptors=_interceptors(settings),
            options=server_options(
                max_message_bytes=settings.api_max_message_bytes,
                max_streams=calls,
                age_seconds=settings.api_max_connection_age_seconds,
                grace_seconds=settings.api_max_connection_age_grace_seconds,
            ),
            maximum_concurrent_rpcs=2 * calls,  # so that one caller's overload leaves room for others and health checks
        )
        self._server.add_generic_rpc_handlers((handler(self._servicer),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        store, reader = JobStore(self._database, settings), JobReader(self._database)
        self._chores = [
            dispatcher(store, publisher(make_app(settings), reader)),
            sweeper(store, settings),
        ]
        # Impatient: a scrape that waits for Redis tells nothing at all.
        self._gauges = Database.connect(settings, 0)
        self._collector = DeploymentCollector(self._gauges)
        self._metrics: WSGIServer | None = None
        self.port = 0

    def start(self) -> None:
        """Serve. Raises RuntimeError or OSError if a port is taken, RedisError if Redis does not answer, TlsError."""
        self._database.read("PING")
        address = f"{self._settings.api_host}:{self._settings.api_port}"
        self.port = add_port(self._server, address, self._settings.server_tls())
        _warn_of_openness(self._settings)
        self._server.start()
        for chore in self._chores:
            chore.start()
        REGISTRY.register(self._collector)
        self._metrics = metrics.serve(self._settings.metrics_host, self._settings.metrics_port)
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
        self._servicer.close()
        metrics.close(self._metrics)
        REGISTRY.unregister(self._collector)
        self._gauges.close()
        self._database.close()


def _interceptors(settings: OrchestratorSettings) -> list[grpc.ServerInterceptor]:
    """What every call passes, outermost first."""
    return [] if settings.api_token_file is None else [TokenInterceptor(Tokens(settings.api_token_file))]


def _warn_of_openness(settings: OrchestratorSettings) -> None:
    """Other machines reach the port: say what that means, once."""
    if is_loopback(settings.api_host):
        return
    if settings.api_token_file is None:
        log.warning(
            "%s is no loopback address and no token is asked for: whoever reaches the port can submit jobs and read "
            "results and images; set STEERSCOPE_API_TOKEN_FILE",
            settings.api_host,
        )
    if settings.tls_cert is None:
        log.warning(
            "%s is no loopback address and there is no TLS: whoever hears the network reads tokens, texts and results; "
            "set STEERSCOPE_TLS_CERT and STEERSCOPE_TLS_KEY",
            settings.api_host,
        )
