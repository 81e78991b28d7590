"""What is done with the items of each kind of job."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from orchestrator.deps import Deps
from orchestrator.index.build import run_shard
from orchestrator.jobs.model import Handler
from orchestrator.labels.run import run_labels
from orchestrator.pipeline.feature import run_feature
from orchestrator.queue.tasks import EXPLAIN, INDEX, LABEL
from orchestrator.settings import OrchestratorSettings


def handlers(settings: OrchestratorSettings) -> Mapping[str, Handler]:
    """The handlers by kind. They share the connections that are opened here, once per process."""
    deps = Deps.connect(settings)
    return {
        EXPLAIN: partial(run_feature, deps=deps),
        INDEX: partial(run_shard, deps=deps),
        LABEL: partial(run_labels, deps=deps),
    }
