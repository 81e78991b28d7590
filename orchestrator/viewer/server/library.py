"""`Library`: the jobs that the server shows, read through the Jobs API and kept while they stay the same."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from orchestrator.client import JobsClient, NotFoundError
from orchestrator.index.reader import IndexCache
from orchestrator.labels.model import Labeller
from orchestrator.store import ArtifactStore, StageCache
from orchestrator.store.shelf import Shelf
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.documents.encoding import to_json
from orchestrator.viewer.documents.feature import feature
from orchestrator.viewer.documents.map import map_document
from orchestrator.viewer.documents.table import Labels, table
from orchestrator.viewer.job_view import Chooser, JobInfo, JobView, NoArtifactsError
from orchestrator.viewer.naming import ask_names
from orchestrator.viewer.text_labels import TextLabels

log = logging.getLogger(__name__)
_LISTED = 100
_FRESH_SECONDS = 2.0  # a running job is asked about at most this often
_KEPT_JOBS = 4  # with all their results in memory
Stamp = tuple[str, int]  # of a job: another one where there is more of it


@dataclass
class _Entry:
    """A job as last read. The view's atlas may be of an earlier reading: `charted` says of which."""

    view: JobView
    stamp: Stamp
    read: float
    charted: Stamp | None = None
    table: tuple[Labels, bytes] | None = None  # and the labels that are in it
    trouble: str = ""  # why there is no atlas of this reading


class Library:
    """Safe for many threads. Its methods raise what `JobsClient` raises."""

    def __init__(
        self,
        client: JobsClient,
        store: ArtifactStore,
        indexes: IndexCache,
        wanted: Sequence[str] = (),
        cartographer: Cartographer | None = None,
        choose: Chooser | None = None,
        labeller: Labeller | None = None,
    ) -> None:
        """`wanted` limits what is shown to these jobs; without it the newest are. `labeller` names clusters.

        `indexes` are those of `store`, and know where images may lie.
        """
        self._client, self.store, self.indexes, self._wanted = client, store, indexes, tuple(wanted)
        self._cartographer, self._choose, self._labeller = cartographer, choose, labeller
        self._labels = TextLabels(client)
        self._kept: Shelf[str, _Entry] = Shelf(_KEPT_JOBS)
        self._charting: set[str] = set()
        self._lock = threading.Lock()  # of entries; held for no longer than it takes to look
        self._reading: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()  # by job

    def infos(self) -> list[JobInfo]:
        """The jobs that explain features, newest first (or those asked for, in their order). Raises JobsError."""
        if self._wanted:
            return [JobInfo.of(self._client.get(job)) for job in self._wanted]
        return [JobInfo.of(job) for job in self._client.list(_LISTED) if job.kind == "explain"]

    def table(self, job: str) -> bytes:
        """The table's document, as JSON. Raises LookupError for a job that is not shown."""
        entry, labels = self._entry(job), self._labels.now()
        made = entry.table
        if made is None or made[0] is not labels:
            entry.table = made = labels, to_json(table(entry.view, labels))
        return made[1]

    def feature(self, job: str, number: int) -> bytes:
        """A feature's document, as JSON. Raises LookupError if it has no result yet."""
        entry = self._entry(job)
        if number not in entry.view.by_feature:
            raise LookupError(f"job {job} has no result for feature {number}")
        return to_json(feature(entry.view, number))

    def map(self, job: str) -> bytes | None:
        """The map's document, as JSON; None while the first is worked out. Raises LookupError if it cannot be.

        A job that has grown shows its old map until the new one is there.
        """
        entry = self._entry(job)
        self._chart(job, entry)
        if entry.view.atlas is not None:
            return to_json(map_document(job, entry.view.atlas))
        if entry.trouble:
            raise LookupError(entry.trouble)
        return None

    @property
    def names(self) -> bool:
        """Whether clusters can be named by a labeller."""
        return self._labeller is not None

    def name(self, job: str) -> bytes:
        """The map's document with its clusters named by the labeller; takes as long as that.

        Raises LookupError without a map or without a labeller, and what the labeller raises.
        """
        entry = self._entry(job)
        view, atlas = entry.view, entry.view.atlas
        if atlas is None or self._labeller is None:
            raise LookupError(
                "there is no map to name yet; open it first" if self.names else "nobody names clusters here"
            )
        named = ask_names(atlas, view.shown_texts, self._labeller, StageCache(self.store))
        with self._lock:
            now = self._kept.get(job)
            if now is not None and now.view.atlas is atlas:  # else it has another map by now
                now.view = now.view.charted(named)
        return to_json(map_document(job, named))

    def _entry(self, job: str) -> _Entry:
        if self._wanted and job not in self._wanted:
            raise LookupError(f"job {job[:40]} is not shown here")
        with self._lock:
            reading = self._reading.setdefault(job, threading.Lock())
        with reading:  # a job is read once, and others are served meanwhile
            old = self._kept.get(job)
            now = time.monotonic()
            if old is not None and (old.view.info.ended or now - old.read < _FRESH_SECONDS):
                return old
            try:
                info = JobInfo.of(self._client.get(job))
            except NotFoundError as error:
                raise LookupError(str(error)) from error
            stamp = (info.state, sum(info.items.get(state, 0) for state in ("done", "failed")))
            if old is not None and old.stamp == stamp:
                old.read = now
                return old
            return self._keep(job, _Entry(self._view(info), stamp, now))

    def _view(self, info: JobInfo) -> JobView:
        view = JobView(info, list(self._client.results(info.id)), choose=self._choose)
        try:
            return view.over(self.store, self.indexes)
        except NoArtifactsError as error:
            log.warning("shown without pictures: %s", error)
            return view

    def _keep(self, job: str, entry: _Entry) -> _Entry:
        """The entry in place of an earlier one, with the map of that."""
        with self._lock:
            old = self._kept.get(job)
            if old is not None:
                entry.view, entry.charted = entry.view.charted(old.view.atlas), old.charted
            self._kept.put(job, entry)
        return entry

    def _chart(self, job: str, entry: _Entry) -> None:
        """See that the atlas of this reading is made: in a thread of its own, one at a time for each job."""
        with self._lock:
            if entry.charted == entry.stamp or entry.trouble:
                return
            if self._cartographer is None:
                entry.trouble = "this server makes no maps"
                return
            if job in self._charting or self._kept.get(job) is not entry:
                return
            self._charting.add(job)
        made = (self._cartographer, job, entry.view, entry.stamp)
        threading.Thread(target=self._work, args=made, name="atlas", daemon=True).start()

    def _work(self, cartographer: Cartographer, job: str, view: JobView, stamp: Stamp) -> None:
        atlas, trouble = None, ""
        try:
            atlas = cartographer.atlas(view, self.store)
        except Exception as error:  # told to whoever asks for the map; the server lives on
            log.exception("map of job %s", job)
            trouble = f"the map could not be made: {error}"
        with self._lock:
            self._charting.discard(job)
            now = self._kept.get(job)  # by now perhaps a later reading, or none
            if now is None:
                return
            if atlas is not None:
                now.view, now.charted = now.view.charted(atlas), stamp
            elif now.stamp == stamp:
                now.trouble = trouble
