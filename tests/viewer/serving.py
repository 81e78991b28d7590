"""The viewer's server over a fake Jobs API, in a thread, on a free port."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.index.reader import IndexCache
from orchestrator.labels.model import Label
from orchestrator.store import ArtifactStore
from orchestrator.viewer.atlas import Layout
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.job_view import Chooser
from orchestrator.viewer.server.app import make_app
from orchestrator.viewer.server.library import Library
from orchestrator.viewer.server.serve import listen, server
from tests.viewer.fake_jobs import FakeJobs


def quick_layout(vectors: np.ndarray) -> np.ndarray:
    """Two principal components with a little noise: a map without UMAP's minute."""
    middle = vectors - vectors.mean(axis=0)
    axes = np.linalg.svd(middle.T @ middle)[0][:, :2]
    laid: np.ndarray = middle @ axes + np.random.default_rng(0).normal(0, 0.03, (len(vectors), 2))
    return laid.astype(np.float32)


def quick_clusters(vectors: np.ndarray) -> np.ndarray:
    """By the strongest of twelve dimensions."""
    strongest = vectors[:, :12].argmax(axis=1)
    return np.unique(strongest, return_inverse=True)[1].astype(np.int64)


class FakeLabeller:
    """Calls a cluster by the last word of its first member; cannot name the second one."""

    def ask(self, questions):
        return [
            Label(
                one.kind,
                one.key,
                "" if one.key == "cluster 1" else f"all {one.texts[0].split()[-1]}",
                "explainer",
                "raw",
            )
            for one in questions
        ]


def make_library(
    jobs: FakeJobs, store: ArtifactStore, *, layout: Layout = quick_layout, choose: Chooser = choose_best
) -> Library:
    cartographer = Cartographer(layout, quick_clusters, jobs.embed)
    return Library(jobs, store, IndexCache(store), (), cartographer, choose, FakeLabeller())


@contextmanager
def viewer(jobs: FakeJobs, store: ArtifactStore, connect: Callable[[], FakeJobs] | None = None) -> Iterator[str]:
    """Its address, `http://127.0.0.1:PORT`."""
    listening = listen("127.0.0.1", 0)
    running = server(make_app(make_library(jobs, store), jobs, connect or (lambda: jobs)))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()
