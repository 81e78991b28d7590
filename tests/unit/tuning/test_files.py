"""The files of a tuning agree with one another and with the picks."""

import json

import pandas as pd
import pytest
from PIL import Image

from orchestrator.tuning.files import write_files
from orchestrator.tuning.plot import draw, write_plot
from tests.unit.tuning.examples import failed, feature, grid, tuned, wish

ALPHAS = [0.5, 1.0, 2.0]


@pytest.fixture
def tuning():
    names = ("steering", "informed")

    def scores(n: int):
        steering = grid(ALPHAS, lambda alpha: None if alpha == 2 else 0.1 * alpha + n / 100)
        informed = [
            grid(ALPHAS, lambda alpha: 0.5 - abs(alpha - 1), f"informed_{kind}") for kind in ("masks", "heatmaps")
        ]
        return steering | informed[0] | informed[1]

    return tuned([*(feature(n, scores(n)) for n in (4, 7, 9)), failed(11)], wish(ALPHAS, names))


def test_table_and_json_say_the_same(tuning, tmp_path):
    write_files(tuning, tmp_path / "deep")
    table = pd.read_csv(tmp_path / "deep" / "curve.csv")
    kept = json.loads((tmp_path / "deep" / "picks.json").read_text())
    assert (kept["job"], kept["sae"], kept["seed"], kept["criterion"]) == ("0123456789ab", "features-v1", 3, "iou")
    assert kept["features"] == [4, 7, 9, 11]
    assert {name: one["alpha"] for name, one in kept["strengths"].items()} == {"steering": 1.0, "informed": 1.0}
    assert kept["strengths"]["steering"]["raw_alpha"] == 8.0
    assert kept["strengths"]["steering"]["points"][2] == {
        "alpha": 2.0, "value": None, "low": None, "high": None, "features": 0, "missing": {"failed": 1, "no_text": 3},
    }  # fmt: skip
    for name, one in kept["strengths"].items():
        rows = table[table["strength"] == name]
        assert list(rows["alpha"]) == one["grid"] == ALPHAS
        assert list(rows["raw_alpha"]) == [8 * alpha for alpha in ALPHAS]
        assert list(rows[rows["pick"]]["alpha"]) == [one["alpha"]]
        values = [point["value"] for point in one["points"]]
        assert [None if pd.isna(value) else value for value in rows["value"]] == pytest.approx(values)


def test_the_page_shows_every_alpha_the_picks_and_the_notes(tuning, tmp_path):
    write_files(tuning, tmp_path)
    page = (tmp_path / "curve.md").read_text()
    assert "## steering: 1 (× mean residual norm)" in page
    assert "| **1** | 8 | **0.1667** |" in page
    assert "| 2 | 16 | – | – – – | 0 | 1 failed, 3 no_text |" in page
    assert "- only 3 features have a value at the pick" in page


def test_the_picture_has_a_panel_per_strength_and_marks_the_pick(tuning, tmp_path):
    write_plot(tuning, tmp_path)
    with Image.open(tmp_path / "curve.png") as png:
        assert png.size[0] > png.size[1] > 400
    assert (tmp_path / "curve.svg").read_text().count("<svg") == 1
    panels = draw(tuning).axes
    assert [panel.get_title(loc="left") for panel in panels] == [
        "steering (n = 3)",
        "informed_masks and informed_heatmaps (n = 3)",
    ]
    for panel in panels:
        assert panel.get_xlabel() == "α (× mean residual norm)"
        assert [label.get_text() for label in panel.get_xticklabels()] == ["0.5", "1", "2"]
        assert [text.get_text() for text in panel.texts] == ["α = 1"]


@pytest.mark.parametrize(
    ("alphas", "scale"), [([0.5, 1.0, 2.0], "linear"), ([0.25, 1.0, 4.0], "log"), ([0.0, 1.0, 9.0], "linear")]
)
def test_wide_grids_have_equal_steps_for_equal_ratios(alphas, scale):
    panel = draw(tuned([feature(1, grid(alphas, lambda _: 0.5))], wish(alphas))).axes[0]
    assert panel.get_xscale() == scale
