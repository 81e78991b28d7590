"""`python -m tests.load scale`: eight replicas against one, the queue's rate, Redis by the feature, a replica's end."""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from protos.v1.jobs_pb2 import Job, JobSpec
from tests.integration.stack import RunningStack
from tests.load.watching import RedisView, failed, follow
from tests.simulation.deployment import Shape, SimulatedStack, deployment

VARIANTS = ("steering", "steering_residual", "topk_masks", "informed_masks", "informed_heatmaps")
SPEED_UP = 7.5 / 8  # of the ideal: eight replicas against one
MOST_BYTES = 20 << 10
_NO_SCORES = ("none",)
_SETTLE_SECONDS = 3.0


@dataclass
class Figures:
    """What was measured; written as JSON."""

    features: int
    latency_ms: float
    rate: dict[int, float] = field(default_factory=dict)  # replicas → features per second
    ideal: dict[int, float] = field(default_factory=dict)
    shares: dict[str, int] = field(default_factory=dict)  # rows by replica
    removal_failed: int = -1
    removal_exit: list[int | None] = field(default_factory=list)
    messages_per_second: float = 0.0
    bytes_per_feature: dict[str, float] = field(default_factory=dict)
    memory: dict[str, tuple[int, int]] = field(default_factory=dict)

    def missed(self, replicas: int) -> list[str]:
        """The figures to reach that were measured and not reached."""
        found = []
        if {1, replicas} <= self.rate.keys() and (gain := self.rate[replicas] / self.rate[1]) < SPEED_UP * replicas:
            found.append(f"{replicas} replicas are {gain:.2f} times as fast as one, {SPEED_UP * replicas:g} was wanted")
        if self.removal_failed > 0:
            found.append(f"{self.removal_failed} features failed while replicas left")
        if (most := max(self.bytes_per_feature.values(), default=0)) > MOST_BYTES:
            found.append(f"{most:.0f} bytes of Redis a feature, at most {MOST_BYTES} were wanted")
        return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--features", type=int, default=10_000, help="of the large runs (default: 10000)")
    parser.add_argument("--latency-ms", type=float, default=400, help="of the vlm, one row at a time (default: 400)")
    parser.add_argument("--replicas", type=int, default=8, help="compared with one (default: 8)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument("--concurrency", type=int, default=24, help="features at once in a worker (default: 24)")
    parser.add_argument("--parts", default="memory,one,many,removal", help="what to run (default: all four)")
    parser.add_argument("--out", type=Path, default=Path("out/scale"), help="folder of scale.json")


def run(options: argparse.Namespace) -> int:
    """Everything that was asked for, one after the other; 0 if nothing failed."""
    figures, parts = Figures(options.features, options.latency_ms), options.parts.split(",")
    if "memory" in parts:
        _memory(options, figures)
        _say(options, figures)
    for replicas, part in ((1, "one"), (options.replicas, "many")):
        if part in parts:
            _throughput(options, replicas, figures, removal=part == "many" and "removal" in parts)
            _say(options, figures)
    missed = figures.missed(options.replicas)
    for what in missed:
        print(f"missed: {what}", flush=True)
    return int(bool(missed))


def _say(options: argparse.Namespace, figures: Figures) -> None:
    text = json.dumps(asdict(figures), indent=2)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scale.json").write_text(text + "\n", encoding="utf-8")
    print(text, flush=True)


def _shape(options: argparse.Namespace, replicas: int, latency_ms: float) -> Shape:
    environment = {
        "STEERSCOPE_SAE_FEATURES": str(options.features),
        "STEERSCOPE_VLM_LATENCY_MS": str(latency_ms),
        "STEERSCOPE_LOG_LEVEL": "WARNING",
    }
    if latency_ms:  # one row at a time: the ideal is then replicas / latency, whatever is queued
        environment |= {"STEERSCOPE_VLM_MAX_BATCH_SIZE": "1"}
    return Shape({"vlm": replicas}, options.workers, options.concurrency, environment)


def _submit(running: RunningStack, ids: range, variants: tuple[str, ...]) -> Job:
    return running.client.submit(JobSpec(feature_ids=ids, variants=variants, scores=_NO_SCORES))


def _throughput(options: argparse.Namespace, replicas: int, figures: Figures, *, removal: bool) -> None:
    """Features per second with as many replicas; the run of one has as many times fewer features, and lasts as long."""
    count = options.features * replicas // options.replicas
    shape = _shape(options, replicas, options.latency_ms)
    with tempfile.TemporaryDirectory() as home, deployment(Path(home), shape) as running:
        job = follow(running, _submit(running, range(count), ("steering",)), f"{replicas} replicas")
        figures.rate[replicas] = count / (job.finished - job.started)
        figures.ideal[replicas] = 1000 * replicas / options.latency_ms
        figures.shares |= {f"{replicas}/{name}": rows for name, rows in _rows(running).items()}
        assert not failed(job), job
        if removal:
            _remove(options, running, figures)


def _rows(running: RunningStack) -> dict[str, int]:
    import tritonclient.grpc as triton

    counts = {}
    assert isinstance(running.stack, SimulatedStack)
    for name, (service, address) in running.stack.replicas.items():
        if service == "vlm":
            with triton.InferenceServerClient(address) as client:
                counts[name] = client.get_inference_statistics("explain").model_stats[0].inference_count
    return counts


def _remove(options: argparse.Namespace, running: RunningStack, figures: Figures) -> None:
    """Half of the replicas get SIGTERM, one after the other, while a job keeps all of them busy."""
    leaving = [f"vlm-{number}" for number in range(1, options.replicas // 2 + 1)]
    job = _submit(running, range(options.features // 5), ("steering_residual",))
    left = iter(leaving)
    next_at = time.monotonic() + 2 * _SETTLE_SECONDS

    def look(_: Job) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + _SETTLE_SECONDS
            if name := next(left, None):
                running.supervisor.process(name).terminate()

    job = follow(running, job, f"{len(leaving)} replicas leave", look)
    figures.removal_failed = failed(job) + job.items_by_state["cancelled"]
    figures.removal_exit = [running.supervisor.process(name).exit_code for name in leaving]


def _memory(options: argparse.Namespace, figures: Figures) -> None:
    """Redis before a job of five variants, with all of it queued, and when it is done; the dispatcher's rate."""
    with tempfile.TemporaryDirectory() as home, deployment(Path(home), _shape(options, 1, 0)) as running:
        view = RedisView(running)
        workers = [running.supervisor.process(f"worker-{n}") for n in range(1, options.workers + 1)]
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
        before = view.used()
        started = time.monotonic()
        job = _submit(running, range(options.features), VARIANTS)
        submitted = time.monotonic() - started
        while view.queued() < options.features:
            time.sleep(0.01)
        figures.messages_per_second = options.features / (time.monotonic() - started - submitted)
        most = view.used() - before
        for worker in workers:
            worker.start()

        def look(_: Job) -> None:
            nonlocal most
            most = max(most, view.used() - before)

        job = follow(running, job, "five variants", look)
        assert not failed(job), job
        sizes = {"queued or running, most": most, "done": view.used() - before}
        figures.bytes_per_feature = {name: size / options.features for name, size in sizes.items()}
        figures.rate[0] = options.features / (job.finished - job.started)
        figures.memory = view.by_kind()
