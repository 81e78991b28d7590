"""The microworld's CLIP: open_clip's model at 1.3 M parameters, trained on elements and on masked scenes.

The loss is a softmax over the names of all concepts, not over the batch: with 198 names the whole dictionary fits
into every step. Images show one element, or a scene through a patch mask with black around it, which is how masked
images are scored (METHOD.md 6, Eq. 9). Heads that are thrown away teach the image tower what patches show.

The folder has open_clip's own layout: `open_clip.create_model_and_transforms("local-dir:<folder>")` loads the model
and its preprocessing, `open_clip.get_tokenizer("local-dir:<folder>")` its tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from services.microworld.seeds import generator
from services.microworld.training import common
from services.microworld.training.clip_heads import PatchHeads, patch_attributes
from services.microworld.training.eager import eager_attention
from services.microworld.training.tokenizer import clip_tokenizer
from services.microworld.world import (
    SIZE,
    Concept,
    all_concepts,
    apply_mask,
    elements,
    highlighted_sets,
    random_scenes,
    render,
    sample,
)

STEPS: Final = 900
BATCH = 208
WIDTH: Final = 128
CONTEXT: Final = 16  # tokens
MAX_LOGIT_SCALE: Final = float(np.log(50))
TEMPLATES: Final = ("{}", "{}", "{}", "a {}", "{} .")  # texts come with and without article and full stop
IMAGES = 1000  # of each kind in an evaluation


def train(out: Path, *, steps: int | None = None, seed: int = 0) -> dict[str, float]:
    """Train from scratch into the folder `out` (saved every 300 steps as well); returns the held-out figures."""
    rng = common.prepare(seed)
    steps = steps or STEPS
    _write_config(out)
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{out}", load_weights=False)
    tokenize = open_clip.get_tokenizer(f"local-dir:{out}")
    heads = PatchHeads(model.visual, WIDTH)
    optimizers = common.Optimizers([*model.named_parameters(), *heads.named_parameters()])
    progress = common.Progress(steps, "clip")
    with eager_attention():
        for step in progress:
            drawn = batch(BATCH, rng)
            name, patch = losses(model, heads, drawn, tokenize(_names(rng)))
            optimizers.step(name + fading(step / steps) * patch, common.cosine(step, steps))
            progress.log(name=name.detach(), patch=patch.detach())
            if step % common.SAVE_EVERY == common.SAVE_EVERY - 1:
                _save(model, out)
    _save(model, out)
    figures = evaluate(out)
    common.write_figures(out, figures, steps=steps, seed=seed, seconds=round(progress.seconds))
    return figures


def evaluate(folder: Path, n: int | None = None) -> dict[str, float]:
    """Retrieval@1 among the 198 names, for n elements and n masked scenes that training never saw.

    The concept of a masked scene is often not the only one that fits (a red star is also red): `masked_attributes_at_1`
    counts a name as right if it names nothing that the concept contradicts, and something that it has.
    """
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    texts = embed_texts(model.eval(), open_clip.get_tokenizer(f"local-dir:{folder}"), _names())
    rng, n = generator("evaluate"), n or IMAGES
    alone = [sample(rng) for _ in range(n)]
    masked, shared = masked_scenes(n, rng)
    found_alone = nearest(embed_images(model, render(elements(alone, rng), rng).images), texts)
    found_masked = nearest(embed_images(model, masked), texts)
    return {
        "elements_at_1": _share(a == b for a, b in zip(found_alone, alone, strict=True)),
        "masked_at_1": _share(a == b for a, b in zip(found_masked, shared, strict=True)),
        "masked_attributes_at_1": _share(agree(a, b) for a, b in zip(found_masked, shared, strict=True)),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


@dataclass
class Batch:
    """Images [n, 3, 64, 64] in -1..1: whole scenes, elements, masked scenes, in this order.

    `labels` are the numbers of the concepts of all but the whole scenes, `attributes` what the patches of all but the
    masked scenes show [., 64, 23].
    """

    images: Tensor
    labels: Tensor
    attributes: Tensor


def batch(n: int, rng: np.random.Generator) -> Batch:
    """A quarter whole scenes (for the patches' attributes alone), more than a quarter elements, half masked scenes."""
    alone = [sample(rng, blank=0.02) for _ in range(n * 9 // 32)]
    whole, single = render(random_scenes(n // 4, rng), rng), render(elements(alone, rng), rng)
    masked, shared = masked_scenes(n - len(whole) - len(alone), rng)
    return Batch(
        common.to_pixels(np.concatenate([whole.images, single.images, masked])),
        torch.tensor([_numbers()[c] for c in (*alone, *shared)]),
        torch.cat([patch_attributes(whole), patch_attributes(single)]),
    )


def masked_scenes(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[Concept]]:
    """Scenes [n, 64, 64, 3] through the patches of one concept, black elsewhere, and those concepts."""
    sets = highlighted_sets(n, 1, rng, mode="masks")
    return apply_mask(sets.images, sets.patches), sets.concepts  # once more: the sets' own fill may be gray


def losses(model: nn.Module, heads: PatchHeads, drawn: Batch, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy of the concepts' names among all names (ids [198, t]), and the loss of the patch heads."""
    with common.mixed_precision():
        image, text, scale = model(drawn.images, ids)
    named = image[-len(drawn.labels) :]
    return dictionary_loss(named.float(), text.float(), scale, drawn.labels), heads(drawn.attributes)


def dictionary_loss(image: Tensor, text: Tensor, scale: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of unit vectors image [b, e] against all names' text [198, e]; labels [b]."""
    return functional.cross_entropy(image @ text.T * scale.log().clamp(max=MAX_LOGIT_SCALE).exp(), labels)


def fading(done: float) -> float:
    """The weight of the patch heads at a share `done` of the training: 8, falling to 0 before the end."""
    return 8 * max(0.0, 1 - 1.15 * done)


@torch.no_grad()
def embed_images(model: Any, images: NDArray[np.float32]) -> Tensor:
    """Unit vectors [n, 64] of images [n, 64, 64, 3] in 0..1."""
    return torch.cat([model.encode_image(part, normalize=True) for part in common.to_pixels(images).split(250)])


@torch.no_grad()
def embed_texts(model: Any, tokenize: Any, texts: Sequence[str]) -> Tensor:
    """Unit vectors [n, 64] of texts."""
    vectors: Tensor = model.encode_text(tokenize(list(texts)), normalize=True)
    return vectors


def nearest(images: Tensor, names: Tensor) -> list[Concept]:
    """For every image vector the concept whose name's vector (in the order of `all_concepts`) has the best cosine."""
    return [all_concepts()[i] for i in (images @ names.T).argmax(1).tolist()]


def agree(named: Concept, true: Concept) -> bool:
    """Whether a name says something true of a concept and nothing that the concept contradicts."""
    said, has = named.attributes, true.attributes
    both = said.keys() & has.keys()
    return named == true or (bool(both) and all(said[family] == has[family] for family in both))


@cache
def _numbers() -> dict[Concept, int]:
    return {concept: number for number, concept in enumerate(all_concepts())}


def _names(rng: np.random.Generator | None = None) -> list[str]:
    """The names of all concepts; with a generator, each in a random template."""
    if rng is None:
        return [concept.text for concept in all_concepts()]
    return [TEMPLATES[int(rng.integers(len(TEMPLATES)))].format(concept.text) for concept in all_concepts()]


def _share(hits: Any) -> float:
    return float(np.mean(list(hits)))


def _write_config(out: Path) -> None:
    """Write `open_clip_config.json` and the tokenizer's files, all that open_clip needs beside the weights."""
    tokenizer = clip_tokenizer(CONTEXT)
    vision = {"image_size": SIZE, "patch_size": 8, "layers": 4, "width": WIDTH, "head_width": 32, "mlp_ratio": 4.0}
    text = {
        "context_length": CONTEXT,
        "vocab_size": len(tokenizer),
        "hf_tokenizer_name": "steerscope-microworld",  # any name: "local-dir:" takes the tokenizer from the folder
        "width": WIDTH,
        "heads": 4,
        "layers": 2,
        "mlp_ratio": 3.0,
    }
    config = {
        "model_cfg": {"embed_dim": 64, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"},
    }
    common.write_json(out / "open_clip_config.json", config)
    common.replace_files(out, tokenizer.save_pretrained)


def _save(model: nn.Module, out: Path) -> None:
    state = common.bfloat16_state(model)
    common.replace_files(out, lambda folder: save_file(state, folder / "open_clip_model.safetensors"))
