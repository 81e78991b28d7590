"""Export, import into an empty deployment, export again: the same results, to the last byte."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from datasets import load_dataset

from orchestrator.access import Access
from orchestrator.analysis.frame import to_frame
from orchestrator.cli.console import CommandError
from orchestrator.client import JobsClient, JobsError, UnauthenticatedError
from orchestrator.portable.errors import PortableError
from orchestrator.portable.reading import Folder
from protos.v1 import jobs_pb2 as pb
from tests.integration.portable.place import ODD, SPEC, Place, contents, export, steerscope

pytestmark = pytest.mark.integration


def raw_results(place: Place, job: str) -> list[bytes]:
    return [result.SerializeToString(deterministic=True) for result in place.client.results(job)]


def test_the_job_that_came_is_the_job_that_left(here, job, exported, there, tmp_path):
    shutil.move(here.root / "explain", here.root / "moved")  # as on another machine: the places are not there
    try:
        told = steerscope(there, "import", str(exported))
        assert told.stdout.strip().splitlines()[-1] == job.id
        assert raw_results(there, job.id) == raw_results(here, job.id)
        came, left = there.client.get(job.id), here.client.get(job.id)
        assert came.imported > 0 and left.imported == 0
        came.ClearField("imported")
        assert came == left
        assert [one.id for one in there.client.list()] == [job.id]
        again = export(there, came, tmp_path / "again", "--neuronpedia")
        assert contents(again) == contents(exported)
    finally:
        shutil.move(here.root / "moved", here.root / "explain")


def test_the_artifacts_are_the_same_and_no_names_are_taken(here, exported, there):
    there.client.bring(Folder.open(exported).parts())
    ours, theirs = here.blobs(), there.blobs()
    assert set(theirs) - set(ours) <= {name for name in theirs if "." not in Path(name).name}  # copies of top images
    assert all(theirs[name] == ours[name] for name in theirs if name in ours)
    assert not any(name.startswith("index-names") for name in theirs)
    assert sum(name.startswith("indexes") for name in theirs) == 2


def test_what_is_here_is_not_doubled(here, job, exported, there):
    first = there.client.bring(Folder.open(exported).parts())
    second = there.client.bring(Folder.open(exported).parts())
    assert (first.outcome, second.outcome) == ("imported", "already_here")
    assert there.client.bring(here.client.export(job.id)).outcome == "already_here"
    assert here.client.bring(Folder.open(exported).parts()).outcome == "already_here"
    assert len(there.client.list()) == 1
    assert there.client.submit(SPEC, request_id="the-job").id == job.id


def test_a_taken_id_gives_a_new_one_and_the_same_one_again(here, job, exported, there):
    there.index()
    other = there.run(pb.JobSpec(feature_ids=[1], scores=["none"]))
    parts = list(here.client.export(job.id))
    parts[0].job.id = other.id
    brought = there.client.bring(iter(parts))
    assert brought.outcome == "imported" and brought.job_id not in (other.id, job.id)
    assert raw_results(there, brought.job_id) == raw_results(here, job.id)
    assert there.client.bring(iter(parts)) == pb.ImportResponse(
        **{name: getattr(brought, name) for name in ("job_id", "records", "images", "images_missing")},
        outcome="already_here",
    )


def test_the_tables_say_what_the_results_say(here, job, exported):
    results = list(here.client.results(job.id))
    expected = to_frame(results, job.id)
    found = pd.read_parquet(exported / "explanations")
    shared = [column for column in expected.columns if not column.endswith("_activations")]
    pd.testing.assert_frame_equal(found[shared], expected[shared], check_dtype=False)
    row = found.set_index(["feature", "variant"]).loc[(0, "mine")]
    assert row["raw_text"] == ODD and row["text"] == ODD.strip()
    assert row["iou_parts"].tolist() == list(results[0].variants[-1].scores["iou"].parts)
    features = pd.read_parquet(exported / "features").set_index("feature")
    assert features.loc[3, ["outcome", "reason"]].tolist() == ["failed", "image 7 is <gone>, said \u202e it\n"]
    assert features.loc[11, "outcome"] == "dead"
    top = features.loc[0, "explain_images"][0]
    assert top["sha256"] == results[0].explain_images[0].digest
    images = pd.read_parquet(exported / "images")
    assert images["sha256"].is_unique
    assert {row["sha256"] for row in features.loc[0, "test_images"]} <= set(images["sha256"])
    drawn = {one for column in ("learned_images", "oracle_images") for row in found[column].dropna() for one in row}
    assert drawn == set(images[images["kind"] == "generated"]["sha256"])


def test_datasets_loads_it_in_a_fresh_process(exported):
    code = """
import sys, json
from datasets import load_dataset
folder, cache = sys.argv[1:]
told = {}
for name in ("explanations", "features", "images"):
    table = load_dataset(folder, name, split="train", cache_dir=cache)
    told[name] = len(table)
