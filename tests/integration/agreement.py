"""When two results of one plan agree.

Texts, outcomes, seeds, images shown and provenance: exactly. Figures: within rounding, since float32 rows of batches of
different sizes differ in their last bits; a drawn image may differ by one grey level in a few pixels, hence its
address, and with it the activation it gives.
"""

from typing import Any

import pytest

from protos.v1.results_pb2 import FeatureResult, VariantResult

ROUNDING: dict[str, Any] = {"rel": 1e-3, "abs": 1e-4}
DRAWN: dict[str, Any] = {"rel": 2e-2, "abs": 1e-2}
FROM_DRAWN = ("synthetic_activation", "auroc", "oracle_auroc")


def assert_agree(first: list[FeatureResult], second: list[FeatureResult]) -> None:
    """Fails with the feature, variant and figure that differ."""
    assert [result.feature for result in first] == [result.feature for result in second]
    for one, other in zip(first, second, strict=True):
        assert _exact(one) == _exact(other)
        for left, right in zip(one.variants, other.variants, strict=True):
            _assert_figures(one.feature, left, right)


def _exact(result: FeatureResult) -> FeatureResult:
    """What must be equal to the last bit: everything but times and figures."""
    copy = FeatureResult()
    copy.CopyFrom(result)
    copy.stage_seconds.clear()
    for variant in copy.variants:
        variant.ClearField("logprob")
        for score in variant.scores.values():
            score.ClearField("value")
            del score.parts[:]
        for images in variant.generated.values():
            del images.artifacts[:], images.activations[:]
    return copy


def _assert_figures(feature: int, one: VariantResult, other: VariantResult) -> None:
    assert one.logprob == pytest.approx(other.logprob, **ROUNDING), (feature, one.variant)
    for name, score in one.scores.items():
        tolerance = DRAWN if name in FROM_DRAWN else ROUNDING
        where = (feature, one.variant, name)
        assert score.value == pytest.approx(other.scores[name].value, **tolerance), where
        assert list(score.parts) == pytest.approx(list(other.scores[name].parts), **tolerance), where
    for judge, images in one.generated.items():
        expected = list(other.generated[judge].activations)
        assert list(images.activations) == pytest.approx(expected, **DRAWN), (feature, one.variant, judge)
