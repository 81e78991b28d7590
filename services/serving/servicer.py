"""The calls of the Open Inference Protocol that SteerScope serves; gRPC answers UNIMPLEMENTED to all others."""

import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

import grpc

from services.serving import describe, tracing
from services.serving.admission import Admission
from services.serving.errors import InvalidInputError, ServingError, shortened
from services.serving.faults import error_id
from services.serving.inference import Inference
from services.serving.oip import SERVICE_NAME, pb
from services.serving.parsing import Malformed, parser
from services.serving.registry import Registry
from services.serving.settings import ServiceSettings
from services.serving.state import State
from services.serving.statistics import ModelCounters

logger = logging.getLogger(__name__)
EXTENSIONS = ("model_configuration", "parameters", "schedule_policy", "statistics")
PUSHBACK = "grpc-retry-pushback-ms"
Method = Callable[[Any, Any], Awaitable[Any]]


class Servicer:
    """Answers what is asked about a service and passes inference on."""

    def __init__(
        self,
        service: str,
        settings: ServiceSettings,
        registry: Registry,
        state: State,
        admission: Admission,
        counters: Mapping[str, ModelCounters],
        inference: Inference,
    ) -> None:
        self._service = service
        self._settings = settings
        self._registry = registry
        self._state = state
        self._admission = admission
        self._counters = counters
        self._inference = inference

    def handler(self) -> grpc.GenericRpcHandler:
        """The methods, as gRPC wants them."""
        methods: dict[str, Method] = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ServerMetadata": self.server_metadata,
            "ModelReady": self.model_ready,
            "ModelMetadata": self.model_metadata,
            "ModelConfig": self.model_config,
            "ModelStatistics": self.model_statistics,
            "ModelInfer": self.model_infer,
        }
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    self._guarded(method),
                    request_deserializer=parser(getattr(pb, f"{name}Request")),
                    response_serializer=getattr(pb, f"{name}Response").SerializeToString,
                )
                for name, method in methods.items()
            },
        )

    async def server_live(self, request: Any, context: Any) -> Any:
        """Alive as long as it can answer, whatever the compute thread does."""
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self, request: Any, context: Any) -> Any:
        return pb.ServerReadyResponse(ready=self._state.ready)

    async def server_metadata(self, request: Any, context: Any) -> Any:
        return pb.ServerMetadataResponse(
            name=f"steerscope-{self._service}", version=version("steerscope"), extensions=EXTENSIONS
        )

    async def model_ready(self, request: Any, context: Any) -> Any:
        if request.name not in self._registry.specs:
            self._registry.model(request.name)
        model = self._registry.models.get(request.name)
        known = model is not None and request.version in ("", model.version)
        return pb.ModelReadyResponse(ready=known and self._state.ready)

    async def model_metadata(self, request: Any, context: Any) -> Any:
        model = self._registry.model(request.name, request.version)
        return describe.metadata(model.spec, model.version)

    async def model_config(self, request: Any, context: Any) -> Any:
        model = self._registry.model(request.name, request.version)
        return pb.ModelConfigResponse(config=describe.config(model.spec, model.facts, self._settings))

    async def model_statistics(self, request: Any, context: Any) -> Any:
        names = [request.name] if request.name else list(self._registry.specs)
        models = [self._registry.model(name, request.version) for name in names]
        return pb.ModelStatisticsResponse(
            model_stats=[self._counters[model.spec.name].to_message() for model in models]
        )

    async def model_infer(self, request: Any, context: Any) -> Any:
        if request.model_name in self._registry.specs:
            self._state.check_open()
        parent = tracing.parent_of(context.invocation_metadata())
        with tracing.span(request.model_name, "server", parent, service=self._service):
            return await self._inference.infer(request, context.time_remaining())

    def _guarded(self, method: Method) -> Method:
        @functools.wraps(method)
        async def call(request: Any, context: Any) -> Any:
            try:
                if isinstance(request, Malformed):
                    raise InvalidInputError(f"{request.rule}; {request.remedy}")
                return await method(request, context)
            except ServingError as error:
                pushback = error.status is grpc.StatusCode.RESOURCE_EXHAUSTED
                trailing = ((PUSHBACK, str(self._admission.pushback_ms())),) if pushback else ()
                await context.abort(error.status, shortened(str(error)), trailing_metadata=trailing)
            except Exception:
                reference = error_id()
                logger.exception("%s failed (error id %s)", method.__name__, reference)
                await context.abort(grpc.StatusCode.INTERNAL, f"the service failed inside (error id {reference})")

        return call
