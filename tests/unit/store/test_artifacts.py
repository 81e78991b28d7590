"""The artifact store on the local disk and on fsspec's memory file system."""

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.store import ArtifactNotFoundError, ArtifactStore


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{tmp_path}/a" if request.param == "file" else f"memory://{uuid.uuid4().hex}")


def test_a_blob_lies_under_its_sha256(store: ArtifactStore):
    address = store.put(b"feature", ".png")
    digest = hashlib.sha256(b"feature").hexdigest()
    assert address == f"blobs/{digest[:2]}/{digest}.png"
    assert store.get(address) == b"feature"
    assert store.put(b"feature", ".png") == address


def test_missing_names_say_where_they_were_sought(store: ArtifactStore):
    with pytest.raises(ArtifactNotFoundError, match="blobs/no"):
        store.get("blobs/no")
    assert not store.exists("blobs/no")
    assert store.names("nothing") == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "a/../../b"])
def test_names_stay_below_the_root(store: ArtifactStore, name: str):
    with pytest.raises(ValueError, match="relative path"):
        store.get(name)


def test_the_first_claim_wins_and_point_replaces(store: ArtifactStore):
    assert store.claim("stages/a", b"1") == b"1"
    assert store.claim("stages/a", b"2") == b"1"
    store.point("stages/a", b"3")
    assert store.get("stages/a") == b"3"
    assert store.names("stages") == ["a"]


def test_racing_claims_agree(tmp_path: Path):
    store = ArtifactStore(str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda i: store.claim("stages/x", str(i).encode() * 1000), range(64)))
    assert len(set(seen)) == 1
    assert [path.name for path in (tmp_path / "stages").iterdir()] == ["x"]  # no temporary files stay


def test_local_path_only_on_this_disk(tmp_path: Path):
    store = ArtifactStore(str(tmp_path))
    address = store.put(b"x")
    assert store.local_path(address) == tmp_path / address
    assert ArtifactStore(f"memory://{uuid.uuid4().hex}").local_path(address) is None


@pytest.mark.parametrize("name", ["blobs/a\0b", "blobs/" + "a" * 256, "blobs/" + "é" * 128])
def test_names_that_no_file_can_have_are_refused(store: ArtifactStore, name: str):
    with pytest.raises(ValueError, match="artifact name"):
        store.get(name)


def test_a_folder_of_names_is_no_artifact(store: ArtifactStore):
    store.point("index-names/test", b"1")
    with pytest.raises(ArtifactNotFoundError):
        store.get("index-names/")
