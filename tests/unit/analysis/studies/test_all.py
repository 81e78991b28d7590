"""All studies together: order of rows, hostile texts, missing inputs, files and page."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from orchestrator.analysis.gather import with_labels, with_vectors
from orchestrator.analysis.report.sections import section
from orchestrator.analysis.studies import levels, meanings, style
from orchestrator.analysis.studies.catalog import STUDIES, make_all
from orchestrator.analysis.studies.files import write_studies
from orchestrator.analysis.studies.study import MissingInputError, NotMade, Study
from tests.unit.analysis.studies.materials import ask, embed, material, run
from tests.unit.analysis.worlds import HOSTILE, shuffled_rows, world

JOBS = ("first", "second")


def full(change=lambda frame: frame, names=JOBS):
    """Two jobs that differ in explainer and in explain set, with embeddings and labels: every study can be made."""
    frame = change(pd.concat([world(24, job=job, seed=i) for i, job in enumerate(JOBS)], ignore_index=True))
    runs = tuple(
        run(job, name, models={"vlm.explain": job}, explain_images=1000 * (i + 1))
        for i, (job, name) in enumerate(zip(JOBS, names, strict=True))
    )
    return with_labels(with_vectors(material(frame, runs), embed), ask)


@pytest.fixture(scope="module")
def studies():
    return list(make_all(full()))


@pytest.fixture(scope="module")
def again():
    """The same from rows in another order."""
    return list(make_all(full(shuffled_rows)))


def test_every_study_is_made_with_a_figure_and_a_table(studies):
    assert len(studies) == len(STUDIES) == len({study.heading.key for study in studies})
    for study in studies:
        assert isinstance(study, Study), study
        assert study.figure is not None and study.reading
        assert all(len(table.data) for table in study.tables)


def test_order_of_rows_changes_nothing(studies, again):
    for study, other in zip(studies, again, strict=True):
        for table, same in zip(study.tables, other.tables, strict=True):
            pd.testing.assert_frame_equal(table.data, same.data)
            pd.testing.assert_frame_equal(table.shown, same.shown)
        assert study.notes == other.notes


def test_equal_studies_give_equal_files(studies, again, tmp_path):
    paths = write_studies(studies, tmp_path / "a")
    others = write_studies(again, tmp_path / "b")
    assert {path.suffix for path in paths} == {".csv", ".tex", ".md", ".png", ".svg"}
    assert len(paths) == len(set(paths)) == len(others)
    for one, other in zip(paths, others, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    for table in (tmp_path / "a" / "tables").glob("*.csv"):
        assert len(pd.read_csv(table))


def test_hostile_texts_and_names_stay_words(tmp_path):
    def hostile(frame):
        return frame.assign(text=[HOSTILE[i % len(HOSTILE)].replace("\ud7ff", "") for i in range(len(frame))])

    studies = list(make_all(full(hostile, names=("<b>$x_1$ \u202e", "=cmd|'/C calc'!A0"))))
    made = [study for study in studies if isinstance(study, Study)]
    assert len(made) >= 9
    for path in write_studies(studies, tmp_path):
        if path.suffix == ".svg":
            root = ET.fromstring(path.read_text())
            assert not [node for node in root.iter() if node.tag.endswith(("script", "foreignObject"))]
        if path.suffix == ".csv":
            for column in pd.read_csv(path).select_dtypes(["object", "str"]):
                cells = pd.read_csv(path)[column].dropna().astype(str)
                assert not cells.str.match(r"\s*[=+@-]").any(), path
        if path.suffix in (".md", ".tex"):
            assert "<script" not in path.read_text() and r"\input" not in path.read_text().replace(
                r"\textbackslash", ""
            )


def test_without_inputs_a_study_says_what_and_how():
    bare = {one.heading.key: one for one in make_all(material())}
    missing = {key for key, one in bare.items() if isinstance(one, NotMade)}
    assert missing == {"agreement", "context", "explainers", "explain_sets", "levels", "map"}
    for key in missing:
        assert bare[key].because and bare[key].remedy
        shown = section(bare[key])
        assert not shown.figure and not shown.tables and shown.because
    empty = world(3)
    empty[["iou", "clip", "synthetic_activation", "auroc"]] = np.nan
    for one in make_all(material(empty.assign(text=""))):  # nothing at all: no study breaks
        assert isinstance(one, Study | NotMade)


SCORE_COLUMNS = ["iou", "clip", "synthetic_activation", "auroc"]


def unscored(frame, job):
    """Without the scores of one job."""
    frame = frame.copy()
    frame.loc[frame["job"] == job, [*SCORE_COLUMNS, "learned_activations"]] = None
    return frame


@pytest.mark.parametrize("key", ["explainers", "explain_sets"])
def test_a_job_without_scores_is_named_where_jobs_are_compared(key):
    (study,) = (one for one in make_all(full(lambda frame: unscored(frame, "second"))) if one.heading.key == key)
    assert isinstance(study, NotMade) and "second" in study.because


def test_one_method_beside_its_control_has_no_figure_of_pairs():
    frame = world(6)
    two = frame[frame["variant"].isin(["steering", "control_random"])]
    assert set(two["variant"]) == {"steering", "control_random"}
    made = {one.heading.key: one for one in make_all(material(two))}
    assert isinstance(made["pairs"], Study) and made["pairs"].figure is None


def test_scores_of_the_oracle_alone_make_a_table():
    frame = world(6)
    frame[[*SCORE_COLUMNS, "learned_activations"]] = None
    frame["oracle_iou"] = 0.5
    made = {one.heading.key: one for one in make_all(material(frame))}
    assert isinstance(made["scores"], Study) and made["scores"].figure is None and len(made["scores"].tables[0].data)


def test_a_filter_that_nothing_passes_is_said():
    made = with_labels(with_vectors(material(), embed), ask)
    strict = replace(made, thresholds=replace(made.thresholds, iou=2.0))
    for study in (meanings, levels):
        with pytest.raises(MissingInputError, match="--min-iou"):
            study.make(strict)


def test_colours_are_one_per_variant_everywhere_and_alpha_keeps_its_kind():
    names = world()["variant"].unique()
    assert len({style.colour(name) for name in names}) == len(names)
    assert style.colour("steering@2.5") == style.colour("steering")
    assert re.fullmatch(r"#[0-9a-f]{6}", style.colour("mine"))


def test_spread_keeps_order_gap_and_borders():
    places = style.spread([5, 5, 0, 5.1], 1.0, 0, 10)
    assert places[2] == 0
    assert np.allclose(np.diff(np.sort(places)), [4.03333333, 1, 1], atol=0.1)
    assert np.allclose(style.spread([9.9, 9.8, 9.7], 1.0, 0, 10), [10, 9, 8])
    assert style.spread([], 1.0).shape == (0,)


def test_plain_texts_for_figures():
    assert style.plain("a\u202eb\x00\n c") == "a b c"
    assert style.plain("x" * 80, 10) == "x" * 9 + "…"
