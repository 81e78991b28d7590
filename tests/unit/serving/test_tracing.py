"""Tracing that is off costs nothing; tracing without its package is said once."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.serving import tracing

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from services.serving import tracing
import orchestrator.api.server, orchestrator.worker.worker, services.serving.server
assert not tracing.configure("here")
with tracing.span("a", "server", rows=1) as span:
    span.set_attribute("b", 1)
    tracing.past("c", 0, 1)
    assert tracing.metadata() is None and tracing.traceparent() == tracing.trace_id() == ""
    assert tracing.parent_of([("traceparent", "x")]) == ""
tracing.shutdown()
# redis-py looks for OpenTelemetry's metrics by itself
loaded = [name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))]
sys.exit(str(loaded) if loaded else 0)
"""


@pytest.fixture
def nowhere(monkeypatch):
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


def test_without_an_endpoint_nothing_is_imported(nowhere):
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_the_package_everything_works_and_says_so(nowhere, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    assert not tracing.configure("here")
    assert "steerscope[tracing]" in caplog.text
    with tracing.span("a"):
        assert tracing.traceparent() == ""


def test_an_exception_marks_its_span_by_its_class_alone(nowhere, monkeypatch):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with pytest.raises(ValueError, match="a prompt"), tracing.span("a", "server", parent):
        assert tracing.parent_of(tracing.metadata()) == tracing.traceparent()
        assert tracing.trace_id() == "0af7651916cd43dd8448eb211c80319c"
        raise ValueError("a prompt")
    (span,) = exporter.get_finished_spans()
    assert span.status.description == "ValueError"
    assert not span.events
    assert f"{span.parent.span_id:x}" == "b7ad6b7169203331"
