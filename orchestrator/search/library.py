"""`Library`: the explanations of jobs, read once, embedded once, and kept in memory while they are asked about."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Generator, Iterator

from orchestrator.jobs.model import ItemState
from orchestrator.jobs.reader import JobReader
from orchestrator.search.corpus import Corpus, Explained, distinct_texts, explained
from orchestrator.search.stored import Embedded, StoredEmbedder
from orchestrator.store import ArtifactStore
from orchestrator.store.shelf import Shelf
from protos.v1.results_pb2 import FeatureResult

KEPT = 4  # jobs: one of 10,000 features in five ways takes about 150 MB
_WAIT_SECONDS = 0.25
_Known = dict[str, tuple[str, list[Explained]]]  # item → artifact, its explanations


class Library:
    """Safe for many threads: one reads a job, the others wait for it. Of a job that runs, what is new is read again."""

    def __init__(self, reader: JobReader, store: ArtifactStore) -> None:
        self._reader, self._store = reader, store
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._items: Shelf[str, _Known] = Shelf(KEPT)
        self._final: Shelf[tuple[str, str], Corpus] = Shelf(KEPT)

    def corpus(self, job: str, embedder: StoredEmbedder) -> Generator[Embedded | None, None, Corpus]:
        """The job's explanations; tells how far their embedding is, or None while another thread is at it.

        Raises UnknownJobError, and what the embedder raises.
        """
        final = self._reader.job(job).state.final  # before its items: a job does not start again
        while not self._locks[job].acquire(timeout=_WAIT_SECONDS):
            yield None
        try:
            key = (job, embedder.version)
            if found := self._final.get(key):
                return found
            rows = tuple(self._rows(job))
            texts = distinct_texts(rows)
            vectors = yield from embedder.steps(texts)
            corpus = Corpus(job, rows, texts, vectors)
            if final:
                self._final.put(key, corpus)
                self._items.drop(job)
            return corpus
        finally:
            self._locks[job].release()

    def _rows(self, job: str) -> Iterator[Explained]:
        """The explanations of the finished features, in the job's order; only new records are read."""
        known = self._items.get(job) or {}
        now: _Known = {}
        for item in self._reader.items(job):
            if item.state is not ItemState.DONE:
                continue
            artifact, rows = known.get(item.item, ("", []))
            if artifact != item.artifact:
                rows = explained(FeatureResult.FromString(self._store.get(item.artifact)))
            now[item.item] = item.artifact, rows
            yield from rows
        self._items.put(job, now)
