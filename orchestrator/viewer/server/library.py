"""`Library`: the jobs that the server shows, read through the Jobs API and kept while they stay the same."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orchestrator.client import JobsClient, NotFoundError
from orchestrator.labels.model import Labeller
from orchestrator.store import ArtifactStore, StageCache
from orchestrator.viewer.atlas import Atlas
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.documents.encoding import to_json
from orchestrator.viewer.documents.feature import feature
from orchestrator.viewer.documents.map import map_document
from orchestrator.viewer.documents.table import table
from orchestrator.viewer.job_view import Chooser, JobInfo, JobView
from orchestrator.viewer.naming import ask_names, kept_names

log = logging.getLogger(__name__)
_LISTED = 100
_FRESH_SECONDS = 2.0  # a running job is asked about at most this often
_KEPT_JOBS = 4  # with all their results in memory
Key = tuple[str, str]


@dataclass
class _Entry:
    """A job as last read; `stamp` changes when there is more of it."""

    view: JobView
    stamp: tuple[str, int]
    read: float
    table: bytes | None = None
    atlas: Atlas | None = None
    charting: bool = False
    trouble: str = ""  # why there is no atlas


class Library:
    """Safe for many threads. Its methods raise what `JobsClient` raises."""

    def __init__(
        self,
        client: JobsClient,
        store: ArtifactStore,
        wanted: Sequence[str] = (),
        cartographer: Cartographer | None = None,
        choose: Chooser | None = None,
        labeller: Labeller | None = None,
    ) -> None:
        """`wanted` limits what is shown to these jobs; without it the newest are. `labeller` names clusters."""
        self._client, self.store, self._wanted = client, store, tuple(wanted)
        self._cartographer, self._choose, self._labeller = cartographer, choose, labeller
        self._kept: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.RLock()

    def infos(self) -> list[JobInfo]:
        """The jobs that explain features, newest first (or those asked for, in their order)."""
        if self._wanted:
            return [JobInfo.of(self._client.get(job)) for job in self._wanted]
        return [JobInfo.of(job) for job in self._client.list(_LISTED) if job.kind == "explain"]

    def table(self, job: str) -> bytes:
        """The table's document, as JSON."""
        entry = self._entry(job)
        if entry.table is None:
            entry.table = to_json(table(entry.view))
        return entry.table

    def feature(self, job: str, number: int) -> bytes:
        """A feature's document. Raises LookupError if it has no result yet."""
        entry = self._entry(job)
        if number not in entry.view.by_feature:
            raise LookupError(f"job {job} has no result for feature {number}")
        return to_json(feature(replace(entry.view, atlas=entry.atlas), number))

    def map(self, job: str) -> bytes | None:
        """The map's document; None while it is worked out. Raises LookupError if it cannot be."""
        entry = self._entry(job)
        if entry.atlas is not None:
            return to_json(map_document(job, entry.atlas))
        if entry.trouble:
            raise LookupError(entry.trouble)
        self._chart(entry)
        return None

    @property
    def names(self) -> bool:
        """Whether clusters can be named by a labeller."""
        return self._labeller is not None

    def name(self, job: str) -> bytes:
        """The map with its clusters named by the labeller; as long as that takes. Raises LookupError without a map."""
        entry = self._entry(job)
        if entry.atlas is None or self._labeller is None:
            raise LookupError(
                "there is no map to name yet; open it first" if self.names else "nobody names clusters here"
            )
        entry.atlas = ask_names(entry.atlas, entry.view.shown_texts, self._labeller, StageCache(self.store))
        return to_json(map_document(job, entry.atlas))

    def _entry(self, job: str) -> _Entry:
        if self._wanted and job not in self._wanted:
            raise LookupError(f"job {job[:40]} is not shown here")
        with self._lock:
            entry = self._kept.get(job)
            now = time.monotonic()
            if entry is not None and (entry.view.info.ended or now - entry.read < _FRESH_SECONDS):
                self._kept.move_to_end(job)
                return entry
            try:
                info = JobInfo.of(self._client.get(job))
            except NotFoundError as error:
                raise LookupError(str(error)) from error
            stamp = (info.state, sum(info.items.get(state, 0) for state in ("done", "failed")))
            if entry is None or entry.stamp != stamp:
                results = list(self._client.results(job))
                entry = _Entry(JobView.over(self.store, info, results, self._choose), stamp, now)
            entry.read = now
            self._kept[job] = entry
            self._kept.move_to_end(job)
            while len(self._kept) > _KEPT_JOBS:
                self._kept.popitem(last=False)
            return entry

    def _chart(self, entry: _Entry) -> None:
        """Work the atlas out in a thread of its own, once."""
        cartographer = self._cartographer
        if cartographer is None:
            entry.trouble = "this server makes no maps"
            raise LookupError(entry.trouble)
        with self._lock:
            if entry.charting:
                return
            entry.charting = True

        def work(make: Callable[[JobView, ArtifactStore], Atlas] = cartographer.atlas) -> None:
            try:
                atlas = make(entry.view, self.store)
                entry.atlas = kept_names(atlas, entry.view.shown_texts, StageCache(self.store))
            except Exception as error:  # told to whoever asks for the map; the server lives on
                log.exception("map of job %s", entry.view.info.id)
                entry.trouble = f"the map could not be made: {error}"

        threading.Thread(target=work, name="atlas", daemon=True).start()
