"""A toy service in this process: real gRPC on a free port, a model that the tests can hold and break."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.serving import codec
from services.serving.oip import SERVICE_NAME, GRPCInferenceServiceStub
from services.serving.server import ServiceServer
from services.serving.settings import ServiceSettings
from tests.unit.serving.toy import TOY, WHOLE, ToyModel, WholeModel, row


@dataclass
class Service:
    server: ServiceServer
    model: ToyModel
    stub: Any
    channel: grpc.aio.Channel

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def infer(self, *prompts: str, timeout: float | None = 30, **parameters: Any) -> Any:
        """A call in flight; await it for the response."""
        request = codec.encode_request(TOY, [row(prompt) for prompt in prompts], parameters)
        return self.stub.ModelInfer(request, timeout=timeout)

    async def health(self) -> str:
        stub = health_pb2_grpc.HealthStub(self.channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))

    async def occupy(self) -> Any:
        """Block the compute thread with a request until the model's gate opens; returns that call."""
        self.model.gate.clear()
        self.model.started.clear()
        call = self.infer("busy", steps=9)
        task = asyncio.ensure_future(call)
        assert await asyncio.to_thread(self.model.started.wait, 10)
        return task

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110 (any condition)
                await asyncio.sleep(0.01)


Serve = Callable[..., AbstractAsyncContextManager[Service]]


@asynccontextmanager
async def serve_toy(
    model: ToyModel | None = None, load: Callable[[ToyModel], Any] = lambda model: (model, WholeModel()), **options: Any
) -> AsyncIterator[Service]:
    model = model or ToyModel()
    settings = ServiceSettings(
        **{"port": 0, "drain_wait_seconds": 0.3, "drain_timeout_seconds": 10, "metrics_port": 0, **options}
    )
    server = ServiceServer("toy", settings, (TOY, WHOLE), lambda: load(model))
    starting = asyncio.create_task(server.start())
    while not server.port:  # noqa: ASYNC110 (the port is known before the start ends)
        await asyncio.sleep(0.001)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        service = Service(server, model, GRPCInferenceServiceStub(channel), channel)
        if load.__name__ != "slow":
            await starting
        try:
            yield service
        finally:
            model.gate.set()
            await asyncio.gather(starting, return_exceptions=True)
            await server.stop()


@pytest.fixture
def serve() -> Serve:
    return serve_toy
