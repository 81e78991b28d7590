"""What each feature is truly about: its activation mass against the world's truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from services.microworld import world
from services.microworld.images import draw_set
from services.microworld.training.explainer import Explainer
from services.microworld.training.sae import TopK

PRESENT = 0.12  # share of a patch that must show a concept
PURE = 0.7  # share of a feature's activation mass that makes an attribute true of it
ALIVE = 20  # patches on which an alive feature fires at least
_FAMILIES = ("color", "shape", "texture")
Record = dict[str, Any]


def _presence(r: world.Rendered, concepts: list[world.Concept]) -> Tensor:
    """Which patches [n * 64] show which concept, as a float matrix [n * 64, c]; the last column is "micro-shape"."""
    masks = [world.pool(world.concept_mask(c, r)) > PRESENT for c in concepts] + [world.pool(r.micro) > PRESENT]
    return torch.from_numpy(np.stack(masks, -1).reshape(-1, len(masks)).astype(np.float32))


def _record(concepts: list[world.Concept], mass: Tensor, f1: Tensor, fired: int, patches: int) -> Record:
    """One feature: mass [c + 1] per concept as a share of its own, F1 [c] with each concept's patches."""
    chosen: dict[str, world.Concept] = {}
    shares: dict[str, float] = {}
    for family in _FAMILIES:
        share, concept = max((float(mass[j]), c) for j, c in enumerate(concepts) if c.kind == family)
        shares[family] = round(share, 4)
        if fired > ALIVE and share >= PURE:
            chosen[family] = concept
    micro = float(mass[-1])
    ids = {family: getattr(concept, family) for family, concept in chosen.items()}
    best = int(f1.argmax())
    return {
        "alive": fired > ALIVE,
        "density": round(fired / patches, 7),
        "mass": shares,
        "micro": round(micro, 4),
        "attributes": {family: concept.attributes[family] for family, concept in chosen.items()},
        "best": {"concept": concepts[best].text, "f1": round(float(f1[best]), 4)},
        "text": world.make(**ids, pattern=micro > 0.5).text if ids else "",
    }


def truth(explainer: Explainer, sae: TopK, scenes: int) -> Record:
    """The truth file: per feature alive, density, mass, attributes, best concept, text (MICROWORLD.md 3).

    An attribute is true of a feature if `PURE` of its activation mass lies on patches that show it.
    """
    concepts = [c for c in world.all_concepts() if c.kind not in ("pattern", "colpattern", "blank")]
    features = sae.decoder.weight.shape[1]
    mass, joint = torch.zeros(len(concepts) + 1, features), torch.zeros(len(concepts) + 1, features)
    total, fired, shown = torch.zeros(features), torch.zeros(features), torch.zeros(len(concepts) + 1)
    for rendered in draw_set("truth", scenes):
        present = _presence(rendered, concepts)
        codes, _ = sae.codes(explainer.activations(rendered.images).flatten(0, 1))
        active = (codes > 0).float()
        mass += present.T @ codes
        joint += present.T @ active
        total += codes.sum(0)
        fired += active.sum(0)
        shown += present.sum(0)
    mass /= total.clamp_min(1e-9)
    f1 = 2 * joint / (shown[:, None] + fired).clamp_min(1)
    patches = scenes * world.GRID**2
    records = {str(i): _record(concepts, mass[:, i], f1[:-1, i], int(fired[i]), patches) for i in range(features)}
    return {"set": "truth", "scenes": scenes, "pure": PURE, "features": records}
