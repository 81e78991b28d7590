"""What only LLaVA has: the choice of the layer and of the tokens that its language model reads."""

import pytest
import torch

from services.subject import subject_of
from tests.unit.subject import tiny, tiny_llava
from tests.unit.subject.families import FAMILIES

LLAVA = FAMILIES["llava"]
PIXELS = torch.randn(2, 3, tiny.SIDE, tiny.SIDE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("selected", "last"), [(-1, 3), (-2, 2), (3, 2), (2, 1)])
@pytest.mark.parametrize(("strategy", "tokens"), [("default", tiny.PATCHES), ("full", tiny.PATCHES + 1)])
def test_layer_and_tokens_are_those_of_the_config(selected, last, strategy, tokens):
    vlm = tiny_llava.model(vision_feature_layer=selected, vision_feature_select_strategy=strategy)
    subject = subject_of(vlm, tiny.LAYER)
    features = subject.resume(subject.prefix(PIXELS))
    assert features.shape[1] == tokens
    torch.testing.assert_close(features, LLAVA.features(vlm, PIXELS), rtol=0, atol=0)
    with pytest.raises(ValueError, match=f"layer {last + 1}: the language model reads blocks 0 to {last}"):
        subject_of(vlm, last + 1)


def test_several_layers_at_once_are_refused():
    vlm = tiny_llava.model(vision_feature_layer=[1, 3])
    with pytest.raises(ValueError, match=r"vision_feature_layer is \[1, 3\]"):
        subject_of(vlm, 0)


def test_another_encoder_is_refused():
    vlm = tiny_llava.model()
    vlm.config.vision_config.model_type = "siglip_vision_model"
    with pytest.raises(ValueError, match="'siglip_vision_model'; only 'clip_vision_model' is covered"):
        subject_of(vlm, 0)
