"""Methods against one another: numbers from pandas and scipy, marks, families."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from orchestrator.analysis.statistics.comparisons import compare, marked
from tests.unit.analysis.worlds import shuffled_rows, world


@pytest.fixture(scope="module")
def frame():
    found = world()
    found.loc[found.sample(25, random_state=0).index, "iou"] = np.nan
    return found


@pytest.fixture(scope="module")
def table(frame):
    return compare(frame)


def row(table, **keys):
    found = table
    for column, key in keys.items():
        found = found[found[column] == key]
    assert len(found) == 1
    return found.iloc[0]


def test_a_pair_is_what_scipy_says(frame, table):
    wide = frame.pivot(index="feature", columns="variant", values="iou")
    one, other = wide["informed_masks"], wide["topk_masks"]
    both = wide[["informed_masks", "topk_masks"]].dropna()
    found = row(table, score="iou", variant="informed_masks", rival="topk_masks")
    assert found["n_paired"] == len(both) < 40
    assert found["difference"] == pytest.approx((both["informed_masks"] - both["topk_masks"]).mean())
    assert found["p_mann_whitney"] == stats.mannwhitneyu(one.dropna(), other.dropna(), alternative="greater").pvalue
    paired = stats.wilcoxon(both["informed_masks"], both["topk_masks"], alternative="greater").pvalue
    assert found["p_wilcoxon"] == pytest.approx(paired)
    assert found["low"] < found["difference"] < found["high"]


def test_a_family_is_one_score_of_one_job_methods_and_controls_apart(table):
    for _, part in table.groupby(["job", "score", "family"]):
        expected = multipletests(part["p_wilcoxon"], method="holm")[1]
        assert part["p_wilcoxon_holm"].to_numpy() == pytest.approx(expected)
    assert set(table["family"]) == {"methods", "controls"}
    assert set(table.loc[table["family"] == "controls", "rival"]) == {"control_random", "shuffled"}


def test_only_what_stands_in_one_column_is_compared(table):
    methods = table[table["family"] == "methods"]
    pairs = set(zip(methods["variant"], methods["rival"], strict=True))
    assert ("topk_masks", "informed_masks") in pairs and ("steering", "informed_heatmaps") in pairs
    assert not pairs & {("topk_masks", "topk_heatmaps"), ("informed_masks", "topk_heatmaps")}
    assert not any("truth" in pair for pair in pairs)


def test_the_best_method_is_marked_and_no_other(table):
    for p in ("p_mann_whitney", "p_wilcoxon_holm"):
        assert marked(table, "job", "iou", "informed_masks", p)
        assert not marked(table, "job", "iou", "topk_masks", p)
        assert not marked(table, "job", "iou", "steering", p)


def test_beating_one_of_two_is_no_mark():
    even = world(variants=("steering", "topk_masks", "informed_masks"))
    even.loc[even["variant"] == "informed_masks", "iou"] = even.loc[even["variant"] == "topk_masks", "iou"].to_numpy()
    table = compare(even)
    assert row(table, score="iou", variant="informed_masks", rival="steering")["p_mann_whitney"] < 0.05
    assert not marked(table, "job", "iou", "informed_masks", "p_mann_whitney")


def test_order_of_rows_does_not_matter(frame, table):
    pd.testing.assert_frame_equal(compare(shuffled_rows(frame)), table)


def test_jobs_are_never_mixed(table):
    both = pd.concat([world(job="b", seed=9), world(job="a")], ignore_index=True)
    alone = compare(world(job="a"))
    pd.testing.assert_frame_equal(compare(both).query("job == 'a'").reset_index(drop=True), alone)
