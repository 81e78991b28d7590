"""Runs by name, in folders and hub repositories, at a revision."""

import shutil
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled, RepositoryNotFoundError  # type: ignore[attr-defined]

from services.sae.checkpoint import CheckpointError, load_checkpoint
from services.sae.opening import layer_of, open_sae
from services.sae.settings import SaeSettings
from tests.unit.sae.tiny_sae import write_sae

REPOSITORY = "someone/some-saes"
COMMITS = {"main": "a" * 40, "v1": "b" * 40}


@pytest.fixture
def runs(tmp_path):
    """Runs as the authors published theirs: some with trainer_0, some without."""
    for run in ("layer_6", "layer_16", "deep/layer_24"):
        write_sae(tmp_path / run / ("trainer_0" if run == "layer_16" else ""), layer=int(run.split("_")[-1]))
    write_sae(tmp_path / "layer_6" / "trainer_1", layer=7)
    (tmp_path / "layer_6" / "README.md").touch()
    (tmp_path / ".git" / "layer_9").mkdir(parents=True)
    shutil.copy(tmp_path / "layer_6" / "ae.pt", tmp_path / ".git" / "layer_9")
    return tmp_path


@pytest.mark.parametrize(
    ("run", "layer"),
    [("layer_6", 6), ("layer_6/", 6), ("layer_6/trainer_1", 7), ("layer_16", 16), ("layer_16/trainer_0", 16)],
)
def test_runs_by_name(runs, run, layer):
    assert load_checkpoint(str(runs), run).layer == layer


def test_a_place_of_several_runs_lists_them(runs):
    known = r"'deep/layer_24', 'layer_16', 'layer_6', 'layer_6/trainer_1'$"
    with pytest.raises(CheckpointError, match=rf"set `sae_subfolder` to one of the runs of {runs}: {known}"):
        load_checkpoint(str(runs))
    with pytest.raises(CheckpointError, match=rf"{runs}/layer_17: holds no SAE itself; .*: {known}"):
        load_checkpoint(str(runs), "layer_17")


def test_long_lists_are_cut(tmp_path):
    for i in range(23):
        write_sae(tmp_path / f"run{i:02}")
    with pytest.raises(CheckpointError, match=r"'run00', .*, 'run19' and 3 more$"):
        load_checkpoint(str(tmp_path))


def test_a_place_without_saes_says_what_was_looked_for(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"holds no SAE; looked for ae.pt with config.json, here or in trainer_0/"
    ):
        load_checkpoint(str(tmp_path))


@pytest.fixture
def hub(runs, tmp_path_factory, monkeypatch):
    """A hub cache that holds the runs at `main`, and another layer_6 at the tag v1."""
    cache = tmp_path_factory.mktemp("hub")
    home = cache / "models--someone--some-saes"
    for revision, commit in COMMITS.items():
        (home / "refs").mkdir(parents=True, exist_ok=True)
        (home / "refs" / revision).write_text(commit)
        shutil.copytree(runs, home / "snapshots" / commit, ignore=shutil.ignore_patterns(".git"))
    write_sae(home / "snapshots" / COMMITS["v1"] / "layer_6", layer=8)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return home


def test_a_repository_of_the_hub_offline(hub):
    assert load_checkpoint(REPOSITORY, "layer_16").layer == 16
    with pytest.raises(CheckpointError, match=f"runs of {REPOSITORY}: 'deep/layer_24', 'layer_16', 'layer_6'"):
        load_checkpoint(REPOSITORY)


@pytest.mark.parametrize(("revision", "layer"), [(None, 6), ("main", 6), ("v1", 8), (COMMITS["v1"], 8)])
def test_a_revision_pins_the_files(hub, revision, layer):
    assert load_checkpoint(REPOSITORY, "layer_6", revision=revision).layer == layer
    name = REPOSITORY if revision is None else f"{REPOSITORY}@{revision}"
    settings = SaeSettings(model="any", sae=name, sae_subfolder="layer_6")
    assert layer_of(settings, open_sae(settings)) == layer


def test_online_the_hub_itself_is_asked(hub, monkeypatch):
    asked = []

    def listed(_api, name, *, revision):
        asked.append((name, revision))
        return [str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()]

    snapshot = hub / "snapshots" / COMMITS["v1"]
    monkeypatch.setattr(HfApi, "list_repo_files", listed)
    assert load_checkpoint(REPOSITORY, "layer_6", revision="v1").layer == 8
    assert asked == [(REPOSITORY, "v1")]


def test_repositories_that_nobody_has_are_refused(hub, monkeypatch):
    with pytest.raises(CheckpointError, match="other/saes: no such folder here, and the hub does not answer"):
        load_checkpoint("other/saes")
    with pytest.raises(CheckpointError, match="/no/such/folder: no such folder here and no such repository"):
        load_checkpoint("/no/such/folder")

    def gone(*_arguments, **_options):
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)

    monkeypatch.setattr(HfApi, "list_repo_files", gone)
    with pytest.raises(CheckpointError, match="other/saes: no such folder here and no such repository on the hub"):
        load_checkpoint("other/saes")


def test_a_file_that_is_listed_but_cannot_be_had_is_named(hub, monkeypatch):
    def listed(_api, _name, *, revision):
        return ["layer_9/ae.pt", "layer_9/config.json"]

    monkeypatch.setattr(HfApi, "list_repo_files", listed)
    with pytest.raises(CheckpointError, match=f"{REPOSITORY}: layer_9/config.json cannot be downloaded"):
        load_checkpoint(REPOSITORY, "layer_9")


@pytest.mark.parametrize("error", [OfflineModeIsEnabled("no"), HTTPError("no route")])
def test_the_cache_stands_in_while_the_hub_does_not_answer(hub, monkeypatch, error):
    def offline(*_arguments, **_options):
        raise error

    monkeypatch.setattr(HfApi, "list_repo_files", offline)
    sae = load_checkpoint(REPOSITORY, "layer_6")
    assert sae.digest == load_checkpoint(str(Path(hub) / "snapshots" / COMMITS["main"]), "layer_6").digest
