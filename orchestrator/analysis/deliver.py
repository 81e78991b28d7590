"""A finished job as files: `results.parquet`, `summary.json`, `report.html`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.analysis.frame import to_frame, write_frame
from orchestrator.analysis.judge import Judge
from orchestrator.analysis.report.build import ReportInput, write_report
from orchestrator.analysis.sources import Sources
from orchestrator.analysis.summary import summarise, write_summary
from orchestrator.store import ArtifactStore
from protos.v1.results_pb2 import FeatureResult


class NoResultsError(ValueError):
    """The job has no finished feature yet."""


@dataclass(frozen=True)
class Finished:
    """A job's results and what is needed to read them: its artifacts, and the judge where the world has a truth."""

    job: str
    title: str
    results: Sequence[FeatureResult]
    store: ArtifactStore
    judge: Judge | None

    def __post_init__(self) -> None:
        if not self.results:
            raise NoResultsError(
                f"job {self.job} has no finished feature yet; `steerscope watch {self.job}` waits for it"
            )

    def sources(self) -> Sources:
        """Raises LookupError if the artifacts are not in this store."""
        return Sources.of(self.results[0], self.store)


def summary_of(finished: Finished, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The summary document (see `summarise`)."""
    frame = to_frame(finished.results, finished.job)
    references = finished.sources().references(result.feature for result in finished.results)
    return summarise(frame, references, finished.judge, seconds)


def deliver(
    finished: Finished, summary: Mapping[str, Any], out: Path, progress: Callable[[int], None] = lambda _done: None
) -> None:
    """Write the three files into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    write_frame(to_frame(finished.results, finished.job), out / "results.parquet")
    write_summary(summary, out / "summary.json")
    truth = finished.judge.truth_texts() if finished.judge else {}
    given = ReportInput(finished.title, finished.job, finished.results, summary, finished.sources(), truth)
    write_report(given, out / "report.html", progress)
