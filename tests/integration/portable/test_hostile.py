"""What comes from elsewhere may come from anybody: every broken rule is refused, and nothing is seen of the job."""

import contextlib
import hashlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.index.record import IndexRecord
from orchestrator.portable import layout, schema
from orchestrator.portable.errors import PortableError
from orchestrator.portable.reading import Folder
from orchestrator.store import ARRAYS, ArtifactStore, address_of
from orchestrator.transfer.errors import TransferError
from orchestrator.transfer.incoming import Incoming, Limits
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult
from tests.load.fuzz.mutation import mutate_message

pytestmark = pytest.mark.integration
Parts = list[pb.Part]
LIMITS = Limits(1000, 1 << 30)


@pytest.fixture(scope="module")
def whole(here, job) -> bytes:
    return b"".join(
        len(one).to_bytes(4) + one for one in (part.SerializeToString() for part in here.client.export(job.id))
    )


@pytest.fixture
def parts(whole) -> Parts:
    found, at = [], 0
    while at < len(whole):
        size = int.from_bytes(whole[at : at + 4])
        found.append(pb.Part.FromString(whole[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def take(parts: Parts, store: ArtifactStore, limits: Limits = LIMITS) -> Incoming:
    incoming = Incoming(store, limits, lambda request: None)
    incoming.take(parts)
    return incoming


def pieces(parts: Parts, ending: str) -> Parts:
    return [part for part in parts if part.WhichOneof("part") == "blob" and part.blob.address.endswith(ending)]


def without(parts: Parts, gone: pb.Part) -> None:
    parts.remove(gone)


def replaced(parts: Parts, ending: str, data: bytes) -> None:
    """Another blob in the place of the first of a kind, under its own right hash, named wherever the old one was."""
    old = pieces(parts, ending)[0].blob.address
    new = address_of(hashlib.sha256(data).hexdigest(), ending)
    for part in parts:
        if part.WhichOneof("part") == "blob" and part.blob.address == old:
            part.blob.address, part.blob.data, part.blob.last = new, data, True
        for item in part.items.items:
            if item.artifact == old:
                item.artifact = new


def record(parts: Parts, change: Callable[[FeatureResult], None]) -> None:
    result = FeatureResult.FromString(pieces(parts, ".pb")[0].blob.data)
    change(result)
    replaced(parts, ".pb", result.SerializeToString(deterministic=True))


def with_arrays(parts: Parts, data: bytes) -> None:
    """Other arrays in the first index, whose id is right for them."""
    part = next(part for part in parts if part.WhichOneof("part") == "index")
    told = IndexRecord.model_validate_json(part.index.record)
    address = address_of(hashlib.sha256(data).hexdigest())
    made = IndexRecord.make(told.plan, set_hash=told.set_hash, unreadable=(), arrays=address, residuals=told.residuals)
    parts[0].job.plan = parts[0].job.plan.replace(told.id, made.id)
    part.index.id, part.index.record = made.id, made.model_dump_json().encode()
    for other in parts:
        if other.WhichOneof("part") == "blob" and other.blob.address == told.arrays:
            other.blob.address, other.blob.data = address, data


def bomb() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, reference=np.zeros((1000, 1000)))
    return buffer.getvalue()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, reference=np.array([{"a": 1}], dtype=object))
    return buffer.getvalue()


def not_arrays() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../etc/cron.d/x.npy", b"* * * * * root true")
    return buffer.getvalue()


def set_plan(parts: Parts, **changes: object) -> None:
    parts[0].job.plan = json.dumps(json.loads(parts[0].job.plan) | changes)


def item(parts: Parts, **changes: object) -> None:
    for name, value in changes.items():
        setattr(parts[1].items.items[0], name, value)


def first_blob(parts: Parts) -> pb.BlobPiece:
    return next(part.blob for part in parts if part.WhichOneof("part") == "blob")


def setblob(piece: pb.BlobPiece, **changes: object) -> None:
    for name, value in changes.items():
        setattr(piece, name, value)


HOSTILE: dict[str, tuple[Callable[[Parts], object], str]] = {
    "a path": (lambda p: setblob(first_blob(p), address="../../../etc/passwd"), "blob.address: '../../../etc/passwd'"),
    "an absolute path": (lambda p: setblob(first_blob(p), address="/etc/passwd"), "blob.address: '/etc/passwd'"),
    "a pointer": (lambda p: setblob(first_blob(p), address="index-names/explain"), "is no address of a blob"),
    "a suffix that climbs": (
        lambda p: setblob(first_blob(p), address=first_blob(p).address + "/../x"),
        "is no address of a blob",
    ),
    "other bytes": (lambda p: setblob(first_blob(p), data=b"x" + first_blob(p).data), "does not hold what its hash"),
    "a cut": (lambda p: setblob(first_blob(p), last=False), "came amid another blob"),
    "a large piece": (lambda p: setblob(first_blob(p), data=b"x" * ((1 << 20) + 1)), "at most 1048576"),
    "what nobody named": (
        lambda p: p.append(pb.Part(blob=pb.BlobPiece(address=address_of(hashlib.sha256(b"x").hexdigest()), data=b"x"))),
        "was not named by what came before",
    ),
    "twice the same": (lambda p: p.append(p[-1]), "or came already"),
    "no arrays": (lambda p: without(p, pieces(p, "")[1]), "came before|did not come|cut off|amid"),
    "a result less": (lambda p: without(p, pieces(p, ".pb")[0]), "did not come|was not named"),
    "the end is missing": (lambda p: p.__delitem__(slice(2, None)), "did not come"),
    "an empty stream": (lambda p: p.clear(), "items: none came"),
    "an empty part": (lambda p: p.insert(0, pb.Part()), "part: is empty"),
    "items first": (lambda p: p.insert(0, p.pop(1)), "job: must be the first"),
    "two jobs": (lambda p: p.insert(1, p[0]), "job: came twice"),
    "a later format": (lambda p: setattr(p[0].job, "format", 2), "job.format: 2 is not 1"),
    "a strange id": (lambda p: setattr(p[0].job, "id", "../../jobs"), "12 hexadecimal digits"),
    "no time": (lambda p: setattr(p[0].job, "finished", float("nan")), "must be unix seconds"),
    "a plan that is none": (lambda p: setattr(p[0].job, "plan", "{"), "job.plan"),
    "a plan that names a path": (lambda p: set_plan(p, texts={"mine": "../../x"}), "job.plan.texts"),
    "more items": (lambda p: setattr(p[0].job, "items", 6), "5 came of 6"),
    "fewer items": (lambda p: setattr(p[0].job, "items", 4), "are more than the job's 4"),
    "too many items": (lambda p: setattr(p[0].job, "items", 1001), "is not in 1…1000"),
    "an item that is no feature": (lambda p: item(p, item="0:1/../2"), "is not the id of a feature"),
    "an item that the SAE lacks": (lambda p: item(p, item="12"), "12 is not in 0…11"),
    "an item that runs": (lambda p: item(p, state="running"), "only a done one has a result"),
    "an item twice": (lambda p: item(p, item="1"), "feature 1 came twice"),
    "a result of another kind": (
        lambda p: item(p, artifact=p[1].items.items[0].artifact[:-3] + ".png"),
        "is no record",
    ),
    "an index that nobody named": (
        lambda p: setattr(next(x for x in p if x.WhichOneof("part") == "index").index, "id", "0" * 16),
        "is not one that the plan names",
    ),
    "an index with another content": (
        lambda p: setattr(
            (x := next(x for x in p if x.WhichOneof("part") == "index").index),
            "record",
            x.record.replace(b'"set_hash":"', b'"set_hash":"0'),
        ),
        "does not hold what its id says",
    ),
    "another feature's result": (lambda p: record(p, lambda r: setattr(r, "feature", 7)), "is of 7"),
    "another variant": (
        lambda p: record(p, lambda r: setattr(r.variants[0], "variant", "x")),
        "other variants than the plan",
    ),
    "an outcome that there is not": (
        lambda p: record(p, lambda r: setattr(r.variants[0], "outcome", "x" * 10_000)),
        "an outcome or a score that there is not",
    ),
    "an item of five thousand digits": (lambda p: item(p, item="9" * 5000), "is not the id of a feature"),
    "a result that is none": (lambda p: replaced(p, ".pb", b"\xff\xff"), "cannot be read"),
    "a result that names a path": (
        lambda p: record(p, lambda r: r.variants[0].generated["learned"].artifacts.append("/etc/passwd")),
        "'/etc/passwd' is no address",
    ),
    "a top image that is a path": (
        lambda p: record(p, lambda r: setattr(r.explain_images[0], "digest", "../../../../etc/passwd")),
        "is no address",
    ),
    "a zip bomb": (lambda p: with_arrays(p, bomb()), "grows when it is unpacked"),
    "a pickle": (lambda p: with_arrays(p, pickled()), "holds no arrays"),
    "a zip that climbs": (lambda p: with_arrays(p, not_arrays()), "something that is no array"),
    "no zip": (lambda p: with_arrays(p, b"PK"), "holds no arrays"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused_by_the_rule(name, parts, tmp_path):
    spoil, told = HOSTILE[name]
    spoil(parts)
    with pytest.raises(TransferError, match=told) as refused:
        take(parts, ArtifactStore(str(tmp_path / "store")))
    assert str(refused.value).count(";") >= 1  # the rule, then the remedy
    outside = [file for file in tmp_path.rglob("*") if file.is_file() and "blobs" not in file.parts]
    assert not outside


def test_the_parts_as_they_are_pass(parts, tmp_path):
    incoming = take(parts, ArtifactStore(str(tmp_path)))
    assert incoming.images > 10 and not incoming.images_missing
    assert sum(incoming.ended().outcomes.values()) > 20


@pytest.mark.parametrize("seed", range(8))
def test_mutated_parts_are_refused_in_words_or_pass(parts, tmp_path, seed):
    """Twenty streams each, a part or two of which were changed at random: no fault that nobody foresaw."""
    rng = random.Random(seed)
    store = ArtifactStore(str(tmp_path))
    for _ in range(20):
        spoiled = [pb.Part.FromString(part.SerializeToString()) for part in parts]
        for _ in range(rng.choice((1, 1, 2))):
            mutate_message(rng, rng.choice(spoiled[:12]))
        with contextlib.suppress(TransferError):
            take(spoiled, store)


def test_an_image_must_be_one(parts, tmp_path):
    result = FeatureResult.FromString(pieces(parts, ".pb")[0].blob.data)
    address = address_of(result.explain_images[0].digest)
    fake = b"<html>" * 10
    renamed = address_of(hashlib.sha256(fake).hexdigest())
    record(parts, lambda r: setattr(r.explain_images[0], "digest", hashlib.sha256(fake).hexdigest()))
    for part in parts:
        if part.WhichOneof("part") == "blob" and part.blob.address == address:
            part.blob.address, part.blob.data = renamed, fake
    with pytest.raises(TransferError, match="image blobs/"):
        take(parts, ArtifactStore(str(tmp_path)))


def test_a_job_may_not_be_larger_than_the_limit(parts, tmp_path):
    with pytest.raises(TransferError, match="STEERSCOPE_API_IMPORT_MAX_GIB"):
        take(parts, ArtifactStore(str(tmp_path)), Limits(1000, 20_000))


def test_a_refused_job_is_not_seen(parts, there):
    parts[-1].blob.data += b"x"
    before = there.blobs()
    with pytest.raises(Exception, match="does not hold what its hash says"):
        there.client.bring(iter(parts))
    assert not there.client.list()
    assert not [name for name in there.blobs() if name.startswith("indexes") and name not in before]


def manifest(folder, **changes):
    told = json.loads((folder / layout.MANIFEST).read_text())
    (folder / layout.MANIFEST).write_text(json.dumps(told | changes))


def resealed(folder):
    """The manifest of an attacker, who can hash, too."""
    files = [one["path"] for one in json.loads((folder / layout.MANIFEST).read_text())["files"]]
    layout.write_manifest(folder, files)


@pytest.fixture
def copied(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "copied")
    return tmp_path / "copied"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "restore/../../x", "README.md", "restore/job.json\n"])
def test_a_manifest_that_leads_out_is_refused(copied, path):
    manifest(copied, files=[{"path": path, "bytes": 1, "sha256": "0" * 64}])
    with pytest.raises(PortableError, match="is no file of an export"):
        Folder.open(copied)


def test_a_link_is_refused(copied, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("{}")
    (copied / layout.JOB).unlink()
    (copied / layout.JOB).symlink_to(secret)
    with pytest.raises(PortableError, match="not a plain file"):
        Folder.open(copied)


def test_a_parquet_bomb_is_refused_before_it_is_unpacked(copied):
    file = next((copied / "restore").glob("blobs-*"))
    rows = {"address": ["blobs/" + "a" * 64] * 1000, "data": [b"\0" * (1 << 16)] * 1000}
    pq.write_table(pa.table(rows, schema=schema.BLOBS), file, compression="zstd")
    assert file.stat().st_size < 1 << 20
    resealed(copied)
    found = Folder.open(copied)
    found.verify()
    with pytest.raises(PortableError, match="is packed; values must be plain"):
        list(found.parts())


def test_a_dictionary_bomb_is_refused(copied):
    file = next((copied / "restore").glob("blobs-*"))
    rows = {"address": ["a"] * 1000, "data": [b"\0" * (1 << 16)] * 1000}
    pq.write_table(pa.table(rows, schema=schema.BLOBS), file, compression="none", use_dictionary=True)
    resealed(copied)
    with pytest.raises(PortableError, match="is packed; values must be plain"):
        list(Folder.open(copied).parts())


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 2}', b'{"format": 1, "files": 3}', b"[" * 100_000])
def test_a_manifest_that_is_none(copied, content):
    (copied / layout.MANIFEST).write_bytes(content)
    with pytest.raises(PortableError, match=r"restore/manifest\.json"):
        Folder.open(copied)


@pytest.mark.parametrize("content", [b"{}", b"[1]", b'{"id": 7}', b"x"])
def test_a_job_file_that_is_none(copied, content):
    (copied / layout.JOB).write_bytes(content)
    resealed(copied)
    with pytest.raises(PortableError, match=r"restore/job\.json"):
        list(Folder.open(copied).parts())


def test_arrays_written_here_pass_the_checks(tmp_path):
    from orchestrator.transfer.checks import check_arrays

    check_arrays(ARRAYS.encode({"a": np.zeros((3, 4)), "names": np.array(["x", "ü"])}), "blobs/…")
