"""Search: the explanations nearest to a text, after those that are new to this process have been read and embedded."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from orchestrator.api.invalid import InvalidRequestError
from orchestrator.jobs.model import ItemState
from orchestrator.jobs.reader import JobReader
from orchestrator.pipeline.variants import canonical
from orchestrator.queue.tasks import EXPLAIN
from orchestrator.search.corpus import Corpus
from orchestrator.search.library import Library
from orchestrator.search.nearest import Hit, Wish, nearest
from orchestrator.search.stored import Embedded, StoredEmbedder
from orchestrator.store import ArtifactStore
from protos.v1 import jobs_pb2 as pb

_DEFAULT_LIMIT = 20
_DEFAULT_OUTCOMES = ("ok",)
_LOOKED_AT = 1000  # jobs, for the newest one with explanations
Steps = Generator[pb.SearchEvent | None, None, Corpus]


class Searcher:
    """Searches the jobs of a deployment; holds those that were asked about lately."""

    def __init__(self, reader: JobReader, store: ArtifactStore) -> None:
        self._reader = reader
        self._library = Library(reader, store)

    def search(self, request: pb.SearchRequest, embedder: StoredEmbedder) -> Iterator[pb.SearchEvent | None]:
        """Progress (None: nothing new), then the answer. Raises InvalidRequestError, UnknownJobError, and faults."""
        jobs = self._jobs(request.job_ids)
        corpora = []
        for job in jobs:
            corpus = yield from self._corpus(job, embedder)
            corpora.append(corpus)
        wish = Wish(
            frozenset(map(canonical, request.variants)),
            frozenset(request.outcomes or _DEFAULT_OUTCOMES),
            dict(request.min_scores),
        )
        (query,) = embedder.embed([request.text.strip()])
        hits, matched = nearest(query, corpora, wish, request.limit or _DEFAULT_LIMIT)
        response = pb.SearchResponse(
            hits=map(_hit, hits),
            matched=matched,
            explanations=sum(len(corpus.rows) for corpus in corpora),
            job_ids=jobs,
        )
        yield pb.SearchEvent(response=response)

    def _corpus(self, job: str, embedder: StoredEmbedder) -> Steps:
        steps = self._library.corpus(job, embedder)
        while True:
            try:
                yield _progress(next(steps))
            except StopIteration as end:
                corpus: Corpus = end.value
                return corpus

    def _jobs(self, given: Sequence[str]) -> list[str]:
        """The jobs to search, each once: those given, or the newest that has explained a feature."""
        for job in given:
            if (kind := self._reader.job(job).kind) != EXPLAIN:
                rule = f"job {job} is of kind {kind}"
                raise InvalidRequestError("job_ids", rule, "only jobs that explain features can be searched")
        if given:
            return list(dict.fromkeys(given))
        for job in self._reader.jobs(_LOOKED_AT)[0]:
            record = self._reader.job(job)
            if record.kind == EXPLAIN and record.counts[ItemState.DONE]:
                return [job]
        raise InvalidRequestError("job_ids", "no job has explained a feature yet", "submit one, or name it")


def _progress(embedded: Embedded | None) -> pb.SearchEvent | None:
    if embedded is None:
        return None
    return pb.SearchEvent(progress=pb.SearchProgress(embedded=embedded.done, total=embedded.total))


def _hit(hit: Hit) -> pb.SearchHit:
    variants = [pb.SearchVariant(variant=row.variant, outcome=row.outcome, scores=row.scores) for row in hit.rows]
    return pb.SearchHit(job_id=hit.job, feature=hit.feature, text=hit.text, cosine=hit.cosine, variants=variants)
