"""Trains the explainer: a Gemma 3 with a SigLIP encoder, 1.84 M parameters, from scratch in ~40 minutes of one core.

Per step 64 captions, 64 elements and ~12 sets of highlighted images (MICROWORLD.md 2). Two throw-away linear heads
predict each patch's attributes from the last block and from the SAE's block, early in training and fading out: without
them shapes are not in the middle of the encoder, where they are needed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import Gemma3Config, Gemma3ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from services.microworld import world
from services.microworld.training import common, processor

LAYER = 2  # the SAE's block, 0-based
STEPS = 2200
WIDTH = 128
CAPTIONS, ELEMENTS, SET_IMAGES = 64, 64, 48
PARTIAL_ELEMENTS, PARTIAL_SETS = 0.25, 0.12  # answers that drop the colour of a two-attribute concept
_ATTRIBUTES = (world.WHITE + 1, len(world.SHAPES), len(world.TEXTURES))


def build() -> Any:
    """The untrained model: vision 6 x 128, 16 tokens per image, text 3 x 128 with tied embeddings."""
    ids = {"pad_token_id": processor.PAD, "eos_token_id": processor.EOS, "bos_token_id": processor.BOS}
    config = Gemma3Config(
        text_config={
            "vocab_size": len(processor.VOCABULARY),
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": WIDTH // 4,
            "query_pre_attn_scalar": WIDTH // 4,
            "sliding_window": 512,
            "max_position_embeddings": 512,
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
            "tie_word_embeddings": True,
            **ids,
        },
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "image_size": world.SIZE,
            "patch_size": world.PATCH,
            "vision_use_head": False,
        },
        mm_tokens_per_image=processor.IMAGE_TOKENS,
        boi_token_index=processor.BOI,
        eoi_token_index=processor.EOI,
        image_token_index=processor.IMAGE,
        tie_word_embeddings=True,
        **ids,
    )
    model = Gemma3ForConditionalGeneration(config)
    # It starts at zeros: no image would ever reach the text.
    nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.5 * WIDTH**-0.5)
    model.set_attn_implementation("eager")  # on a CPU the backward pass of sdpa is twice as slow
    return model


@dataclass
class Batch:
    """One training step: images in the order captions, elements, sets."""

    images: NDArray[np.float32]
    attributes: Tensor  # [128, 64, 24] share of each patch that has an attribute; captions and elements only
    captions: list[str]
    elements: list[str]
    sets: list[str]
    mode: world.Mode
    set_size: int


def _attributes(r: world.Rendered) -> Tensor:
    """Targets of the throw-away heads [n, 64, 24]: colours, shapes (small areas count more), textures."""
    color, shape, texture = _ATTRIBUTES
    maps = (
        *(world.pool(r.color == i) for i in range(color)),
        *(np.minimum(1, 2.5 * world.pool(r.shape == i)) for i in range(shape)),
        *(world.pool(r.texture == i) for i in range(texture)),
    )
    return torch.from_numpy(np.stack(maps, -1).reshape(len(r), -1, len(maps)))


def _answers(concepts: Sequence[world.Concept], rng: np.random.Generator, partial: float) -> list[str]:
    """Texts of concepts; some drop the colour. None keep only the colour: that teaches "if unsure, say a colour"."""
    return [(c.without_color() if rng.random() < partial else c).text for c in concepts]


def make_batch(rng: np.random.Generator, set_size: int) -> Batch:
    """Draw one step's images and answers."""
    scenes = world.random_scenes(CAPTIONS, rng)
    concepts = [world.sample(rng) for _ in range(ELEMENTS)]
    one, two = world.render(scenes, rng), world.render(world.elements(concepts, rng), rng)
    sets = world.highlighted_sets(SET_IMAGES // set_size, set_size, rng)
    return Batch(
        np.concatenate([one.images, two.images, sets.images]),
        torch.cat([_attributes(one), _attributes(two)]),
        world.captions(scenes),
        _answers(concepts, rng, PARTIAL_ELEMENTS),
        _answers(sets.concepts, rng, PARTIAL_SETS),
        sets.mode,
        set_size,
    )


def answer_loss(model: Any, image_features: Tensor, prompt: str, answers: list[str], images: int = 1) -> Tensor:
    """Mean cross-entropy of the answers' tokens and their end, given a prompt after `images` images each.

    image_features [b * images, 16, d]: what the projector made of the images.
    """
    start = processor.prompt_ids(prompt, images)
    rows = [[*start, *processor.word_ids(answer), processor.EOS] for answer in answers]
    ids = torch.full((len(rows), max(map(len, rows))), processor.PAD)
    for row, tokens in zip(ids, rows, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    hidden = model.model(
        input_ids=ids,
        attention_mask=(ids != processor.PAD).long(),
        token_type_ids=(ids == processor.IMAGE).long(),
        mm_encoder_outputs={"image": BaseModelOutputWithPooling(pooler_output=image_features)},
        use_cache=False,
    ).last_hidden_state
    labels = ids[:, len(start) :]
    real = labels != processor.PAD
    logits = model.lm_head(hidden[:, len(start) - 1 : -1][real]).float()
    return functional.cross_entropy(logits, labels[real])


class PatchHeads(nn.Module):
    """Throw-away linear heads on the last block and on block `LAYER`."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.middle = nn.Linear(WIDTH, sum(_ATTRIBUTES)), nn.Linear(WIDTH, sum(_ATTRIBUTES))
        weight = torch.ones(sum(_ATTRIBUTES))
        weight[_ATTRIBUTES[0] : _ATTRIBUTES[0] + _ATTRIBUTES[1]] = 3  # shapes are small and hard
        self.weight = weight

    def forward(self, last: Tensor, middle: Tensor, target: Tensor) -> Tensor:
        """4 x the last block's and 6 x the middle's binary cross-entropy."""
        middle = functional.layer_norm(middle.float(), (WIDTH,))
        loss_last = functional.binary_cross_entropy_with_logits(self.last(last).float(), target, weight=self.weight)
        loss_middle = functional.binary_cross_entropy_with_logits(
            self.middle(middle).float(), target, weight=self.weight
        )
        return 4 * loss_last + 6 * loss_middle


def losses(model: Any, heads: PatchHeads, batch: Batch) -> dict[str, Tensor]:
    """The four losses of a step: caption, element, set, patches."""
    vision = model.model.vision_tower(pixel_values=common.to_pixels(batch.images), output_hidden_states=True)
    features = model.model.multi_modal_projector(vision.last_hidden_state)
    single = CAPTIONS + ELEMENTS
    return {
        "caption": answer_loss(model, features[:CAPTIONS], "caption", batch.captions),
        "element": answer_loss(model, features[CAPTIONS:single], "steering", batch.elements),
        "set": answer_loss(model, features[single:], batch.mode, batch.sets, batch.set_size),
        "patches": heads(vision.last_hidden_state[:single], vision.hidden_states[LAYER + 1][:single], batch.attributes),
    }


def save(model: Any, out: Path) -> None:
    """Write the model in bfloat16 and its processor, file by file."""

    def write(folder: Path) -> None:
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
        processor.build_processor().save_pretrained(folder)

    common.replace_files(out, write)


def train(out: Path, *, steps: int | None = None, seed: int = 0) -> dict[str, float]:
    """Train from scratch, save to `out` on the way and at the end, and return held-out figures."""
    steps = steps or STEPS
    rng = common.prepare(seed)
    model, heads = build(), PatchHeads()
    named = [*model.named_parameters(), *((f"heads.{n}", p) for n, p in heads.named_parameters())]
    optimizers = common.Optimizers(named)
    progress = common.Progress(steps, "vlm")
    model.train()
    for step in progress:
        batch = make_batch(rng, set_size=3 + step % 3)
        with common.mixed_precision():
            part = losses(model, heads, batch)
        fade = max(0.0, 1 - 1.15 * step / steps)
        loss = part["caption"] + 0.7 * part["element"] + 0.7 * part["set"] + fade * part["patches"]
        optimizers.step(loss, common.cosine(step, steps))
        progress.log(**{name: value.item() for name, value in part.items()})
        if (step + 1) % common.SAVE_EVERY == 0:
            save(model, out)
    save(model, out)
    figures = evaluate(out)
    common.write_figures(out, figures, steps=steps, seed=seed, seconds=round(progress.seconds))
    return figures


def evaluate(folder: Path, n: int = 192) -> dict[str, float]:
    """Exact-match rates of the saved model on held-out images; see `exact_matches`."""
    from services.microworld.training.evaluate import exact_matches

    return exact_matches(folder, n)
