"""From finished jobs to what studies are made of; embeddings and labels come through functions of the caller."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestrator.analysis.deliver import Finished
from orchestrator.analysis.statistics.choice import Filter
from orchestrator.analysis.studies import context, levels, meanings
from orchestrator.analysis.studies.material import Asked, Label, Material, Run, Sizes
from orchestrator.pipeline.grid import Grid
from protos.v1.results_pb2 import FeatureResult


class Answer(Label, Protocol):
    """A label that says which question it answers."""

    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...


Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
Ask = Callable[[Sequence[Asked]], Iterable[Answer]]


def material_of(
    jobs: Sequence[Finished], seed: int = 0, thresholds: Filter | None = None, sizes: Sizes | None = None
) -> Material:
    """The jobs' reported results in one frame, the first job first. Raises what `Finished.sources` does."""
    frame = pd.concat([one.frame for one in jobs], ignore_index=True)
    runs = tuple(run_of(one) for one in jobs)
    return Material(frame, runs, seed=seed, thresholds=thresholds or Filter(), sizes=sizes or Sizes())


def run_of(finished: Finished) -> Run:
    """What a job's results and indexes say of how it was made."""
    sources, results = finished.sources, finished.reported.results
    made = next(result.provenance for result in results if result.HasField("provenance"))
    explain, any_index = sources.explain, sources.explain or sources.test
    return Run(
        job=finished.job,
        name=finished.title,
        references=sources.references(result.feature for result in results),
        seconds=_seconds(results),
        models=dict(made.models),
        sets=dict(made.sets),
        settings=dict(made.settings),
        explain_images=len(explain.digests) if explain else None,
        patches=Grid.parse(any_index.plan.grid).patches if any_index else None,
        width=any_index.plan.activation_dim if any_index else None,
        dict_size=any_index.plan.dict_size if any_index else None,
    )


def _seconds(results: Iterable[FeatureResult]) -> pd.DataFrame:
    rows = [(result.feature, stage, spent) for result in results for stage, spent in result.stage_seconds.items()]
    return pd.DataFrame(rows, columns=["feature", "stage", "seconds"])


def texts(material: Material) -> list[str]:
    """The distinct texts whose embeddings the studies need, sorted."""
    compared = material.frame["variant"].isin(["steering", "topk_masks", "topk_heatmaps"])
    found = {*material.frame.loc[compared, "text"].dropna(), *meanings.members(material)["text"]}
    return sorted(text for text in found if text.strip())


def with_vectors(material: Material, embed: Embed) -> Material:
    """With the embeddings of `texts`."""
    wanted = texts(material)
    return material.having(vectors=dict(zip(wanted, embed(wanted), strict=True)) if wanted else {})


def questions(material: Material) -> list[Asked]:
    """What the studies ask the explainer: subjects, levels and, if there are embeddings, names of clusters."""
    asked = [*context.questions(material.of(material.jobs[0])), *levels.questions(material)]
    if material.vectors is not None:
        grouped = meanings.grouped(meanings.members(material), material.vectors)
        asked += meanings.questions(grouped, material.seed)
    return asked


def with_labels(material: Material, ask: Ask) -> Material:
    """With the answers to `questions`."""
    return material.having(labels={(one.kind, one.key): one for one in ask(questions(material))})
