"""`JobLabeller`: questions as a job of the deployment's queue, waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc

from orchestrator.client import JobsClient, JobsError
from orchestrator.labels.model import Label, Question
from protos.v1 import jobs_pb2 as pb

Progress = Callable[[int, int], None]
_MOST = 1 << 14  # questions of one job: with their keys they must fit into a message
_ENDED = ("done", "failed", "cancelled")


class LabelsError(JobsError):
    """A label job ended without all of its answers."""

    def __init__(self, message: str) -> None:
        super().__init__(grpc.StatusCode.ABORTED, message)


class JobLabeller:
    """Asks through label jobs. Equal questions are answered from the cache: asking again continues what broke off."""

    def __init__(self, client: JobsClient, progress: Progress = lambda done, total: None, name: str = "labels") -> None:
        """`progress(done, total)` hears of every finished chunk, in questions (about)."""
        self._client, self._progress, self._name = client, progress, name

    def ask(self, questions: Sequence[Question]) -> list[Label]:
        """A label per question, in their order; keys must differ within a kind.

        Raises JobsError (LabelsError if the job was cancelled meanwhile). A chunk that failed gives labels that say so.
        """
        labels: list[Label] = []
        for start in range(0, len(questions), _MOST):
            labels += self._ask(questions[start : start + _MOST], start, len(questions))
        return labels

    def _ask(self, questions: Sequence[Question], before: int, total: int) -> list[Label]:
        spec = pb.LabelSpec(name=self._name, questions=[question.to_proto() for question in questions])
        job = self._client.submit(label=spec)
        for event in self._client.watch(job.id):
            if event.HasField("snapshot"):
                job = event.snapshot
                done = sum(job.items_by_state[state] for state in _ENDED)
            elif event.item.item and event.item.state in _ENDED:
                done += 1
            else:
                continue
            self._progress(before + round(len(questions) * done / job.items_total), total)
        if job.state == pb.CANCELLED:
            raise LabelsError(f"label job {job.id} was cancelled; ask again, what it has answered is kept")
        labels = [Label.of(told) for told in self._client.labels(job.id)]
        if [(one.kind, one.key) for one in labels] != [(one.kind, one.key) for one in questions]:
            raise LabelsError(f"label job {job.id} has {len(labels)} labels for {len(questions)} questions")
        return labels
