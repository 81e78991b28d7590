"""What studies are made of: the frame of one or several jobs, and what is known beside it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestrator.analysis.frame import KEYS, sorted_rows
from orchestrator.analysis.statistics.choice import Filter, choose_best
from orchestrator.analysis.statistics.comparisons import compare
from orchestrator.analysis.studies.study import MissingInputError
from orchestrator.analysis.table import References

Vectors = Mapping[str, npt.NDArray[np.float32]]


class Asked(NamedTuple):
    """A question about texts for the explainer, of the shape of `labels.Question`."""

    kind: str
    key: str
    texts: tuple[str, ...]


class Label(Protocol):
    """An answer (`labels.Label`): its value, empty if it could not be read, and who gave it: explainer or grammar."""

    @property
    def value(self) -> str: ...
    @property
    def source(self) -> str: ...


Labels = Mapping[tuple[str, str], Label]  # by (kind, key)


@dataclass(frozen=True)
class Run:
    """One job: its name for people, and what its results and its index say of how it was made; None where unknown.

    `references[feature]` are S of the negatives; `seconds` has columns feature, stage, seconds.
    """

    job: str
    name: str
    references: References = field(default_factory=dict)
    seconds: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["feature", "stage", "seconds"]))
    models: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    explain_images: int | None = None
    patches: int | None = None
    width: int | None = None  # of the residual stream
    dict_size: int | None = None


@dataclass(frozen=True)
class Sizes:
    """What the FLOPs formula of App. F needs and no job records; None: unknown."""

    parameters: float | None = None  # of the subject with its language model
    prompt_tokens: int | None = None


@dataclass(frozen=True)
class Material:
    """The input of every study. `frame` has the rows of all `runs`, the first of which is the report's own job.

    `vectors[text]` are sentence embeddings, `labels[kind, key]` answers; None if nobody made any.
    """

    frame: pd.DataFrame
    runs: tuple[Run, ...]
    vectors: Vectors | None = None
    labels: Labels | None = None
    seed: int = 0
    thresholds: Filter = field(default_factory=Filter)
    sizes: Sizes = field(default_factory=Sizes)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", sorted_rows(self.frame))

    @property
    def jobs(self) -> list[str]:
        return [run.job for run in self.runs]

    @property
    def names(self) -> dict[str, str]:
        """What people call each job; equal names get their job's id."""
        given = [run.name for run in self.runs]
        return {run.job: run.name if given.count(run.name) == 1 else f"{run.name} ({run.job})" for run in self.runs}

    @cached_property
    def best(self) -> pd.DataFrame:
        """The chosen explanation of every feature (`choose_best`)."""
        return choose_best(self.frame, self.seed, self.thresholds)

    @cached_property
    def kept(self) -> pd.DataFrame:
        """The chosen explanations that pass the filter: job, feature, variant, text."""
        keys = self.best.loc[self.best["kept"].astype(bool), KEYS]
        return keys.merge(self.frame[[*KEYS, "text"]], on=KEYS, how="left", validate="one_to_one")

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """Every method against every other (`compare`)."""
        return compare(self.frame, self.seed)

    def having(self, **given: Any) -> "Material":
        """With more beside the frame; what was worked out of the frame stays."""
        made = copy.copy(self)
        made.__dict__.update(given)
        return made

    def of(self, job: str) -> pd.DataFrame:
        """The rows of one job."""
        return self.frame[self.frame["job"] == job]

    def need_variants(self, wanted: Sequence[str], why: str) -> None:
        """Raise MissingInputError unless the first job has rows of all these variants."""
        lacking = [variant for variant in wanted if variant not in set(self.of(self.jobs[0])["variant"])]
        if lacking:
            raise MissingInputError(
                f"The job has no {' and no '.join(lacking)}: {why}.",
                f"Submit it with --variants {','.join(wanted)}.",
            )

    def need_kept(self) -> pd.DataFrame:
        """`kept`, if there are any; raises MissingInputError."""
        if self.kept.empty:
            raise MissingInputError(
                "No feature's chosen explanation passes the filter.",
                "Lower --min-iou and --min-synthetic-activation: scales differ between models.",
            )
        return self.kept

    def need_vectors(self) -> Vectors:
        """The embeddings; raises MissingInputError."""
        if self.vectors is None:
            raise MissingInputError(
                "No sentence embeddings of the explanations were made.",
                "Run `steerscope report JOB` without --no-map (or `demo --map`) while the API runs.",
            )
        return self.vectors

    def need_labels(self, kind: str) -> Labels:
        """The labels of one kind; raises MissingInputError."""
        found = {key: label for key, label in (self.labels or {}).items() if key[0] == kind}
        if not found:
            raise MissingInputError(
                f"The explanations have no labels of the kind {kind!r}.",
                "Run `steerscope report JOB` without --no-labels (or `demo --map`) while the API runs.",
            )
        return found


def label_source(labels: Labels) -> str:
    """Who labelled, as a note: never to be taken for the language model where it was not."""
    sources = sorted({label.source for label in labels.values()})
    told = {
        "explainer": "Labels are the explainer's own answers.",
        "grammar": "Labels come from the world's own grammar, not from a language model.",
    }
    return " ".join(told.get(source, f"Labels come from {source}.") for source in sources)
