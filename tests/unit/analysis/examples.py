"""Finished features made by hand."""

from protos.v1.results_pb2 import FeatureResult, GeneratedImages, Score, VariantResult


def variant_result(variant="steering", text="a red star", iou=0.5, activations=None) -> VariantResult:
    result = VariantResult(variant=variant, outcome="ok" if text else "empty", text=text, raw_text=text, tokens=3)
    result.scores["iou"].CopyFrom(
        Score(outcome="failed", reason="no mask") if iou is None else Score(outcome="ok", value=iou)
    )
    if activations is not None:
        result.generated["learned"].CopyFrom(GeneratedImages(activations=activations))
    return result


def feature_result(feature=1, **variant) -> FeatureResult:
    return FeatureResult(feature=feature, alive=True, frequency=0.1, outcome="ok", variants=[variant_result(**variant)])
