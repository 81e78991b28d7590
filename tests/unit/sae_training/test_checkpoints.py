"""Checkpoints: the last two, for one run and one process only."""

import pytest
import torch

from services.sae.training.checkpoints import Checkpoints
from services.sae.training.errors import TrainingError

IDENTITY = {"k": 25, "batch": 8192, "model_hash": "abc"}


def test_the_last_two_are_kept_and_the_newest_is_given(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() is None
    for step in (5, 1000, 20):
        checkpoints.write(step, {"step": step, "tensor": torch.ones(3)})
    assert sorted(file.name for file in checkpoints.folder.glob("*.pt")) == ["step-000000020.pt", "step-000001000.pt"]
    assert checkpoints.newest()["step"] == 1000
    checkpoints.clear()
    assert checkpoints.newest() is None


def test_a_damaged_one_is_passed_over(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.write(step, {"step": step})
    newest = checkpoints.folder / "step-000000002.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoints.newest()["step"] == 1
    assert "cannot be read" in caplog.text


def test_other_settings_are_refused_by_name(tmp_path):
    Checkpoints(tmp_path).begin(IDENTITY)
    again = Checkpoints(tmp_path)
    again.begin(IDENTITY)
    again.agree({"k": 25})  # what is known early is compared early
    with pytest.raises(TrainingError, match=r"k was 25, is 32.*name another folder"):
        again.agree({"k": 32, "batch": 8192})
    with pytest.raises(TrainingError, match="model_hash was abc, is xyz"):
        again.begin(IDENTITY | {"model_hash": "xyz"})


def test_a_folder_with_an_sae_from_elsewhere_is_refused(tmp_path):
    (tmp_path / "ae.pt").touch()
    with pytest.raises(TrainingError, match="not trained here"):
        Checkpoints(tmp_path)


def test_one_process_at_a_time(tmp_path):
    first = Checkpoints(tmp_path)
    with pytest.raises(TrainingError, match="another process"):
        Checkpoints(tmp_path)
    del first
    Checkpoints(tmp_path)
