"""A small world for tests of indexes and the pipeline: folders of noise, fakes of the services, indexes over them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.deps import Deps
from orchestrator.index import plan as index_plan
from orchestrator.index.build import run_shard
from orchestrator.index.plan import MERGE, IndexPlan
from orchestrator.index.reader import Index, IndexCache
from orchestrator.jobs.model import ItemContext
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.resolve import resolve
from orchestrator.remote import collect
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import IndexSpec, JobSpec
from services.serving.images import to_png
from services.serving.profile import Profile
from tests.unit.pipeline import fakes

IMAGES = {"top_k": 3, "reference": 7, "shard_size": 8, "batch": 3}
JOBS: dict[str, Any] = {"top_k": 3, "generated_images": 2, "prompt_prefix": "An image of "}


def profile(**jobs: Any) -> Profile:
    return Profile("test", {"images": IMAGES, "jobs": JOBS | jobs})


def make_deps(root: Path, services: fakes.Fakes) -> Deps:
    store = ArtifactStore(str(root))
    return Deps(OrchestratorSettings.model_validate({"stage_retry_seconds": 0.2}), store, services, IndexCache(store))


def draw_folder(folder: Path, count: int, seed: int) -> Path:
    """`count` images of noise."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        (folder / f"{i:03}.png").write_bytes(to_png(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)))
    return folder


@dataclass
class IndexJob:
    """Runs the items of an index job one by one, as a worker would."""

    deps: Deps
    plan: IndexPlan
    stages: list[str] = field(default_factory=list)

    def run(self, item: str, cancelled=lambda: False):
        context = ItemContext(
            "job", item, self.plan.model_dump_json(), 1, cancelled, lambda s, _: self.stages.append(s)
        )
        return run_shard(context, self.deps)

    def finish(self) -> Index:
        for item in reversed(self.plan.items()):
            self.run(item)
        result = self.run(MERGE)
        return self.deps.indexes.get(result.artifact.removeprefix("indexes/"))


def build_index(deps: Deps, folder: Path, name: str, **fields: Any) -> Index:
    facts = collect(deps.clients, deps.cache)
    spec = IndexSpec(**{"images": str(folder), "name": name, **fields})
    return IndexJob(deps, index_plan.plan(spec, profile=profile(), facts=facts, store=deps.store)).finish()


def make_plan(
    deps: Deps,
    jobs: dict[str, Any] | None = None,
    choose: bool = True,
    sections: dict[str, Any] | None = None,
    **fields: Any,
) -> ExplainPlan:
    """The plan of JobSpec(**fields) under the test profile with `jobs` in its [jobs] and other `sections`; feature 0
    unless chosen."""
    chosen = {"feature_ids", "feature_range", "feature_sample", "all_features"} & fields.keys()
    spec = JobSpec(**fields)
    if not chosen:
        spec.feature_ids.append(0)
    facts = collect(deps.clients, deps.cache)
    given = profile(**(jobs or {}))
    given = Profile(given.name, {**given.sections, **(sections or {})})
    return resolve(spec, profile=given, facts=facts, indexes=deps.indexes, store=deps.store, choose=choose)
