import json
from dataclasses import dataclass

import pytest

from services.serving.weights import values_for, weights_digest


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


def test_the_identity_of_a_folder_follows_its_content(tmp_path):
    (tmp_path / "a").write_text("1")
    before = weights_digest(str(tmp_path))
    assert weights_digest(str(tmp_path)) == before
    (tmp_path / "a").write_text("2")
    assert weights_digest(str(tmp_path)) != before


def test_the_identity_of_a_hub_repository_is_its_commit(tmp_path, monkeypatch):
    commits = {"owner/one": tmp_path / "abc", "owner/two": tmp_path / "def"}
    asked = []

    def snapshot(name, *, local_files_only):
        asked.append(local_files_only)
        return str(commits[name])

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    one, two = weights_digest("owner/one"), weights_digest("owner/two")
    assert one != two
    commits["owner/one"] = tmp_path / "def"
    assert weights_digest("owner/one") not in (one, two)
    assert all(asked)
