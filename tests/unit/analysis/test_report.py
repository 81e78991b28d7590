"""The page: self-contained, complete, and safe against hostile text."""

import re

import numpy as np
import pytest

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.report.build import ReportInput, write_report
from orchestrator.analysis.report.columns import VARIANT_LABELS, figure, label_of
from orchestrator.analysis.sources import View
from orchestrator.analysis.summary import summarise
from orchestrator.pipeline.variants import VARIANTS
from tests.unit.analysis.examples import feature_result

HOSTILE = '<script>alert("x")</script> & "quotes"'


class GraySources:
    """Two gray top images per feature; no generated image is left."""

    def views(self, feature, count):
        gray = np.full((8, 8, 3), 128, np.uint8)
        return [View(f"{number}.png", 1.0, gray, gray, gray) for number in range(2)]

    def picture(self, address):
        return None


@pytest.fixture
def page(tmp_path):
    results = [feature_result(3, text=HOSTILE), feature_result(8, text="", iou=None)]
    summary = summarise(to_frame(results, "job"), {}, None, {"total": 1.0})
    given = ReportInput("A <b>title</b>", "job", results, summary, GraySources(), {3: "a <i>truth</i>"})
    write_report(given, tmp_path / "deep" / "report.html")
    return (tmp_path / "deep" / "report.html").read_text(encoding="utf-8")


def test_texts_are_escaped(page):
    assert page.count("<script>") == 1  # our own
    assert "&lt;script&gt;alert(" in page
    assert "<b>title</b>" not in page and "<i>truth</i>" not in page


def test_nothing_is_fetched_from_elsewhere(page):
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "http://" not in page and "https://" not in page


def test_every_feature_has_a_card_with_three_strips(page):
    assert page.count('<section class="card"') == 2
    assert page.count("data:image/webp") == 2 * 3 * 2


def test_what_is_missing_says_why(page):
    assert ">empty<" in page
    assert ">failed<" in page


def test_every_variant_has_a_label_and_its_own_alpha_shows():
    assert set(VARIANTS) <= set(VARIANT_LABELS)
    assert len(set(VARIANT_LABELS.values())) == len(VARIANT_LABELS)
    assert label_of("steering_residual") == "Steering, mean residual"
    assert label_of("steering@2.5") == "Steering, α 2.5"
    assert label_of("mine") == "mine"


def test_figures():
    assert [figure(value) for value in (None, 0.5, -0.049, 26.8341, 1.0, 0.0)] == [
        "–",
        ".500",
        "-.049",
        "26.834",
        "1.000",
        ".000",
    ]
