"""Grids, and the names of variants with an α of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.grid import DEFAULT_GRIDS, parse_alphas, strengths, strengths_of, variant_at

ALPHAS = st.floats(min_value=0, max_value=1e6, allow_nan=False).map(abs)


@given(st.sets(ALPHAS, min_size=2, max_size=6))
def test_a_job_of_a_grid_is_read_back_as_this_grid(alphas):
    asked = strengths(["steering", "informed"], sorted(alphas))
    variants = [variant for strength in asked for variant in strength.jobs_variants()]
    assert len(set(variants)) == 3 * len(alphas)
    assert strengths_of(variants) == asked


def test_names_are_short():
    assert [variant_at("steering", alpha) for alpha in (2.0, 0.125, 1e-7)] == [
        "steering@2",
        "steering@0.125",
        "steering@1e-07",
    ]


def test_both_informed_variants_share_one_alpha():
    (informed,) = strengths(["informed"])
    assert informed.variants == ("informed_masks", "informed_heatmaps")
    assert informed.alphas == DEFAULT_GRIDS["informed"]
    assert strengths(["informed_heatmaps", "informed_masks"])[0].name == "informed"
    assert strengths(["informed_masks"])[0].variants == ("informed_masks",)


def test_other_directions_are_tuned_by_name():
    asked = strengths(["steering_residual", "informed_masks_residual"], [1.0, 2.0])
    assert [(strength.name, strength.variants) for strength in asked] == [
        ("steering", ("steering_residual",)),
        ("informed", ("informed_masks_residual",)),
    ]
    assert strengths_of([variant for strength in asked for variant in strength.jobs_variants()]) == asked


@pytest.mark.parametrize("name", ["topk_masks", "control_random", "guessing", "steering@2"])
def test_what_has_no_alpha_of_its_own_is_refused(name):
    with pytest.raises(TuningError, match="steering, informed"):
        strengths([name])


def test_none_chosen_is_refused():
    with pytest.raises(TuningError, match="none is given"):
        strengths([])


def test_a_grid_is_sorted_and_without_doubles():
    assert parse_alphas("2, 0.5,2,1,") == (0.5, 1.0, 2.0)


@pytest.mark.parametrize("listed", ["", "1", "1,1.0", "1,x", "-1,1", "1,inf", "nan,1"])
def test_a_bad_grid_is_refused(listed):
    with pytest.raises(TuningError, match="alphas: "):
        parse_alphas(listed)


def test_variants_of_other_jobs_make_no_grid():
    assert strengths_of(["steering", "topk_masks", "steering@2", "mine@home", "informed_masks@1"]) == []
    mixed = strengths_of(["informed_masks@1", "informed_masks@2", "informed_heatmaps@1", "informed_heatmaps@2.5"])
    assert mixed == []  # they share one value only
