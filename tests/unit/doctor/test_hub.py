"""What the hub's client answers or raises becomes typed answers; the client itself is replaced, nothing is asked."""

from types import SimpleNamespace

import pytest
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from orchestrator.doctor import hub as hubs
from orchestrator.doctor.hub import HuggingFaceHub


def failing(kind: type[Exception], text: str) -> Exception:
    """An error of the client without the HTTP response that its constructor wants."""
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    return error


@pytest.fixture
def client(monkeypatch):
    class Client:
        info = None
        access = None
        asked = 0

        def model_info(self, repository, **_options):
            self.asked += 1
            if isinstance(self.info, Exception):
                raise self.info
            return self.info

        def auth_check(self, repository):
            if self.access is not None:
                raise self.access

    made = Client()
    monkeypatch.setattr(hubs, "HfApi", lambda: made)
    return made


def model(gated):
    files = {"model.safetensors": 8_000, "tokenizer.json": 5, "late/ae.pt": 70}
    return SimpleNamespace(
        gated=gated, siblings=[SimpleNamespace(rfilename=name, size=size) for name, size in files.items()]
    )


def test_an_open_repository_tells_the_size_of_its_weights(client):
    client.info = model(False)
    found = HuggingFaceHub().remote("me/model", None, ())
    assert (found.state, found.size) == ("open", 8_070)
    assert "late/ae.pt" in found.files
    assert HuggingFaceHub().remote("me/model", None, ["tokenizer.json"]).size == 5


def test_a_gated_repository_is_open_to_those_who_have_access(client):
    client.info = model("manual")
    assert HuggingFaceHub().remote("me/model", None, ()).state == "open"
    client.access = failing(GatedRepoError, "403 Client Error\nmore")
    assert HuggingFaceHub().remote("me/model", None, ()) == hubs.Remote("closed", detail="403 Client Error")


def test_a_repository_that_there_is_not(client):
    client.info = failing(RepositoryNotFoundError, "404 Client Error")
    assert HuggingFaceHub().remote("me/model", None, ()).state == "absent"


def test_a_hub_that_does_not_answer_is_asked_once(client):
    client.info = ConnectionError("no route\nto host")
    hub = HuggingFaceHub()
    first = hub.remote("me/model", None, ())
    assert (first.state, first.detail) == ("unreachable", "ConnectionError: no route")
    assert hub.remote("me/other", None, ()) is first
    assert client.asked == 1


def test_a_name_that_is_none_is_not_in_the_cache():
    assert HuggingFaceHub().cached("no such//name", None) is None
