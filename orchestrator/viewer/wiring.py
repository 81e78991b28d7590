"""What the documents are made with where the whole program is at hand."""

from __future__ import annotations

from orchestrator.analysis.atlas import clusters, layout
from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.client import JobsClient
from orchestrator.search.embeddings import ApiEmbedder
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.job_view import Chooser

chooser: Chooser = choose_best


def cartographer(client: JobsClient) -> Cartographer:
    """UMAP and k-means over sentence embeddings of the Jobs API."""
    return Cartographer(layout, clusters, ApiEmbedder(client).embed)
