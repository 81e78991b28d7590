"""`python -m tests.load fuzz`: mutated messages to all services and the Jobs API; no crash, hang or unclean status."""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.client import JobsClient
from protos.v1.jobs_pb2 import JobSpec
from services.serving.oip import GRPCInferenceServiceStub, pb
from tests.integration.stack import RunningStack
from tests.load.arrivals import open_channel
from tests.load.fuzz.cases import api_cases, api_requests, model_cases, model_requests
from tests.load.fuzz.engine import Findings, fuzz
from tests.load.watching import progress
from tests.services import SERVICES
from tests.simulation.deployment import Shape, deployment

# Explain computes in the API's own process, and Submit plans: the cheap ones get more messages.
SHARES = {
    "Submit": 0.3,
    "Get": 0.1,
    "List": 0.07,
    "Watch": 0.1,
    "Cancel": 0.1,
    "Results": 0.05,
    "Export": 0.02,
    "Import": 0.05,
    "Estimate": 0.01,
    "Explain": 0.05,
    "Status": 0.02,
    "Labels": 0.03,
    "Embed": 0.05,
    "Search": 0.03,
    "Probe": 0.02,
}
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--messages", type=int, default=100_000, help="to each target (default: 100000)")
    parser.add_argument("--targets", default=",".join((*SERVICES, "api")), help="which (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="folder of fuzz.json and of bad messages")


def run(options: argparse.Namespace) -> int:
    """0 if every message got a clean answer."""
    options.out.mkdir(parents=True, exist_ok=True)
    summary: dict[str, Any] = {}
    with _deployment() as running, progress() as bar:
        for target in options.targets.split(","):
            task = bar.add_task(target, total=options.messages)

            def step(done: int, task: Any = task) -> None:
                bar.update(task, completed=done)

            rng = Random(f"{options.seed} {target}")
            if target == "api":
                found = fuzz_api(running, rng, options.messages, step)
            else:
                found = fuzz_service(target, running.stack.addresses.services[target], rng, options.messages, step)
            summary[target] = {"statuses": dict(found.statuses), "bad": len(found.bad), "seconds": round(found.seconds)}
            _keep(options.out, target, found, running)
            (options.out / "fuzz.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary, indent=1))
    return int(any(one["bad"] for one in summary.values()))


def fuzz_service(
    service: str, address: str, rng: Random, count: int, step: Callable[[int], None] = lambda done: None
) -> Findings:
    """Mutated ModelInfer requests to one service; in between, correct ones must be answered."""
    with open_channel(address) as channel:
        stub: Any = GRPCInferenceServiceStub(channel)

        def facts(model: str) -> dict[str, str]:
            config = stub.ModelConfig(pb.ModelConfigRequest(name=model), timeout=60).config
            return {name: value.string_value for name, value in config.parameters.items()}

        valid = model_requests(service, facts)

        def healthy() -> None:
            for request in valid:
                stub.ModelInfer(request, timeout=120)

        healthy()
        return fuzz(channel, model_cases(rng, valid), count, healthy, step)


def fuzz_api(
    running: RunningStack, rng: Random, count: int, step: Callable[[int], None] = lambda done: None
) -> Findings:
    """Mutated calls of every method of the Jobs API. No worker should run: jobs stay queued, and cost nothing."""
    client = JobsClient(running.stack.addresses.api)
    job = client.submit(JobSpec(feature_ids=[0], variants=["steering"], scores=["none"]))
    client.cancel(job.id)
    valid = api_requests(job.id, str(running.stack.images / "test"))

    def healthy() -> None:
        assert client.get(job.id).id == job.id
        assert list(client.explain(1, spec=JobSpec(variants=["steering"], scores=["none"])))

    with open_channel(running.stack.addresses.api) as channel:
        return fuzz(channel, api_cases(rng, valid, SHARES), count, healthy, step)


@contextmanager
def _deployment() -> Iterator[RunningStack]:
    """Its worker ends when the images are indexed. Connections do not age: a call on one that ends is UNAVAILABLE."""
    ages = {f"STEERSCOPE_{name.upper()}_MAX_CONNECTION_AGE_SECONDS": "86400" for name in (*SERVICES, "api")}
    with tempfile.TemporaryDirectory() as home, deployment(Path(home), Shape(environment=ages)) as running:
        stop_workers(running)
        yield running


def stop_workers(running: RunningStack) -> None:
    """End all workers, so that submitted jobs stay in the queue."""
    for name in [name for name in running.supervisor.pids() if name.startswith("worker")]:
        running.supervisor.process(name).terminate()
        running.supervisor.process(name).wait(60)


def _keep(out: Path, target: str, found: Findings, running: RunningStack) -> None:
    """The first bad messages, and the log of who got them."""
    if found.bad:
        process = running.supervisor.process(target if target == "api" else f"{target}-1")
        (out / f"{target}.log").write_bytes(process.log_file.read_bytes())
    for number, (case, what) in enumerate(found.bad[:_SHOWN]):
        (out / f"{target}-{number}.bin").write_bytes(case.data)
        print(f"{target}-{number}: {case.method}: {what[:300]}")
