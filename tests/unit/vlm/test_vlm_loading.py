"""Where a model comes from and where it is put."""

import pytest
from huggingface_hub import constants
from transformers import AutoModelForImageTextToText

from services.serving.settings import SettingsError
from services.subject import Preprocessor, family_of_checkpoint, load_cut_tower, tower_digest
from services.vlm import loading
from services.vlm.settings import VlmSettings
from tests.unit.subject import tiny
from tests.unit.vlm.test_vlm_explain import NEW, ONE_IMAGE, THREE_IMAGES, assert_same, run_in_buckets

ROWS = [*ONE_IMAGE[:3], ONE_IMAGE[-1], *THREE_IMAGES[1:3]]


@pytest.fixture
def expected(reference):
    return [reference.write(row, 12) for row in ROWS]


def test_auto_placement_gives_the_same_answers(served, expected):
    results = run_in_buckets(served(device_map="auto")["explain"], ROWS)
    for result, one in zip(results, expected, strict=True):
        assert_same(result, one)


def test_a_model_spread_over_places_gives_the_same_answers(checkpoint, family, expected, monkeypatch, tmp_path):
    """Blocks on both sides of the cut, the projector and a layer of the language model lie where accelerate must move
    streams and weights to and fro: on disk, the only other place that a machine without accelerators has."""
    away = {"model.vision_tower.embeddings", "model.multi_modal_projector", "model.language_model.layers.1"}
    away |= {f"model.vision_tower.{family.blocks}.{number}" for number in (1, 2)}

    def is_away(name):
        return any(f"{name}.".startswith(f"{part}.") for part in away)

    class Spread:
        @staticmethod
        def from_pretrained(path, **options):
            plain = AutoModelForImageTextToText.from_pretrained(path)
            leaves = {name.rpartition(".")[0] for name, _ in plain.named_parameters()}
            options["device_map"] = {leaf: "disk" if is_away(leaf) else "cpu" for leaf in leaves}
            return AutoModelForImageTextToText.from_pretrained(path, **options, offload_folder=tmp_path)

    monkeypatch.setattr(loading, "AutoModelForImageTextToText", Spread)
    explain, _ = loading.load(VlmSettings(model=str(checkpoint), layer=tiny.LAYER, device="cpu"))
    placed = {name for name, parameter in explain._subject.vlm.named_parameters() if parameter.device.type == "meta"}
    assert placed
    assert all(is_away(name) for name in placed)
    assert {any(name.startswith(f"{part}.") for name in placed) for part in away} == {True}
    for result, one in zip(run_in_buckets(explain, ROWS), expected, strict=True):
        assert_same(result, one)


@pytest.fixture
def hub(family, checkpoint, tmp_path, monkeypatch):
    """A cache of the hub: one repository at two commits, of which `main` is the second."""
    repository = tmp_path / "models--owner--name"
    commits = {"1" * 40: checkpoint, "2" * 40: family.save(tmp_path / "other", seed=9)}
    (repository / "snapshots").mkdir(parents=True)
    for commit, folder in commits.items():
        (repository / "snapshots" / commit).symlink_to(folder, target_is_directory=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("2" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return commits


def test_a_revision_pins_all_that_is_loaded(hub, served, checkpoint):
    pinned, newest, local = (
        served(model=model)["explain"] for model in (f"owner/name@{'1' * 40}", "owner/name", str(checkpoint))
    )
    for key in ("subject_digest", "grid"):
        assert pinned.facts[key] == local.facts[key]
    assert newest.facts["subject_digest"] != local.facts["subject_digest"]
    assert len({pinned.version, newest.version, local.version}) == 3  # a repository's identity is its commit
    for one, other in zip(pinned.run(ROWS[:3], NEW), local.run(ROWS[:3], NEW), strict=True):
        assert_same(one, other)
    assert newest.run(ROWS[:1], NEW)[0].logprob != local.run(ROWS[:1], NEW)[0].logprob


def test_the_cut_tower_of_a_revision(hub, checkpoint, served):
    subject = served()["explain"]._subject
    pin = {"revision": "1" * 40}
    family = family_of_checkpoint("owner/name", **pin)
    cut = load_cut_tower(
        *("owner/name", tiny.LAYER),
        **{"device": subject.parameter.device, "dtype": subject.parameter.dtype, "attention": "sdpa"},
        **pin,
    )
    pixels = Preprocessor.load("owner/name", family, **pin)([tiny.picture(1)])
    assert (cut.prefix(pixels) == subject.prefix(pixels)).all()
    digest = tower_digest(str(checkpoint), tiny.LAYER, family)
    assert tower_digest("owner/name", tiny.LAYER, family, **pin) == digest
    assert tower_digest("owner/name", tiny.LAYER, family) != digest


def test_an_idle_service_gives_its_memory_back(checkpoint):
    models = loading.load(VlmSettings(model=str(checkpoint), layer=tiny.LAYER, device="cpu"))
    explain = models[0]
    before = explain.run(ROWS[:3], NEW)
    for model in models:
        model.sleep()
    assert explain._prefixes.bytes == 0
    explain.wake()
    assert explain.run(ROWS[:3], NEW) == before
    assert explain._prefixes.bytes > 0


def test_what_accelerate_placed_stays_there(served):
    assert served(device_map="auto")["explain"].resident is None


@pytest.mark.parametrize("given", [{"quantization": "int2"}, {"device_map": "everywhere"}])
def test_unknown_choices_are_refused(given):
    with pytest.raises(SettingsError, match=f"setting '{next(iter(given))}'"):
        VlmSettings.resolve({"model": "owner/name", "layer": 1, **given}, {})
