"""The image sets of a profile."""

import pytest

from orchestrator.doctor.images import check_images
from tests.unit.doctor.examples import context


def only(tmp_path, sets):
    (found,) = check_images(context(tmp_path, {"sets": sets}))
    return found


def test_a_profile_without_images_asks_for_yours(tmp_path):
    found = only(tmp_path, {})
    assert (found.level, "steerscope index" in found.text) == ("ok", True)


def test_a_folder_that_is_there(tmp_path):
    assert only(tmp_path, {"images": str(tmp_path)}).level == "ok"


@pytest.mark.parametrize("place", ["no/such/folder", "hf:"])
def test_a_place_that_is_none(tmp_path, place):
    found = only(tmp_path, {"images": place})
    assert found.level == "bad"
    assert "[sets]" in found.remedy


def test_data_sets_of_the_hub_are_taken_as_they_are(tmp_path):
    assert only(tmp_path, {"images": "hf:owner/name#split=validation"}).level == "ok"


def test_own_sets_are_counted(tmp_path):
    folder = tmp_path / "home/images/explain"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"")
    sets = {"prepare": "x:y", "explain": 5, "test": 7}
    explain, test = check_images(context(tmp_path, {"sets": sets}))
    assert "1 files" in explain.text
    assert "will draw 7" in test.text
