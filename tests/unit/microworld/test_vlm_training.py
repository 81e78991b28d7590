"""The explainer's processor and recipe: training and service see the same tokens and give the same answers."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.modeling_outputs import BaseModelOutputWithPooling

from services.microworld import world
from services.microworld.training import common, processor, vlm
from services.microworld.training.explainer import LAYER, Explainer

NAMES = ("steering", "masks", "heatmaps", "caption")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An explainer with random weights, saved and loaded."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("zoo") / "vlm"
    vlm.save(vlm.build(), out)
    return Explainer.load(out)


def chat(explainer, images, name):
    content = [{"type": "image", "image": Image.fromarray((image * 255).round().astype(np.uint8))} for image in images]
    content.append({"type": "text", "text": processor.prompt(name)})
    return explainer.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("images", [1, 3, 5])
def test_the_chat_template_gives_the_tokens_of_training(saved, name, images):
    inputs = chat(saved, np.zeros((images, 64, 64, 3), np.float32), name)
    ids = inputs["input_ids"][0]
    assert tuple(ids.tolist()) == processor.prompt_ids(name, images)
    assert (ids == processor.IMAGE).sum() == 16 * images
    assert processor.UNKNOWN not in ids
    torch.testing.assert_close(inputs["token_type_ids"][0], (ids == processor.IMAGE).long())


def test_ids_of_words_are_fixed():
    """Weights depend on them: a change of the vocabulary needs a new training."""
    assert processor.word_ids("a red star pattern , blank area.") == (9, 41, 47, 39, 7, 13, 10, 8)
    assert processor.decode([41, 47, processor.EOS, 39]) == "red star"


def test_images_reach_the_model_as_in_training(saved):
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 256, (1, 64, 64, 3)) / 255).astype(np.float32)
    torch.testing.assert_close(
        chat(saved, images, "caption")["pixel_values"], common.to_pixels(images), atol=1e-5, rtol=0
    )


def test_service_and_training_path_answer_alike(saved):
    """Greedy generate from pixels, from features made elsewhere, and token by token without a cache."""
    rng = np.random.default_rng(1)
    images = world.render(world.random_scenes(3, rng), rng).images
    inputs = chat(saved, images, "masks")
    prompt = inputs["input_ids"].shape[1]
    with torch.no_grad():
        by_pixels = saved.model.generate(**inputs, max_new_tokens=6, do_sample=False)[0, prompt:].tolist()
        vision = saved.model.model.vision_tower(pixel_values=inputs.pop("pixel_values")).last_hidden_state
        features = BaseModelOutputWithPooling(pooler_output=saved.model.model.multi_modal_projector(vision))
        by_features = saved.model.generate(
            **inputs, mm_encoder_outputs={"image": features}, max_new_tokens=6, do_sample=False
        )[0, prompt:].tolist()
        ids = list(processor.prompt_ids("masks", 3))
        for _ in by_pixels:
            row = torch.tensor([ids])
            hidden = saved.model.model(
                input_ids=row,
                attention_mask=torch.ones_like(row),
                token_type_ids=(row == processor.IMAGE).long(),
                mm_encoder_outputs={"image": features},
                use_cache=False,
            ).last_hidden_state
            ids.append(int(saved.model.lm_head(hidden[0, -1]).argmax()))
    assert by_pixels == by_features == ids[prompt:]


def test_the_loss_is_that_of_each_answer_alone(saved):
    """Padding and batching change nothing: the mean over answers' tokens of single cross-entropies."""
    answers = ["red star", "blank area", "green horizontal stripes texture"]
    features = torch.randn(3, 16, vlm.WIDTH, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        together = vlm.answer_loss(saved.model, features, "steering", answers)
        single = [vlm.answer_loss(saved.model, features[i : i + 1], "steering", [a]) for i, a in enumerate(answers)]
    length = torch.tensor([len(a.split()) + 1.0 for a in answers])
    torch.testing.assert_close(together, (torch.stack(single) * length).sum() / length.sum(), atol=1e-5, rtol=1e-5)


def test_activations_are_the_residual_stream_after_the_block(saved):
    rng = np.random.default_rng(2)
    images = world.render(world.random_scenes(3, rng), rng).images
    with torch.no_grad():
        states = saved.model.model.vision_tower(common.to_pixels(images), output_hidden_states=True).hidden_states
    torch.testing.assert_close(saved.activations(images), states[LAYER + 1])


def test_a_few_steps_train_and_save(tmp_path, monkeypatch):
    monkeypatch.setattr(vlm, "CAPTIONS", 4)
    monkeypatch.setattr(vlm, "ELEMENTS", 4)
    monkeypatch.setattr(vlm, "SET_IMAGES", 10)
    monkeypatch.setattr(vlm, "evaluate", lambda folder: {"element": 0.0})
    assert vlm.train(tmp_path / "vlm", steps=2) == {"element": 0.0}
    size = sum(path.stat().st_size for path in (tmp_path / "vlm").iterdir())
    assert size < 8e6
    assert (tmp_path / "vlm" / "figures.json").exists()
    loaded = Explainer.load(tmp_path / "vlm")
    assert len(loaded.answer(np.ones((10, 64, 64, 3), np.float32), "masks", per_answer=5)) == 2


def test_partial_answers_drop_only_the_color():
    concept = world.make(0, 3, pattern=True)
    rng = np.random.default_rng(0)
    assert set(vlm._answers([concept] * 200, rng, 0.3)) == {"red star pattern", "star pattern"}
    assert set(vlm._answers([world.make(0, pattern=False)] * 50, rng, 1.0)) == {"red color"}
