"""One service: its server, its threads, and its life from loading to drain."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.serving.admission import Admission
from services.serving.batcher import Batcher
from services.serving.inference import Inference
from services.serving.intake import open_images
from services.serving.limits import server_options
from services.serving.memory import MemoryCollector
from services.serving.metrics import Metrics
from services.serving.oip import SERVICE_NAME
from services.serving.parameters import default_parameters
from services.serving.registry import Model, Registry, Spec
from services.serving.residence import Residence
from services.serving.servicer import Servicer
from services.serving.settings import ServiceSettings
from services.serving.state import Phase, State
from services.serving.statistics import ModelCounters
from services.serving.tls import add_port

logger = logging.getLogger(__name__)
_FLUSH_SECONDS = 1.0  # for answers that are written but not yet sent
_POLL_SECONDS = 0.02
_OTHER_CALLS = 256  # health watches, questions, requests about to be refused


class ServiceServer:
    """Serves models from `load`, which runs in the compute thread, as all that touches the device does."""

    def __init__(
        self, service: str, settings: ServiceSettings, specs: Sequence[Spec], load: Callable[[], Sequence[Model]]
    ) -> None:
        self.settings = settings
        self.port = settings.port
        self.device_lost = asyncio.Event()
        self._load = load
        self._registry = Registry(specs)
        self._counters = {spec.name: ModelCounters(spec.name) for spec in specs}
        self._admission = Admission(settings.max_queue_size, settings.max_queue_bytes, settings.max_queue_pixels)
        self._residence = Residence(settings.idle_unload_seconds)
        self._metrics = Metrics(self._counters, self._admission)
        self._metrics.registry.register(MemoryCollector(self._residence, list(self._counters)))
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._decoders = ThreadPoolExecutor(settings.decode_threads, thread_name_prefix="decode")
        self._batcher = Batcher(
            self._compute,
            delay=settings.max_queue_delay_microseconds / 1e6,
            bulk_patience=settings.bulk_patience_seconds,
            max_batch_size=settings.max_batch_size,
            residence=self._residence,
            on_batch=self._count_batch,
            on_device_lost=self.device_lost.set,
        )
        self._metrics.triton.watch(self._batcher)
        self._state = State()
        inference = Inference(
            self._registry,
            self._admission,
            self._batcher,
            self._decoders,
            self._counters,
            self._metrics,
            settings.max_message_bytes,
        )
        self._servicer = Servicer(
            service, settings, self._registry, self._state, self._admission, self._counters, inference
        )
        # A bound below admission: each call in flight may hold a message that is not admitted yet.
        calls = settings.max_queue_size + _OTHER_CALLS
        options = server_options(
            max_message_bytes=settings.max_message_bytes,
            max_streams=calls,
            age_seconds=settings.max_connection_age_seconds,
            grace_seconds=settings.max_connection_age_grace_seconds,
        )
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=calls)
        self._metrics_server: Any = None
        self._batching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the ports (health: NOT_SERVING), load and warm up the models, then be ready.

        Raises OSError if a port is taken, TlsError, and whatever the loading of the models raises.
        """
        await self._state.enter(Phase.LOADING)
        self._listen()
        await self._server.start()
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        models = await loop.run_in_executor(self._compute, self._prepare_models)
        self._registry.install(models)
        self._residence.install(models)
        for model in models:
            self._counters[model.spec.name].version = model.version
        self._batching = asyncio.create_task(self._batcher.run())
        await self._state.enter(Phase.READY)
        logger.info("ready on port %d after %.1f s", self.port, time.monotonic() - started)

    async def drain(self) -> bool:
        """NOT_SERVING → wait → refuse new requests → finish those inside. False if some did not finish in time."""
        await self._state.enter(Phase.LEAVING)
        await asyncio.sleep(self.settings.drain_wait_seconds)
        await self._state.enter(Phase.CLOSED)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_timeout_seconds):
                while self._admission.requests:  # noqa: ASYNC110 (counted in several threads)
                    await asyncio.sleep(_POLL_SECONDS)
        return self._admission.requests == 0

    async def stop(self) -> None:
        """Close the ports and the threads; requests that are still inside are cancelled."""
        await self._state.enter(Phase.CLOSED)
        await self._server.stop(_FLUSH_SECONDS)
        if self._batching is not None:
            self._batching.cancel()
            with suppress(asyncio.CancelledError):
                await self._batching
        if self._metrics_server is not None:
            self._metrics_server.shutdown()
            self._metrics_server.server_close()
        self._compute.shutdown(wait=False, cancel_futures=True)
        self._decoders.shutdown(wait=False, cancel_futures=True)

    def _listen(self) -> None:
        self._server.add_generic_rpc_handlers((self._servicer.handler(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._state.health, self._server)
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection((SERVICE_NAME, health_name, reflection.SERVICE_NAME), self._server)
        try:
            address = f"{self.settings.host}:{self.settings.port}"
            self.port = add_port(self._server, address, self.settings.server_tls())
        except RuntimeError as error:
            raise OSError(f"port {self.settings.port} of {self.settings.host} cannot be opened; set another") from error
        port = self.settings.effective_metrics_port
        if port:
            self._metrics_server = self._metrics.serve(self.settings.metrics_host or self.settings.host, port)

    def _prepare_models(self) -> list[Model]:
        if self.settings.max_device_memory_gib is not None:
            from services.serving.device import limit_memory

            limit_memory(self.settings.device, self.settings.max_device_memory_gib)
        models = list(self._load())
        for model in models:
            for rows in model.warm_up():
                model.run(open_images(model, rows), default_parameters(model.spec))
        return models

    def _count_batch(self, model: Model, rows: int, nanoseconds: int) -> None:
        self._counters[model.spec.name].execute(rows, nanoseconds)
        self._metrics.observe_batch(model.spec.name, rows, nanoseconds)
