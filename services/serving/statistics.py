"""What a service counts per model; ModelStatistics and the Prometheus metrics both read it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from services.serving.oip import pb


class Failure(StrEnum):
    """Why a request failed (the values of Triton's `reason` label)."""

    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    BACKEND = "BACKEND"
    OTHER = "OTHER"


@dataclass
class Timing:
    """The way of one request in nanoseconds."""

    total: int = 0
    queue: int = 0
    compute_input: int = 0
    compute_infer: int = 0
    compute_output: int = 0


@dataclass
class ModelCounters:
    """Counters of one model since the service started."""

    name: str
    version: str = ""  # known once the model is loaded
    successes: int = 0
    failures: Counter[Failure] = field(default_factory=Counter)
    failed_ns: int = 0
    rows: int = 0
    sums: Timing = field(default_factory=Timing)
    batches: Counter[int] = field(default_factory=Counter)  # batch size → times run
    batch_ns: Counter[int] = field(default_factory=Counter)
    last_inference_ms: int = 0

    def succeed(self, rows: int, timing: Timing) -> None:
        """Count a request that was answered."""
        self.successes += 1
        self.rows += rows
        for name in vars(timing):
            setattr(self.sums, name, getattr(self.sums, name) + getattr(timing, name))
        self.last_inference_ms = time.time_ns() // 1_000_000

    def fail(self, reason: Failure, nanoseconds: int) -> None:
        """Count a request that was not."""
        self.failures[reason] += 1
        self.failed_ns += nanoseconds

    def execute(self, rows: int, nanoseconds: int) -> None:
        """Count a batch that was run."""
        self.batches[rows] += 1
        self.batch_ns[rows] += nanoseconds

    @property
    def executions(self) -> int:
        return sum(self.batches.values())

    def to_message(self) -> object:
        """The protocol's ModelStatistics message."""
        done, sums = self.successes, self.sums
        duration = pb.StatisticDuration
        return pb.ModelStatistics(
            name=self.name,
            version=self.version,
            last_inference=self.last_inference_ms,
            inference_count=self.rows,
            execution_count=self.executions,
            inference_stats=pb.InferStatistics(
                success=duration(count=done, ns=sums.total),
                fail=duration(count=self.failures.total(), ns=self.failed_ns),
                queue=duration(count=done, ns=sums.queue),
                compute_input=duration(count=done, ns=sums.compute_input),
                compute_infer=duration(count=done, ns=sums.compute_infer),
                compute_output=duration(count=done, ns=sums.compute_output),
            ),
            batch_stats=[
                pb.InferBatchStatistics(
                    batch_size=size, compute_infer=duration(count=self.batches[size], ns=self.batch_ns[size])
                )
                for size in sorted(self.batches)
            ],
        )
