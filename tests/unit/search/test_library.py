"""Jobs are read once when they are over, and what is new of them while they run."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from orchestrator.jobs.model import ItemState
from orchestrator.remote import Calls, Fault
from orchestrator.search.library import Library
from orchestrator.search.stored import StoredEmbedder
from orchestrator.store import ArtifactStore
from protos.v1.results_pb2 import FeatureResult, VariantResult
from tests.unit.pipeline import fakes


class Shelf:
    """A job in a store, and a reader of it."""

    def __init__(self, folder):
        self.store, self.services, self.reads, self.final = ArtifactStore(str(folder)), fakes.clients(), [], False
        self.items_ = []
        get = self.store.get
        self.store.get = lambda name: (self.reads.append(name), get(name))[1]
        self.embedder = StoredEmbedder(Calls(self.services, 5, 0.1, lambda: False), self.store, "v1")

    def add(self, feature, text, state=ItemState.DONE):
        record = FeatureResult(feature=feature, variants=[VariantResult(variant="v", outcome="ok", text=text)])
        address = self.store.put(record.SerializeToString(), ".pb")
        self.items_.append(SimpleNamespace(item=str(feature), state=state, artifact=address))

    def job(self, job):
        return SimpleNamespace(state=SimpleNamespace(final=self.final))

    def items(self, job):
        return iter(self.items_)

    def records(self):
        read = [name for name in self.reads if name.endswith(".pb")]
        self.reads.clear()
        return len(read)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def run(steps):
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return end.value, told


def test_a_running_job_grows_and_a_finished_one_is_kept(shelf):
    library = Library(shelf, shelf.store)
    shelf.add(1, "a dog")
    shelf.add(2, " ")
    shelf.add(3, "later", ItemState.RUNNING)
    corpus, told = run(library.corpus("job", shelf.embedder))
    assert [(row.feature, row.text) for row in corpus.rows] == [(1, "a dog")]
    assert [(one.done, one.total) for one in told] == [(0, 1), (1, 1)]
    assert shelf.records() == 2
    shelf.add(4, "a cat")
    shelf.final = True
    corpus, _ = run(library.corpus("job", shelf.embedder))
    assert [row.text for row in corpus.rows] == ["a dog", "a cat"] and shelf.records() == 1
    expected = {text: fakes.embedding("sentence", text).embedding for text in corpus.texts}
    np.testing.assert_array_equal(corpus.vectors, [expected[text] for text in corpus.texts])
    shelf.items_ = []  # nothing is read any more
    again, told = run(library.corpus("job", shelf.embedder))
    assert again is corpus and told == []


def test_another_sentence_model_embeds_again(shelf):
    library = Library(shelf, shelf.store)
    shelf.final = True
    shelf.add(1, "a dog")
    run(library.corpus("job", shelf.embedder))
    shelf.embedder.version = "v2"
    run(library.corpus("job", shelf.embedder))
    assert len(shelf.services.clip.rows("sentence")) == 2


def test_who_comes_second_waits_and_a_fault_lets_the_next_one_try(shelf):
    library = Library(shelf, shelf.store)
    shelf.add(1, "a dog")
    first = library.corpus("job", shelf.embedder)
    next(first)  # it embeds, and holds the job
    told: list = []
    second = threading.Thread(target=lambda: told.append(run(library.corpus("job", shelf.embedder))))
    second.start()
    second.join(0.6)
    assert second.is_alive()
    first.close()  # its caller is gone
    second.join(10)
    ((_, steps),) = told
    assert steps[0] is None
    shelf.services.clip.refuse = lambda row: True
    shelf.add(2, "a cat")
    with pytest.raises(Fault):
        run(library.corpus("job", shelf.embedder))
    shelf.services.clip.refuse = lambda row: False
    assert len(run(library.corpus("job", shelf.embedder))[0].rows) == 2
