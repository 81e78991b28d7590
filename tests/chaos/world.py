"""What the jobs of the suite are about, and what an undisturbed run of them gives."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence

from orchestrator.client import JobsClient
from orchestrator.pipeline.results import without_timings
from protos.v1.jobs_pb2 import DONE, GivenTexts, IndexSpec, Job, JobSpec
from protos.v1.results_pb2 import FeatureResult
from services.serving.profile import load_profile
from tests.chaos.deployment import Deployment
from tests.chaos.schedule import FEATURES
from tests.integration.stack import finish
from tests.simulation.images import prepare
from tests.simulation.service import PROFILE

Results = Mapping[int, FeatureResult]
_SETS = ("explain", "test")
SPECS = (
    JobSpec(seed=1),
    JobSpec(
        seed=2,
        variants=["steering", "steering@3", "topk_heatmaps", "mine"],
        scores=["iou", "auroc"],
        texts={"mine": GivenTexts(by_feature={feature: f"thing {feature}" for feature in range(0, FEATURES, 2)})},
    ),
)


def spec_of(number: int, features: Sequence[int]) -> JobSpec:
    """One of the specs on these features: what a feature's result is does not depend on the others."""
    spec = JobSpec()
    spec.CopyFrom(SPECS[number])
    spec.feature_ids.extend(features)
    return spec


def build(deployment: Deployment) -> list[Results]:
    """Index two image sets, then run every spec on all features, undisturbed: the results by spec and feature."""
    sets = load_profile(str(PROFILE)).section("sets")
    with deployment.client() as jobs:
        for name in _SETS:
            folder = deployment.home / "images" / name
            prepare(folder, name, int(sets[name]), lambda *_: None)
            _finished(jobs, jobs.submit(index=IndexSpec(images=str(folder), name=name)))
        expected: list[Results] = []
        for number in range(len(SPECS)):
            job = _finished(jobs, jobs.submit(spec_of(number, range(FEATURES))))
            expected.append({result.feature: without_timings(result) for result in jobs.results(job.id)})
            if len(expected[-1]) != FEATURES:
                raise RuntimeError(f"the undisturbed job {job.id} has {len(expected[-1])} of {FEATURES} results")
    return expected


def forget_stages(deployment: Deployment) -> None:
    """Nothing of the next job comes from the cache. Renamed first: a stray writer finds a whole folder or none."""
    stages = deployment.home / "artifacts" / "stages"
    if stages.exists():
        shutil.rmtree(stages.rename(stages.with_name(f"old-{uuid.uuid4().hex}")), ignore_errors=True)


def _finished(jobs: JobsClient, job: Job) -> Job:
    ended = finish(jobs, job)
    if ended.state != DONE:
        raise RuntimeError(f"job {job.id} ended otherwise than done: {ended}")
    return ended
