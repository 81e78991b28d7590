"""`Watcher`: a client that follows a job through the API to its end, whatever happens to its stream."""

from __future__ import annotations

import threading

from orchestrator.client import JobsClient, JobsError
from tests.chaos.history import Watched


class Watcher:
    """Watches in a thread of its own."""

    def __init__(self, client: JobsClient, job: str) -> None:
        self._client, self._job = client, job
        self._events: list[tuple[str, str, str, str]] = []
        self._first = ""
        self._error = ""
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def seen(self, patience: float) -> Watched:
        """All that was seen, when the watch has ended; it gets `patience` seconds more for that."""
        self._thread.join(patience)
        if self._thread.is_alive():
            self._error = f"it has not ended {patience:g} s after the job"
        return Watched(self._first, list(self._events), self._error)

    def _run(self) -> None:
        try:
            for event in self._client.watch(self._job):
                self._first = self._first or event.resume_token
                if event.HasField("item"):
                    item = event.item
                    self._events.append((event.resume_token, item.item, item.state, item.stage))
        except JobsError as error:
            self._error = f"{error.code.name}: {error}"
        except ValueError as error:  # the client was closed before the job's end
            self._error = str(error)
