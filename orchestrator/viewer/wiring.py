"""What the documents are made with where the whole program is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestrator.analysis.atlas import clusters, layout
from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.client import JobsClient
from orchestrator.search.embeddings import ApiEmbedder
from orchestrator.store import ArtifactStore
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.job_view import Chooser, JobInfo, JobView
from orchestrator.viewer.static_site import SiteData
from protos.v1.jobs_pb2 import Job
from protos.v1.results_pb2 import FeatureResult

chooser: Chooser = choose_best


def cartographer(client: JobsClient | None) -> Cartographer:
    """UMAP and k-means over sentence embeddings of the Jobs API; without one, over shared words."""
    return Cartographer(layout, clusters, None if client is None else ApiEmbedder(client).embed)


def site_data(
    jobs: Iterable[tuple[Job, Sequence[FeatureResult]]],
    store: ArtifactStore,
    client: JobsClient | None = None,
    title: str = "SteerScope",
) -> SiteData:
    """Jobs with their results as `write_site` takes them, chosen and charted as the server does."""
    made = cartographer(client)
    views = [JobView.over(store, JobInfo.of(job), results, chooser) for job, results in jobs]
    return SiteData([replace(view, atlas=made.atlas(view, store)) for view in views], store, title)