told["default"] = len(load_dataset(folder, split="train", cache_dir=cache))
image = table[0]["image"]
told["size"] = image.size
print(json.dumps(told))
"""
    words = [sys.executable, "-c", code, str(exported), str(exported.parent / "cache")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["explanations"] == told["default"] == 4 * 6 and told["features"] == 5
    assert told["images"] > 10 and told["size"] == [16, 16]


def test_datasets_takes_no_export_for_another_of_its_name(here, job, exported, tmp_path):
    """`datasets` knows what it has read by the folder's last name and the YAML of its card."""
    other = here.run(pb.JobSpec(feature_ids=[1], variants=["steering"], scores=["none"]))
    folders = {job.id: exported, other.id: export(here, other, tmp_path / exported.name)}
    for wanted, folder in folders.items():
        found = load_dataset(str(folder), "explanations", split="train", cache_dir=str(tmp_path / "cache"))
        assert set(found["job"]) == {wanted}


def test_provenance_says_what_made_it(exported, job):
    told = json.loads((exported / "provenance.json").read_text())
    assert told["job"]["spec"]["name"] == SPEC.name and told["seed"] == 5
    assert told["prompts"]["steering"] and told["models"]["vlm.explain"] and set(told["sets"]) == {"explain", "test"}
    assert told["settings"]["top_k"] == "3"
    assert "pretty_name" in (exported / "README.md").read_text()


def test_without_images_everything_but_them_comes(here, job, there, tmp_path):
    folder = export(here, job, tmp_path / "bare", "--without-images")
    assert not (folder / "images").exists() and "config_name: images" not in (folder / "README.md").read_text()
    brought = there.client.bring(Folder.open(folder).parts())
    assert brought.images == 0 and brought.images_missing > 10
    assert raw_results(there, job.id) == raw_results(here, job.id)


def test_an_export_is_never_replaced_by_chance(here, job, exported, tmp_path):
    assert "--force" in str(steerscope(here, "export", job.id, str(exported), code=1).exception)
    steerscope(here, "export", job.id, str(exported), "--force", "--neuronpedia", "--without-viewer")
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"x")
    told = str(steerscope(here, "export", job.id, str(foreign), "--force", code=1).exception)
    assert "no export" in told and (foreign / "cat.jpg").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["photos"]  # nothing half-made is left


def test_a_job_that_goes_on_stays(here, tmp_path):
    job = here.client.submit(pb.JobSpec(feature_ids=[1, 2], scores=["none"]))
    assert "may still change" in str(steerscope(here, "export", job.id, str(tmp_path / "x"), code=1).exception)
    assert not list(tmp_path.iterdir())
    here.client.cancel(job.id)
    steerscope(here, "export", job.id, str(tmp_path / "x"), "--without-viewer")
    assert pd.read_parquet(tmp_path / "x" / "features")["outcome"].tolist() == ["cancelled", "cancelled"]


def test_imports_are_off_where_others_reach_the_api(redis_server, exported, tmp_path):
    for settings, let in (
        ({"api_imports": False}, False),
        ({"api_host": "0.0.0.0"}, False),
        ({"api_imports": True}, True),
    ):
        place = Place(redis_server, tmp_path / str(len(list(tmp_path.iterdir()))), **settings)
        try:
            if let:
                assert place.client.bring(Folder.open(exported).parts()).outcome == "imported"
            else:
                with pytest.raises(JobsError, match="STEERSCOPE_API_IMPORTS=1"):
                    place.client.bring(Folder.open(exported).parts())
                assert not place.client.list()
        finally:
            place.close()


def test_a_token_goes_with_an_import(redis_server, exported, tmp_path):
    (tmp_path / "token").write_text("a-token-of-twenty-one")
    place = Place(redis_server, tmp_path / "place", api_token_file=tmp_path / "token")
    try:
        with pytest.raises(UnauthenticatedError):
            place.client.bring(Folder.open(exported).parts())
        with JobsClient(place.address, access=Access(token_file=tmp_path / "token")) as client:
            assert client.bring(Folder.open(exported).parts()).outcome == "imported"
    finally:
        place.close()


def test_a_folder_that_was_touched_is_refused_in_one_line(there, exported, tmp_path):
    folder = tmp_path / "touched"
    shutil.copytree(exported, folder)
    blobs = next((folder / "restore").glob("blobs-*"))
    data = bytearray(blobs.read_bytes())
    data[200] ^= 1
    blobs.write_bytes(data)
    fault = steerscope(there, "import", str(folder), code=1).exception
    assert isinstance(fault, CommandError) and "is not what the manifest says" in str(fault)
    assert not there.client.list()


def test_a_folder_that_is_half_is_no_export(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "half")
    (tmp_path / "half/restore/manifest.json").unlink()
    with pytest.raises(PortableError, match="manifest"):
        Folder.open(tmp_path / "half")
