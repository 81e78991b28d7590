"""Every way in which weights can be missing is found, with its remedy."""

import json

import pytest

from orchestrator.doctor.hub import Remote
from orchestrator.doctor.locations import weights_of
from orchestrator.doctor.sae_run import check_sae_run
from orchestrator.doctor.weights import check_weights
from tests.unit.doctor.examples import FakeHub, context

GEMMA = "google/gemma-3-4b-it"


def only(tmp_path, hub, **vlm):
    found = list(check_weights(context(tmp_path, {"vlm": {"model": GEMMA, **vlm}}, hub)))
    assert len(found) == 1
    return found[0]


def snapshot(tmp_path, shards, there):
    folder = tmp_path / "snapshot"
    folder.mkdir()
    index = {"weight_map": {f"tensor{i}": name for i, name in enumerate(shards)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in there:
        (folder / name).write_bytes(b"0" * 10)
    return folder


def test_gated_without_a_token_says_which_page_and_how_to_give_one(tmp_path):
    found = only(tmp_path, FakeHub({GEMMA: Remote("closed")}))
    assert found.level == "bad"
    assert f"https://huggingface.co/{GEMMA}" in found.remedy
    assert "HF_TOKEN" in found.remedy


def test_gated_with_a_token_asks_for_the_licence_only(tmp_path):
    found = only(tmp_path, FakeHub({GEMMA: Remote("closed")}, token=True))
    assert found.level == "bad"
    assert "licence" in found.remedy
    assert "HF_TOKEN" not in found.remedy


def test_offline_without_the_weights(tmp_path):
    hub = FakeHub(offline=True)
    found = only(tmp_path, hub)
    assert (found.level, hub.asked) == ("bad", [])
    assert "unset HF_HUB_OFFLINE" in found.remedy


def test_offline_with_some_of_the_shards(tmp_path):
    folder = snapshot(tmp_path, ["a.safetensors", "b.safetensors"], ["a.safetensors"])
    found = only(tmp_path, FakeHub(cache={GEMMA: folder}, offline=True))
    assert found.level == "bad"
    assert "1 of 2 files" in found.text


def test_a_whole_snapshot_is_enough_offline(tmp_path):
    folder = snapshot(tmp_path, ["a.safetensors"], ["a.safetensors"])
    assert only(tmp_path, FakeHub(cache={GEMMA: folder}, offline=True)).level == "ok"


def test_the_sae_service_needs_only_the_shard_with_the_tower(tmp_path):
    folder = snapshot(tmp_path, ["a.safetensors", "b.safetensors"], ["a.safetensors"])
    hub = FakeHub(cache={GEMMA: folder}, offline=True)
    found = list(check_weights(context(tmp_path, {"sae": {"model": GEMMA}}, hub)))
    assert [one.level for one in found] == ["ok"]


def test_what_will_be_downloaded_says_how_much(tmp_path):
    found = only(tmp_path, FakeHub({GEMMA: Remote("open", 8_600_000_000)}))
    assert found.level == "ok"
    assert "8.6 GB" in found.text


def test_a_hub_that_does_not_answer(tmp_path):
    found = only(tmp_path, FakeHub())
    assert found.level == "bad"
    assert "no route" in found.text
    assert "HF_HOME" in found.remedy


def test_a_repository_that_there_is_not(tmp_path):
    found = only(tmp_path, FakeHub({GEMMA: Remote("absent", detail="404 Client Error")}))
    assert found.level == "bad"
    assert "`model`" in found.remedy


@pytest.mark.parametrize("location", ["/no/such/folder", "nothing"])
def test_a_folder_that_there_is_not(tmp_path, location):
    found = only(tmp_path, FakeHub(), model=location)
    assert found.level == "bad"
    assert "no such folder" in found.text


def test_an_empty_folder(tmp_path):
    assert only(tmp_path, FakeHub(), model=str(tmp_path)).level == "bad"


def test_a_package_that_there_is_not(tmp_path):
    found = only(tmp_path, FakeHub(), model="package:no_such_package/weights")
    assert found.level == "bad"
    assert "no_such_package" in found.text


def test_places_are_named_once_and_files_of_repositories_are_understood(tmp_path):
    sections = {
        "vlm": {"model": f"{GEMMA}@abc"},
        "sae": {"model": f"{GEMMA}@abc", "sae": "me/saes"},
        "segmenter": {"sam_checkpoint": "facebook/sam2.1-hiera-large/sam2.1_hiera_large.pt"},
        "clip": {"model": "ViT-L-14", "sentence_model": "hf-hub:me/sentences"},
    }
    found = {str(one.source): one for one in weights_of(context(tmp_path, sections))}
    assert set(found) == {f"{GEMMA}@abc", "me/saes", "facebook/sam2.1-hiera-large", "me/sentences"}
    assert found[f"{GEMMA}@abc"].services == ("vlm", "sae")
    assert found["facebook/sam2.1-hiera-large"].file == "sam2.1_hiera_large.pt"


def test_the_environment_goes_before_the_profile(tmp_path, monkeypatch):
    monkeypatch.setenv("STEERSCOPE_VLM_MODEL", "me/other")
    places = [str(one.source) for one in weights_of(context(tmp_path, {"vlm": {"model": GEMMA}}))]
    assert places == ["me/other"]


def test_a_class_behind_the_spec_has_no_weights(tmp_path):
    sections = {"generator": {"backend": "my.module:Drawer", "model": "not/loaded"}}
    assert not list(weights_of(context(tmp_path, sections)))


def test_a_repository_of_saes_lists_its_runs(tmp_path):
    remote = Remote("open", files=("README.md", "mid/trainer_0/ae.pt", "late/ae.pt"))
    found = list(check_sae_run(context(tmp_path, {"sae": {"sae": "me/saes"}}, FakeHub({"me/saes": remote}))))
    assert [one.level for one in found] == ["bad"]
    assert "late, mid" in found[0].text
    assert "sae_subfolder" in found[0].remedy


@pytest.mark.parametrize(
    "sae", [{"sae": "me/saes", "sae_subfolder": "mid"}, {"sae": "package:services.microworld/weights/sae"}]
)
def test_a_named_run_is_enough(tmp_path, sae):
    assert not list(check_sae_run(context(tmp_path, {"sae": sae})))


def test_an_sae_at_the_top_needs_no_run(tmp_path):
    hub = FakeHub({"me/saes": Remote("open", files=("ae.pt", "config.json"))})
    assert not list(check_sae_run(context(tmp_path, {"sae": {"sae": "me/saes"}}, hub)))


def test_an_unknown_repository_of_saes_is_only_a_warning(tmp_path):
    assert [one.level for one in check_sae_run(context(tmp_path, {"sae": {"sae": "me/saes"}}))] == ["warn"]
