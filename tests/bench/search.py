"""`python -m tests.bench.search`: seconds of a search over 10,000 features in five ways, warm and from the store alone.

Records lie in a real artifact store; Redis and the sentence model are stood in for, as an answer needs neither.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table

from orchestrator.api.search import Searcher
from orchestrator.jobs.model import ItemState
from orchestrator.jobs.reader import JobReader
from orchestrator.remote import Calls, ServiceClients
from orchestrator.search.stored import StoredEmbedder
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import SearchRequest, SearchResponse
from protos.v1.results_pb2 import FeatureResult, Score, VariantResult
from services.clip.spec import Embedding, TextRow
from tests.unit.pipeline import fakes

FEATURES, VARIANTS, WIDTH, TURNS = 10_000, 5, 768, 9
JOB = "0123456789ab"


class Sentences:
    """Random unit vectors as wide as all-mpnet-base-v2's."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def __call__(self, rows: list[TextRow]) -> list[Embedding]:
        vectors = self._rng.standard_normal((len(rows), WIDTH), np.float32)
        return [Embedding(vector / np.linalg.norm(vector)) for vector in vectors]


class Job:
    """A finished job's records, as `JobReader` tells of them."""

    def __init__(self, store: ArtifactStore) -> None:
        self._items = [
            SimpleNamespace(item=str(i), state=ItemState.DONE, artifact=_record(i, store)) for i in range(FEATURES)
        ]

    def job(self, _: str) -> Any:
        return SimpleNamespace(kind="explain", state=SimpleNamespace(final=True))

    def items(self, _: str) -> Iterator[Any]:
        return iter(self._items)


def _record(feature: int, store: ArtifactStore) -> str:
    """Five explanations of a sentence's length; a fifth of them is another's, too."""
    variants = [
        VariantResult(
            variant=f"variant_{number}",
            outcome="ok",
            text=f"a sentence of usual length on feature {feature if number else feature % 100} seen in way {number}",
            scores={name: Score(value=(feature % 97) / 97, outcome="ok") for name in ("iou", "clip", "auroc")},
        )
        for number in range(VARIANTS)
    ]
    return store.put(FeatureResult(feature=feature, variants=variants).SerializeToString(), ".pb")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(folder)
        job = cast(JobReader, Job(store))
        services = fakes.clients()
        services.clip.models = {"sentence": Sentences()}
        calls = Calls(cast(ServiceClients, services), 60, 1, lambda: False)
        embedder = StoredEmbedder(calls, store, "v1")

        def search(searcher: Searcher, **filters: Any) -> SearchResponse:
            request = SearchRequest(text="a sense of depth", job_ids=[JOB], **filters)
            *_, last = searcher.search(request, embedder)
            assert last is not None
            return last.response

        table = Table("search", "median (s)", "slowest (s)", "hits that match")

        def row(name: str, run: Callable[[], SearchResponse], turns: int) -> None:
            seconds = []
            for _ in range(turns):
                start = time.perf_counter()
                found = run()
                seconds.append(time.perf_counter() - start)
            table.add_row(name, f"{statistics.median(seconds):.3f}", f"{max(seconds):.3f}", str(found.matched))

        row(
            "first of all: every text is embedded (by a model that takes no time)",
            lambda: search(Searcher(job, store)),
            1,
        )
        row("first of a process: records and embeddings are in the store", lambda: search(Searcher(job, store)), 2)
        warm = Searcher(job, store)
        search(warm)
        row("after that", lambda: search(warm), TURNS)
        row("with two filters", lambda: search(warm, variants=["variant_1"], min_scores={"iou": 0.5}), TURNS)
        row("1000 hits", lambda: search(warm, limit=1000), TURNS)
        Console(width=140).print(table)


if __name__ == "__main__":
    main()
