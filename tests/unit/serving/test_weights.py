import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.serving.weights import Source, values_for, weights_digest


@dataclass(frozen=True)
class Recipe:
    steps: int = 30
    guidance: float = 7.5
    size: int = 512


def test_chosen_before_beside_before_defaults(tmp_path):
    assert values_for("owner/name", Recipe, {"steps": None}) == Recipe(30, 7.5, 512)
    (tmp_path / "steerscope.json").write_text(json.dumps({"steps": 20, "guidance": 3.0}))
    assert values_for(str(tmp_path), Recipe, {"steps": 5, "size": None}) == Recipe(5, 3.0, 512)
    assert values_for(str(tmp_path), Recipe, {"guidance": 0.0}).guidance == 0.0


def test_unknown_keys_beside_the_weights_are_refused(tmp_path):
    (tmp_path / "steerscope.json").write_text(json.dumps({"step": 20}))
    with pytest.raises(ValueError, match=r"\['step'\].*steps"):
        values_for(str(tmp_path), Recipe, {})


@pytest.mark.parametrize(
    ("text", "location", "revision"),
    [
        ("google/gemma-3-4b-it", "google/gemma-3-4b-it", None),
        ("google/gemma-3-4b-it@093f9f3", "google/gemma-3-4b-it", "093f9f3"),
        ("a/b/file.pt@v1", "a/b/file.pt", "v1"),
    ],
)
def test_a_revision_pins_a_hub_id(text, location, revision):
    source = Source.parse(text)
    assert (source.location, source.revision, str(source)) == (location, revision, text)


def test_an_at_in_a_path_is_no_revision(tmp_path):
    folder = tmp_path / "me@home"
    folder.mkdir()
    assert Source.parse(str(folder)) == Source(str(folder))
    assert Path(Source.parse("package:services.microworld/weights/vlm").location).is_dir()
    with pytest.raises(ValueError, match="revision behind the @"):
        Source.parse("a/b@")


def test_the_identity_of_a_folder_follows_its_content(tmp_path):
    (tmp_path / "a").write_text("1")
    before = weights_digest(str(tmp_path))
    assert weights_digest(str(tmp_path)) == before
    (tmp_path / "a").write_text("2")
    assert weights_digest(str(tmp_path)) != before


def test_the_identity_of_a_hub_repository_is_its_commit(tmp_path, monkeypatch):
    commits = {"owner/one": tmp_path / "abc", "owner/two": tmp_path / "def"}
    asked = []

    def snapshot(name, *, revision, local_files_only):
        asked.append(local_files_only)
        return str(commits[name if revision is None else f"{name}@{revision}"])

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    one, two = weights_digest("owner/one"), weights_digest("owner/two")
    assert one != two
    commits["owner/one@v1"] = tmp_path / "123"
    assert weights_digest("owner/one", "v1") not in (one, two)
    commits["owner/one"] = tmp_path / "def"
    assert weights_digest("owner/one") not in (one, two)
    assert all(asked)
