"""What the documents are made with where the whole program is at hand."""

from __future__ import annotations

from typing import Any, cast

from orchestrator.client import JobsClient
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.job_view import Chooser


def chooser() -> Chooser:
    """The rank vote."""
    from orchestrator.analysis.statistics.choice import choose_best

    return choose_best


def cartographer(client: JobsClient) -> Cartographer:
    """UMAP and k-means over sentence embeddings of the Jobs API."""
    from orchestrator.analysis.atlas import clusters, layout

    return Cartographer(layout, clusters, cast(Any, client).embed)
