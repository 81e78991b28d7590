"""A worker's log of the real pipeline at INFO: where every record belongs, and no text of a feature or a prompt."""

import json
import logging
from collections.abc import Iterator
from functools import partial
from io import StringIO

import pytest

from orchestrator import metrics
from orchestrator.pipeline.feature import run_feature
from orchestrator.pipeline.results import load_result
from orchestrator.queue.tasks import EXPLAIN
from orchestrator.remote import Calls
from orchestrator.worker.keeper import LeaseKeeper
from orchestrator.worker.runner import Runner
from services.serving.logs import configure_logging
from tests.redis import redis_server
from tests.unit.jobs.conftest import Jobs, jobs, new_jobs
from tests.unit.pipeline.conftest import World

__all__ = ["jobs", "new_jobs", "redis_server"]

FEATURE = "1"


@pytest.fixture
def stream(monkeypatch) -> Iterator[StringIO]:
    """What `configure_logging` writes to."""
    root, written = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", written)
    configure_logging("worker", "json", "INFO")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def test_records_of_a_feature(world: World, jobs: Jobs, stream: StringIO, monkeypatch):
    asked = Calls.infer

    def infer(self, *arguments, **options):
        logging.getLogger("inside").info("a call")
        return asked(self, *arguments, **options)

    monkeypatch.setattr(Calls, "infer", infer)
    plan = world.plan()
    job = jobs.store.submit("request", EXPLAIN, plan.model_dump_json(), b"spec", [FEATURE])
    counted = metrics.OUTCOMES.labels("steering", "ok")._value.get()
    runner = Runner(
        jobs.store, jobs.reader, {EXPLAIN: partial(run_feature, deps=world.deps)}, LeaseKeeper(jobs.store, 10)
    )
    runner.run(job, FEATURE)
    (item,) = jobs.reader.items(job)
    result = load_result(item.artifact, world.deps.store)
    texts = {variant.text for variant in result.variants}
    assert metrics.OUTCOMES.labels("steering", "ok")._value.get() == counted + 1
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert records[-1]["event"].endswith(": done") and len(texts) > 1
    assert {(record["job"], record["item"], record["service"]) for record in records} == {(job, FEATURE, "worker")}
    stages = {record["stage"] for record in records if record["event"] == "a call"}
    assert {"features", "explain", "generate", "segment", "embed"} <= stages
    for text in (*texts, *plan.prompts.model_dump().values()):
        assert text not in stream.getvalue()
