"""What the documents are made with where the whole program is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.analysis.atlas import clusters, layout
from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.client import JobsClient
from orchestrator.index.reader import IndexCache
from orchestrator.labels.jobs import JobLabeller
from orchestrator.search.embeddings import ApiEmbedder
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.job_view import JobInfo, JobView
from orchestrator.viewer.server.library import Library
from orchestrator.viewer.static_site import SiteData
from orchestrator.viewer.text_labels import TextLabels
from protos.v1.jobs_pb2 import Job
from protos.v1.results_pb2 import FeatureResult


def cartographer(client: JobsClient | None) -> Cartographer:
    """UMAP and k-means over sentence embeddings of the Jobs API; without one, over shared words."""
    return Cartographer(layout, clusters, None if client is None else ApiEmbedder(client).embed)


def indexes(store: ArtifactStore) -> IndexCache:
    """The store's indexes; their images are read only from where this deployment lets image sets lie."""
    return IndexCache(store, roots=OrchestratorSettings().roots())


def library(client: JobsClient, store: ArtifactStore, jobs: Sequence[str] = ()) -> Library:
    """What `steerscope view` shows: these jobs, or the newest."""
    return Library(client, store, indexes(store), jobs, cartographer(client), choose_best, JobLabeller(client))


def site_data(
    jobs: Iterable[tuple[Job, Sequence[FeatureResult]]],
    store: ArtifactStore,
    client: JobsClient | None = None,
    title: str = "SteerScope",
) -> SiteData:
    """Jobs with their results as `write_site` takes them: chosen, charted, named and labelled as the server does.

    Raises NoArtifactsError if the store does not hold a job's indexes.
    """
    made, read = cartographer(client), indexes(store)
    views = [JobView(JobInfo.of(job), results, choose=choose_best).over(store, read) for job, results in jobs]
    labels = TextLabels(client).now() if client is not None else {}
    return SiteData([view.charted(made.atlas(view, store)) for view in views], store, title, labels)
