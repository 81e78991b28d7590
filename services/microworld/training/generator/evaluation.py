"""Held-out figures of the generator: do its images show what was asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import open_clip
from numpy.typing import NDArray

from services.microworld.seeds import generator
from services.microworld.training.clip import embed_images, embed_texts, nearest
from services.microworld.training.explainer import Explainer
from services.microworld.world import GRAY, KINDS, RGB, WHITE, Concept, all_concepts, elements, render

from .pipeline import generate, load_pipeline, read_settings

WHITE_DISTANCE: Final = 0.25  # pixels nearer to white are the blank ground


def asked_concepts(n: int, rng: np.random.Generator) -> list[Concept]:
    """n concepts in equal parts of every kind but blank, each kind's members in random order, repeated if need be."""
    asked: list[Concept] = []
    for number, kind in enumerate(KINDS):
        members = [concept for concept in all_concepts() if concept.kind == kind]
        count = n // len(KINDS) + (number < n % len(KINDS))
        order = np.concatenate([rng.permutation(len(members)) for _ in range(-(-count // len(members)))])
        asked += [members[i] for i in order[:count]]
    return asked


def foreground_color(images: NDArray[np.float32]) -> NDArray[np.int64]:
    """The commonest palette colour among each image's pixels that are not white; WHITE where none is left.

    images [n, 64, 64, 3] in 0..1; returns ids [n] of the vocabulary. Depends on no model.
    """
    nearest = np.linalg.norm(images[..., None, :] - RGB, axis=-1).argmin(-1)  # [n, 64, 64]
    blank = np.linalg.norm(images - RGB[WHITE], axis=-1) < WHITE_DISTANCE
    found = np.full(len(images), WHITE)
    for i, (ids, ground) in enumerate(zip(nearest, blank, strict=True)):
        counts = np.bincount(ids[~ground], minlength=GRAY + 1)
        counts[WHITE] = 0  # faint pixels between the ground and a shape
        if counts.any():
            found[i] = counts.argmax()
    return found


def color_rate(images: NDArray[np.float32], asked: Sequence[Concept]) -> float:
    """Share of the images of coloured concepts whose foreground has the colour."""
    found = foreground_color(images)
    hits = [found[i] == concept.color for i, concept in enumerate(asked) if concept.color is not None]
    return float(np.mean(hits))


def retrieved_names(clip: Path, images: NDArray[np.float32]) -> list[str]:
    """For every image the name, among those of all concepts, whose vector is nearest under a saved CLIP."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{clip}")
    texts = [concept.text for concept in all_concepts()]
    names = embed_texts(model.eval(), open_clip.get_tokenizer(f"local-dir:{clip}"), texts)
    return [concept.text for concept in nearest(embed_images(model, images), names)]


def rates(answers: Sequence[str], asked: Sequence[Concept], judge: str) -> dict[str, float]:
    """Share of images named exactly as asked, over all and per kind: {"vlm": .8, "vlm_color": 1.0, …}."""
    hits = np.array([answer == concept.text for answer, concept in zip(answers, asked, strict=True)])
    kinds = np.array([concept.kind for concept in asked])
    return {judge: float(hits.mean())} | {f"{judge}_{kind}": float(hits[kinds == kind].mean()) for kind in KINDS}


def evaluate(folder: Path, n: int = 448) -> dict[str, float]:
    """Generate n images and have them named; `folder` lies among the zoo's weights.

    `pixel_color` compares pixels with the palette. `vlm…` is the share that the explainer next to it names exactly as
    asked, `clip…` the share that CLIP retrieves among all concepts' names; each only if that model is there, and with
    its rate on drawn elements (`…_drawn`), the most that can be hoped for.
    """
    rng = generator("evaluate", 7)
    asked = asked_concepts(n, rng)
    drawn = render(elements(asked, rng), rng).images
    images = generate(load_pipeline(folder), [c.text for c in asked], range(n), read_settings(folder))
    figures = {"pixel_color": color_rate(images, asked), "pixel_color_drawn": color_rate(drawn, asked)}
    if (folder.parent / "vlm" / "config.json").is_file():
        explainer = Explainer.load(folder.parent / "vlm")
        figures |= rates(explainer.answer(images, "steering"), asked, "vlm")
        figures |= {"vlm_drawn": rates(explainer.answer(drawn, "steering"), asked, "vlm")["vlm"]}
    if (folder.parent / "clip" / "open_clip_config.json").is_file():
        figures |= rates(retrieved_names(folder.parent / "clip", images), asked, "clip")
        figures |= {"clip_drawn": rates(retrieved_names(folder.parent / "clip", drawn), asked, "clip")["clip"]}
    return figures
