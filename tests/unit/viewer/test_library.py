"""The library: jobs that grow while their maps are made, what is worked out once, and who waits for whom."""

import json
import threading

import grpc
import pytest

from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.client import JobsError, UnavailableError
from orchestrator.index.reader import IndexCache
from orchestrator.store import ArtifactStore
from orchestrator.viewer.documents.images import NoPictureError, top_image
from orchestrator.viewer.server.library import Library
from protos.v1 import jobs_pb2 as pb
from services.imagesets import Roots
from tests.unit.viewer.conftest import JOB
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import make_library, quick_layout
from tests.viewer.waiting import PATIENCE, until

OTHER = "bbbbbbbbbbbb"


class SlowLayout:
    """A layout that waits to be let go; `sizes` has how much each call laid out."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Semaphore(0)

    def __call__(self, vectors):
        self.sizes.append(len(vectors))
        assert self.go.acquire(timeout=PATIENCE)
        return quick_layout(vectors)


def on_map(library: Library) -> int | None:
    """How many features the map shows."""
    found = library.map(JOB)
    return None if found is None else len(json.loads(found)["features"])


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch) -> None:
    monkeypatch.setattr("orchestrator.viewer.server.library._FRESH_SECONDS", 0)


@pytest.fixture
def jobs(made) -> FakeJobs:
    fake = FakeJobs()
    fake.add(JOB, made.results[:11], total=40)
    return fake


def test_a_growing_job_gets_its_maps_one_after_another(jobs, made):
    layout = SlowLayout()
    library = make_library(jobs, made.store, layout=layout)
    assert on_map(library) is None
    until(lambda: layout.sizes == [11])
    for count in (12, 13, 14):
        jobs.add(JOB, made.results[:count], total=40)
        assert on_map(library) is None
    assert layout.sizes == [11], "one map of a job is made at a time"
    layout.go.release()
    until(lambda: on_map(library) == 11)
    until(lambda: layout.sizes == [11, 14])
    assert on_map(library) == 11, "the old map stands until the new one is there"
    assert json.loads(library.feature(JOB, 13))["feature"] == 13
    assert json.loads(library.feature(JOB, 3))["near"]["texts"]
    layout.go.release()
    until(lambda: on_map(library) == 14)
    assert layout.sizes == [11, 14]


def test_the_vote_is_held_once_for_all_features(jobs, made):
    jobs.add(JOB, made.results)
    votes = []

    def choose(frame, seed):
        votes.append(len(frame))
        return choose_best(frame, seed)

    library = make_library(jobs, made.store, choose=choose)
    until(lambda: on_map(library) == 40)
    library.feature(JOB, 0)
    for number in range(40):
        library.feature(JOB, number)
    assert len(votes) == 1, "the map's and everybody's"


def test_a_map_that_cannot_be_made_is_told_and_tried_again_with_more_results(jobs, made):
    def fail(vectors):
        if len(vectors) < 16:
            raise RuntimeError("no room")
        return quick_layout(vectors)

    jobs.add(JOB, made.results[:15], total=40)
    library = make_library(jobs, made.store, layout=fail)
    with pytest.raises(LookupError, match="no room"):
        until(lambda: library.map(JOB) is not None)
    jobs.add(JOB, made.results[:16], total=40)
    until(lambda: on_map(library) == 16)


def test_a_job_that_is_read_keeps_no_other_waiting(jobs, made):
    reading, go = threading.Event(), threading.Event()
    jobs.add(OTHER, made.results, name="large")
    results = jobs.results

    def slow(job, **options):
        if job == OTHER:
            reading.set()
            assert go.wait(PATIENCE)
        return results(job, **options)

    jobs.results = slow
    library = make_library(jobs, made.store)
    waiting = threading.Thread(target=library.table, args=(OTHER,))
    waiting.start()
    assert reading.wait(PATIENCE)
    assert len(json.loads(library.table(JOB))["features"]) == 11
    assert waiting.is_alive()
    go.set()
    waiting.join(PATIENCE)
    assert len(json.loads(library.table(OTHER))["features"]) == 40


def test_labels_appear_when_their_job_is_done(jobs, made, monkeypatch):
    monkeypatch.setattr("orchestrator.viewer.text_labels._FRESH_SECONDS", 0)
    library = make_library(jobs, made.store)

    def told() -> dict[str, list[str]]:
        labels: dict[str, list[str]] = json.loads(library.table(JOB))["labels"]
        return labels

    texts = json.loads(library.table(JOB))["texts"]
    assert told() == {}
    jobs.label("dddddddddddd", {texts[0]: "animal", "said nowhere": "other"}, state=pb.RUNNING)
    assert told() == {}
    jobs.jobs["dddddddddddd"].state = pb.DONE
    assert told() == {"subject": ["animal", *[""] * (len(texts) - 1)]}
    assert library.table(JOB) is library.table(JOB), "it is put together once"
    jobs.label("eeeeeeeeeeee", {texts[0]: "background", texts[1]: ""})
    assert told()["subject"][:2] == ["background", ""], "the newer answer counts, and none where there is none"
    assert [info.id for info in library.infos()] == [JOB], "label jobs explain no features"


def test_label_jobs_that_cannot_be_read_hide_nothing(jobs, made, monkeypatch):
    monkeypatch.setattr("orchestrator.viewer.text_labels._FRESH_SECONDS", 0)
    text = made.results[0].variants[0].text
    jobs.label("dddddddddddd", {text: "animal"})
    jobs.label("eeeeeeeeeeee", {text: "background"})
    read, troubles = jobs.labels, [JobsError(grpc.StatusCode.NOT_FOUND, "it is lost")]

    def lose(job):
        if job == "eeeeeeeeeeee" and troubles:
            raise troubles[0]
        return read(job)

    jobs.labels = lose
    library = make_library(jobs, made.store)
    assert "animal" in json.loads(library.table(JOB))["labels"]["subject"]
    troubles[:] = [UnavailableError(grpc.StatusCode.UNAVAILABLE, "nobody answers")]
    other = make_library(jobs, made.store)
    assert json.loads(other.table(JOB))["labels"] == {}
    troubles.clear()
    assert "background" in json.loads(other.table(JOB))["labels"]["subject"], "it is asked again"


def test_images_outside_the_roots_are_not_read(made, jobs, tmp_path):
    indexes = IndexCache(made.store, roots=Roots.parse(str(tmp_path)))
    library = Library(jobs, made.store, indexes, (), None, choose_best)
    document = json.loads(library.feature(JOB, 3))
    assert document["grid"] == [8, 8]
    index, image = document["explain"][0]["src"].removesuffix(".webp").split("/")[1:]
    with pytest.raises(NoPictureError, match="outside"):
        top_image(library.indexes.get(index), int(image))


def test_a_job_is_shown_without_pictures_where_its_artifacts_are_elsewhere(jobs, tmp_path):
    library = make_library(jobs, ArtifactStore(str(tmp_path)))
    document = json.loads(library.feature(JOB, 3))
    assert document["grid"] == [0, 0] and document["histogram"] is None and document["explanations"]
