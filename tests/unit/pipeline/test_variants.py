"""Names of variants: kinds, α in the name, one name per α."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.pipeline.variants import CONTROLS, METHODS, VARIANTS, Variant, VariantError, canonical

STEERED = sorted(name for name, kind in VARIANTS.items() if kind.direction != "none")


def test_the_paper_has_five_methods_and_three_of_them_steer():
    assert len(METHODS) == 5
    assert [name for name, kind in METHODS.items() if kind.steered] == [
        "steering", "informed_masks", "informed_heatmaps",
    ]  # fmt: skip
    assert all(kind.pictures == "blank" for kind in CONTROLS.values())


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("steering@2.50", "steering@2.5"),
        ("steering@2.0", "steering@2"),
        ("steering@+2", "steering@2"),
        ("steering@-1", "steering@-1"),
        ("steering@-0.0", "steering@0"),
        ("informed_masks@1e-3", "informed_masks@0.001"),
        ("steering", "steering"),
        ("topk_masks", "topk_masks"),
    ],
)
def test_equal_alphas_have_one_name(given_name: str, name: str):
    assert Variant.parse(given_name).name == canonical(given_name) == name


@given(st.sampled_from(STEERED), st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_a_name_keeps_its_alpha_to_the_last_bit(base: str, alpha: float):
    variant = Variant.parse(f"{base}@{alpha!r}")
    assert (variant.base, variant.kind) == (base, VARIANTS[base])
    again = Variant.parse(variant.name)
    assert again == variant
    assert again.alpha == alpha
    assert again.name == variant.name


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("steer", "unknown"),
        ("", "unknown"),
        ("@2", "unknown"),
        ("steering@", "finite"),
        ("steering@two", "finite"),
        ("steering@nan", "finite"),
        ("steering@inf", "finite"),
        ("steering@1@2", "finite"),
        ("topk_masks@2", "not steered"),
    ],
)
def test_other_names_are_refused_with_the_rule(name: str, rule: str):
    with pytest.raises(VariantError, match=rule):
        Variant.parse(name)
    assert canonical(name) == name


def test_what_looks_at_a_blank_image_may_still_need_the_explain_set():
    needing = {name for name, kind in VARIANTS.items() if kind.needs_explain_images}
    assert {name for name, kind in VARIANTS.items() if kind.pictures != "blank"} < needing
    assert needing - {"steering_residual"} == {name for name in VARIANTS if VARIANTS[name].pictures != "blank"}
