"""Questions as jobs: labels in the order of the questions, progress, and what a cancelled job says."""

import pytest

from orchestrator.labels import jobs
from orchestrator.labels.jobs import JobLabeller, LabelsError
from orchestrator.labels.model import Label, Question
from protos.v1 import jobs_pb2 as pb
from tests.unit.labels.examples import subject


class Client:
    """Answers everything with "other", two questions an item; may cancel, or lose a label."""

    def __init__(self, end=pb.DONE, lost=0):
        self.end, self.lost, self.specs = end, lost, {}

    def submit(self, *, label):
        job = pb.Job(id=f"{len(self.specs):012x}", items_total=-(-len(label.questions) // 2))
        self.specs[job.id] = label
        return job

    def watch(self, job):
        total = -(-len(self.specs[job].questions) // 2)
        yield pb.WatchEvent(snapshot=pb.Job(id=job, items_total=total))
        for item in range(total):
            yield pb.WatchEvent(item=pb.ItemEvent(item=str(item), state="running"))
            yield pb.WatchEvent(item=pb.ItemEvent(item=str(item), state="stage", stage="label"))
            yield pb.WatchEvent(item=pb.ItemEvent(item=str(item), state="done"))
            yield pb.WatchEvent(keep_alive=pb.KeepAlive())
        yield pb.WatchEvent(snapshot=pb.Job(id=job, state=self.end, items_total=total, items_by_state={"done": total}))

    def labels(self, job):
        asked = self.specs[job].questions[self.lost :]
        return [pb.Label(kind=one.kind, key=one.key, value="other", source="explainer", outcome="ok") for one in asked]


def test_labels_come_in_the_order_of_the_questions():
    questions = [*subject("b", "a", "c"), Question("cluster", "7", ("x", "y"))]
    client, told = Client(), []
    labels = JobLabeller(client, lambda done, total: told.append((done, total)), "mine").ask(questions)
    assert labels == [Label(one.kind, one.key, "other", "explainer", "") for one in questions]
    assert told == [(0, 4), (2, 4), (4, 4), (4, 4)]
    (spec,) = client.specs.values()
    assert (spec.name, spec.questions[3].texts) == ("mine", ["x", "y"])


def test_more_questions_than_a_job_takes_are_several_jobs(monkeypatch):
    monkeypatch.setattr(jobs, "_MOST", 3)
    client, told = Client(), []
    labels = JobLabeller(client, lambda done, total: told.append(done)).ask(subject(*"abcdefg"))
    assert [label.key for label in labels] == [*"abcdefg"]
    assert [len(spec.questions) for spec in client.specs.values()] == [3, 3, 1]
    assert told == sorted(told) and told[-1] == 7


def test_no_questions_are_no_job():
    assert JobLabeller(Client()).ask([]) == []


def test_a_cancelled_job_and_a_lost_label_are_told():
    with pytest.raises(LabelsError, match="label job 000000000000 was cancelled; ask again"):
        JobLabeller(Client(end=pb.CANCELLED)).ask(subject("a"))
    with pytest.raises(LabelsError, match="has 1 labels for 2 questions"):
        JobLabeller(Client(lost=1)).ask(subject("a", "b"))
