"""The typed client of a model service: rows in, results out. Synchronous, to be called from threads."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Self

import grpc

from services.serving import codec, tracing
from services.serving.channel import MAX_MESSAGE_BYTES, open_channel
from services.serving.chunks import split_rows
from services.serving.errors import CancelledError, InvalidInputError, ServingError, UnavailableError, error_of
from services.serving.handshake import tls_trouble
from services.serving.oip import GRPCInferenceServiceStub, pb
from services.serving.parameters import PRIORITY, Priority
from services.serving.rotation import Rotating
from services.serving.spec import ModelSpec, ParameterValue, Result, Row
from services.serving.tls import ClientTls

Flight = Any  # a gRPC future
_POLL_SECONDS = 0.25
_IDENTITY_SECONDS = 30.0  # how long versions, facts and faults are remembered
_IDENTITY_TIMEOUT = 30.0
_WINDOW = 4  # requests of one call in flight: keeps several replicas busy, bounds memory
_HEADROOM = 1 << 20
_NO_CONNECTION = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)  # what no connection ends in


class ServiceClient:
    """A client of one service. Open one per process; it may be used from many threads at once."""

    def __init__(
        self, target: str, *, max_message_bytes: int = MAX_MESSAGE_BYTES, tls: ClientTls | None = None
    ) -> None:
        """Raises TlsError."""
        self.target = target
        self._max_bytes = max_message_bytes - _HEADROOM
        self._tls = tls
        self._stubs: Rotating[Any] = Rotating(
            lambda: open_channel(target, max_message_bytes, tls), GRPCInferenceServiceStub, tls
        )
        self._remembered: dict[tuple[str, str], tuple[float, Any]] = {}

    def infer(
        self,
        spec: ModelSpec[Row, Result],
        rows: Sequence[Row],
        *,
        timeout: float,
        parameters: Mapping[str, ParameterValue] | None = None,
        cancelled: Callable[[], bool] | None = None,
        priority: Priority = Priority.BULK,
        version: str = "",
    ) -> list[Result]:
        """Results in the order of `rows`, cut into as many requests as their shapes, number and bytes ask for.

        `timeout` (seconds) is for the whole call; a service that is down is waited for that long. `cancelled` is
        asked four times a second. With a `version`, a service that holds another one refuses. Raises the
        `ServingError` of the status (`CancelledError`, `ExpiredError`, …), ValueError or TypeError for rows that
        break the spec.
        """
        deadline = time.monotonic() + timeout
        waiting = split_rows(spec, rows, self._max_bytes)[::-1]
        results: dict[int, Result] = {}
        flights: dict[Flight, list[int]] = {}
        landed: SimpleQueue[Flight] = SimpleQueue()
        with self._stubs.use() as stub:
            try:
                while waiting or flights:
                    while waiting and len(flights) < _WINDOW:
                        chunk = waiting.pop()
                        request = codec.encode_request(spec, [rows[i] for i in chunk], parameters)
                        request.model_version = version
                        request.parameters[PRIORITY].uint64_param = priority
                        future = stub.ModelInfer.future(
                            request,
                            timeout=max(0.0, deadline - time.monotonic()),
                            wait_for_ready=True,
                            metadata=tracing.metadata(),
                        )
                        flights[future] = chunk
                        future.add_done_callback(landed.put)
                    if cancelled is not None and cancelled():
                        raise CancelledError(f"{self._place(spec)}: the caller cancelled")
                    with suppress(Empty):
                        future = landed.get(timeout=_POLL_SECONDS)
                        chunk = flights.pop(future)
                        results.update(zip(chunk, self._outcome(spec, future), strict=True))
            finally:
                for future in flights:
                    future.cancel()
        return [results[i] for i in range(len(rows))]

    def version(self, spec: ModelSpec[Any, Any]) -> str:
        """The served model's version, remembered for half a minute. Raises `ServingError`."""

        def ask() -> str:
            request = pb.ModelMetadataRequest(name=spec.name)
            reply = self._call(spec, "ModelMetadata", request)
            return str(reply.versions[0])

        return str(self._recall(("version", spec.name), ask))

    def facts(self, spec: ModelSpec[Any, Any]) -> dict[str, str]:
        """What the served model tells about itself (layer, grid, widths …), remembered likewise."""

        def ask() -> dict[str, str]:
            config = self._call(spec, "ModelConfig", pb.ModelConfigRequest(name=spec.name)).config
            return {name: value.string_value for name, value in config.parameters.items()}

        return dict(self._recall(("facts", spec.name), ask))

    def ready(self, timeout: float) -> bool:
        """Wait until the service says that it is ready; False if it does not within `timeout` seconds.

        A channel with a connection knows it without a call: its health check (`channel.py`) drops who does not serve.
        A call before every other one would send these to every second replica only. Raises UnavailableError if the two
        cannot agree on TLS: that does not pass by waiting.
        """
        if self._stubs.connected:
            return True
        deadline, answered = time.monotonic() + timeout, False
        while (left := deadline - time.monotonic()) > 0:
            with suppress(grpc.RpcError), self._stubs.use() as stub:
                if stub.ServerReady(pb.ServerReadyRequest(), timeout=left, wait_for_ready=True).ready:
                    return True
                answered = True
            time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
        if not answered and (trouble := self._trouble()):
            raise UnavailableError(f"{self.target}: {trouble}")
        return False

    def close(self) -> None:
        """Close the channel; calls in flight fail."""
        self._stubs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recall(self, key: tuple[str, str], ask: Callable[[], Any]) -> Any:
        until, value = self._remembered.get(key, (0.0, None))
        if time.monotonic() >= until:
            value = ask()
            self._remembered[key] = (time.monotonic() + _IDENTITY_SECONDS, value)
        return value

    def _call(self, spec: ModelSpec[Any, Any], method: str, request: Any) -> Any:
        try:
            with self._stubs.use() as stub:
                return getattr(stub, method)(request, timeout=_IDENTITY_TIMEOUT, wait_for_ready=True)
        except grpc.RpcError as error:
            raise self._translate(spec, error) from error

    def _outcome(self, spec: ModelSpec[Any, Result], future: Flight) -> list[Result]:
        try:
            return codec.decode_response(spec, future.result())
        except InvalidInputError as error:
            raise ServingError(f"{self._place(spec)}: {error}") from error
        except grpc.FutureCancelledError as error:
            raise CancelledError(f"{self._place(spec)}: the call was cancelled") from error
        except grpc.RpcError as error:
            raise self._translate(spec, error) from error

    def _translate(self, spec: ModelSpec[Any, Any], error: grpc.RpcError) -> ServingError:
        code, details = error.code(), error.details()
        if code in _NO_CONNECTION:
            details = self._trouble() or details
        return error_of(code)(f"{self._place(spec)}: {details} ({code.name})")

    def _trouble(self) -> str | None:
        """What is wrong about TLS, if that is why there is no connection; looked up now and then only."""
        found: str | None = self._recall(("trouble", ""), lambda: tls_trouble(self.target, self._tls))
        return found

    def _place(self, spec: ModelSpec[Any, Any]) -> str:
        return f"model {spec.name!r} at {self.target}"
