"""`TextLabels`: what label jobs (`steerscope label`) said of texts, read once from each job that is done."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict

from orchestrator.client import JobsClient, JobsError, UnavailableError
from orchestrator.labels.model import VALUES
from orchestrator.viewer.documents.table import Labels
from protos.v1.jobs_pb2 import DONE, Job

log = logging.getLogger(__name__)
_LISTED = 100  # of the newest jobs of all kinds
_FRESH_SECONDS = 2.0  # new label jobs are looked for at most this often


class TextLabels:
    """A label belongs to a text, not to a job: whoever said the text has it. Safe for many threads."""

    def __init__(self, client: JobsClient) -> None:
        self._client = client
        self._read: dict[str, tuple[float, Labels]] = {}  # job → when it was made, its labels
        self._known: Labels = {}
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def now(self) -> Labels:
        """All labels so far, the newest job's where two differ; the same object as long as there is nothing new.

        An API that does not answer is no fault: it is noted, and what is known stays.
        """
        with self._lock:
            if time.monotonic() - self._looked >= _FRESH_SECONDS:
                try:
                    self._look()
                except JobsError as error:
                    log.warning("labels cannot be read: %s", error)
                self._looked = time.monotonic()
            return self._known

    def _look(self) -> None:
        listed = [job for job in self._client.list(_LISTED) if job.kind == "label" and job.state == DONE]
        new = {job.id: (job.created, self._labels(job)) for job in listed if job.id not in self._read}
        if not new:
            return
        self._read |= new
        known: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for _, labels in sorted(self._read.values(), key=lambda one: one[0]):
            for kind, values in labels.items():
                known[kind].update(values)
        self._known = dict(known)

    def _labels(self, job: Job) -> Labels:
        """Kind → text → value; names of clusters are not of one text, and what could not be read has no value."""
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        try:
            for label in self._client.labels(job.id):
                if label.kind in VALUES and label.value:
                    found[label.kind][label.key] = label.value
        except UnavailableError:
            raise  # it is asked again
        except JobsError as error:  # its answers are lost, or an API that tells of none
            log.warning("label job %s cannot be read: %s", job.id, error)
        return found
