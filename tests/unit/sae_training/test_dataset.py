"""What is known of images before training."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.imagesets import is_part_of, open_images
from services.sae.training.dataset import Survey, hold_out, survey
from services.sae.training.errors import TrainingError
from tests.unit.sae_training.pictures import damage, write_pictures


def quiet(_done, _of):
    pass


def test_a_survey_hashes_what_can_be_used_and_names_what_cannot(tmp_path):
    folder = write_pictures(tmp_path / "images", 5)
    (folder / "0002.png").write_bytes(b"no image at all")
    (folder / "0004.png").unlink()
    (folder / "0004.png").symlink_to(tmp_path / "nowhere")
    known = survey(open_images(str(folder)), 2, quiet, tmp_path / "cache.json")
    expected = [hashlib.sha256((folder / f"{i:04d}.png").read_bytes()).hexdigest() for i in (0, 1, 3)]
    assert [digest for digest in known.digests if digest] == expected
    assert known.usable == [0, 1, 3]
    assert set(known.refused) == {"0002.png", "0004.png"}
    assert "cannot be read" in known.refused["0002.png"]


def test_a_survey_is_done_once_for_a_set_of_these_names(tmp_path):
    folder, cache = write_pictures(tmp_path / "images", 3), tmp_path / "cache.json"
    first = survey(open_images(str(folder)), 1, quiet, cache)
    damage(folder / "0000.png")
    assert survey(open_images(str(folder)), 1, quiet, cache) == first
    write_pictures(folder, 4)
    assert len(survey(open_images(str(folder)), 1, quiet, cache).digests) == 4
    assert len(json.loads(cache.read_text())["digests"]) == 4


def a_survey(contents) -> Survey:
    return Survey(tuple(hashlib.sha256(str(content).encode()).hexdigest() for content in contents), {})


@given(st.lists(st.integers(0, 400), min_size=2, max_size=80), st.floats(0.01, 0.6))
def test_no_content_is_on_both_sides(contents, share):
    known = a_survey(contents)
    all_in_test = all(is_part_of("test", str(digest), share) for digest in known.digests)
    if all_in_test or len(set(contents)) == 1:
        with pytest.raises(TrainingError, match="some must be left to train on"):
            hold_out(known, share)
        return
    rest, held = hold_out(known, share)
    assert sorted(rest + held) == list(range(len(contents)))
    assert held
    assert rest
    assert not {contents[i] for i in rest} & {contents[i] for i in held}
    part = [i for i in range(len(contents)) if is_part_of("test", str(known.digests[i]), share)]
    assert not part or held == part


def test_the_side_of_an_image_depends_on_nothing_but_its_content():
    small, large = range(1000), range(4000)
    held = hold_out(a_survey(small), 0.1)[1]
    assert [i for i in hold_out(a_survey(large), 0.1)[1] if i < 1000] == held
    assert 60 < len(held) < 140


def test_a_set_of_one_image_is_refused():
    with pytest.raises(TrainingError, match="1 of 1 images can be read"):
        hold_out(a_survey([1]), 0.1)
