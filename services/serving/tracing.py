"""OpenTelemetry traces, for services and orchestrator alike. Off, and nothing imported, unless an endpoint is named.

Spans carry names, ids and numbers; no prompts, texts or messages of exceptions.
"""

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

ENDPOINTS = ("STEERSCOPE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
HEADER = "traceparent"  # W3C trace context, in gRPC's metadata
Kind = Literal["internal", "server", "client", "consumer"]
Value = str | int | float | bool

_EXPORT_SECONDS = 5
_provider: Any = None
_tracer: Any = None
logger = logging.getLogger(__name__)


class NoSpan:
    """What stands for a span while tracing is off."""

    def set_attribute(self, name: str, value: Value) -> None:
        """Nothing."""


_NO_SPAN = NoSpan()


def configure(service: str) -> bool:
    """Start tracing if the environment names an OTLP endpoint (gRPC) and OpenTelemetry is there; whether it does."""
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    if not endpoint:
        return False
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        logger.warning("no traces: %s; install 'steerscope[tracing]'", error)
        return False
    global _provider, _tracer  # noqa: PLW0603 -- one tracer per process, as OpenTelemetry has it
    instance = f"{socket.gethostname()}/{os.getpid()}"
    resource = Resource.create({"service.name": f"steerscope-{service}", "service.instance.id": instance})
    exporter = OTLPSpanExporter(endpoint, insecure=not endpoint.startswith("https://"), timeout=_EXPORT_SECONDS)
    _provider = TracerProvider(resource=resource)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("steerscope")
    logger.info("traces go to %s", endpoint)
    return True


def shutdown() -> None:
    """Send what is left, and stop."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.shutdown()


@contextmanager
def span(name: str, kind: Kind = "internal", parent: str = "", **attributes: Value) -> Iterator[Any]:
    """A span around the block, inside the current one or the one of `parent` (a traceparent).

    The block's exceptions mark it as failed, by their class alone.
    """
    if _tracer is None:
        yield _NO_SPAN
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    with _tracer.start_as_current_span(
        name,
        context=_remote(parent) if parent else None,
        kind=SpanKind[kind.upper()],
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def past(name: str, start: float, end: float, **attributes: Value) -> None:
    """A span inside the current one that is over; unix seconds."""
    if _tracer is not None:
        _tracer.start_span(name, start_time=round(1e9 * start), attributes=attributes).end(round(1e9 * end))


def traceparent() -> str:
    """The current span, for a process that goes on with it; "" if there is none."""
    if _tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(HEADER, "")


def metadata() -> tuple[tuple[str, str], ...] | None:
    """The current span as metadata of a gRPC call."""
    parent = traceparent()
    return ((HEADER, parent),) if parent else None


def parent_of(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """The caller's span, from the metadata of its call; "" if it sent none."""
    if _tracer is None:
        return ""
    return next((str(value) for key, value in metadata or () if key == HEADER), "")


def trace_id() -> str:
    """Of the current span, for log records; "" if there is none."""
    return traceparent()[3:35]


def _remote(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({HEADER: parent})
