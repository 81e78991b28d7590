"""A finished job as files: `results.parquet`, `summary.json`, `report.html`, and its studies' tables and figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.judge import Judge
from orchestrator.analysis.report.build import ReportInput, write_report
from orchestrator.analysis.sources import Sources
from orchestrator.analysis.studies.files import write_studies
from orchestrator.analysis.studies.study import NotMade, Outcome
from orchestrator.analysis.summary import summarise, write_summary
from orchestrator.analysis.validation import Reported, leave_out
from orchestrator.analysis.writers.files import write_frame
from orchestrator.store import ArtifactStore
from protos.v1.results_pb2 import FeatureResult


class NoResultsError(ValueError):
    """The job has no finished feature yet."""


@dataclass(frozen=True)
class Finished:
    """A job's results and what is needed to read them: its artifacts, and the judge where the world has a truth.

    What is made of it leaves out the features that α was chosen on, unless `with_validation` or there are no others.
    """

    job: str
    title: str
    results: Sequence[FeatureResult]
    store: ArtifactStore
    judge: Judge | None
    with_validation: bool = False

    def __post_init__(self) -> None:
        if not self.results:
            raise NoResultsError(
                f"job {self.job} has no finished feature yet; `steerscope watch {self.job}` waits for it"
            )

    @cached_property
    def reported(self) -> Reported:
        """The results that tables and figures are made of."""
        return leave_out(self.results, self.with_validation)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The reported results as a table."""
        return to_frame(self.reported.results, self.job)

    @cached_property
    def sources(self) -> Sources:
        """Raises LookupError if the artifacts are not in this store, NoResultsError if every feature failed."""
        known = [result for result in self.results if result.HasField("provenance")]
        if not known:  # a failed item has a reason only
            raise NoResultsError(f"job {self.job}: no feature has a result; the first: {self.results[0].reason}")
        return Sources.of(known[0], self.store)


def summary_of(finished: Finished, seconds: Mapping[str, float], seed: int = 0) -> dict[str, Any]:
    """The summary document (see `summarise`)."""
    reported = finished.reported
    references = finished.sources.references(result.feature for result in reported.results)
    summary = summarise(finished.frame, references, finished.judge, seconds, seed)
    return summary | {"validation_left_out": reported.left_out, "validation_included": reported.included}


def deliver(
    finished: Finished,
    summary: dict[str, Any],
    out: Path,
    progress: Callable[[int], None] = lambda _done: None,
    studies: Sequence[Outcome] = (),
    others: Sequence[Finished] = (),
) -> None:
    """Write the three files into `out`, and `tables/` and `figures/` of the studies, if any.

    `others` are the jobs that the studies compare this one with: their rows follow in `results.parquet`.
    """
    out.mkdir(parents=True, exist_ok=True)
    results = finished.reported.results
    frame = pd.concat([one.frame for one in (finished, *others)], ignore_index=True)
    write_frame(frame, out / "results.parquet")
    if studies:
        write_studies(studies, out)
        summary = summary | {"studies": {one.heading.key: _told(one) for one in studies}}
    write_summary(summary, out / "summary.json")
    truth = finished.judge.truth_texts() if finished.judge else {}
    given = ReportInput(finished.title, finished.job, results, summary, finished.sources, truth, studies)
    write_report(given, out / "report.html", progress)


def _told(outcome: Outcome) -> str:
    return f"not made: {outcome.because}" if isinstance(outcome, NotMade) else "made"
