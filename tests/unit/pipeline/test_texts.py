"""Clean-up of texts, and prompts from files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.pipeline.cleanup import clean
from orchestrator.pipeline.prompts import PAPER_PROMPTS, load_prompts


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("The highlighted element in the image is a **red star**.\n", "red star."),
        ("The highlighted element in the image is an animal's eye ", "animal's eye"),
        ("**The highlighted element in the image is a** grid", "grid"),
        ("the highlighted element in the images is grass", "grass"),
        ("The highlighted element in the image is analogous", "analogous"),  # `an` only as a word
        ("The highlighted element in the image is a", ""),
        ("red star shape", "red star shape"),
        ("A stripe, as the highlighted element in the image is a stripe", None),  # only a lead-in is dropped
        (" \n", ""),
    ],
)
def test_clean(raw: str, text: str | None):
    assert clean(raw) == (raw if text is None else text)


@given(st.text())
def test_clean_leaves_no_stars_and_no_outer_space(raw: str):
    text = clean(raw)
    assert "*" not in text
    assert text == text.strip()


def test_the_papers_prompts():
    prompts = load_prompts(PAPER_PROMPTS)
    for name in ("steering", "masks", "heatmaps"):
        assert prompts.text(name).endswith(
            'Start the highlighted element description with "The highlighted element in the image is a".'
        )
    assert "masked out" in prompts.masks
    assert "green heatmap" in prompts.heatmaps
    assert "set of images" not in prompts.steering


def test_a_missing_prompt_is_named(tmp_path: Path):
    for name in ("steering", "masks"):
        (tmp_path / f"{name}.txt").write_text("Say.\n")
    with pytest.raises(ValueError, match=r"heatmaps\.txt"):
        load_prompts(str(tmp_path))
    (tmp_path / "heatmaps.txt").write_text(" \n")
    with pytest.raises(ValueError, match=r"heatmaps\.txt"):
        load_prompts(str(tmp_path))
    (tmp_path / "heatmaps.txt").write_text("Tell.\n")
    assert load_prompts(str(tmp_path)).masks == "Say."
