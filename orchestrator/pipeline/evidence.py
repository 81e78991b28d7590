"""What the judges say about a text: generated images and their activations, masks, embeddings (METHOD §6).

Nothing here depends on a variant: equal texts share their evidence, and what concerns the images alone is made once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.explain import masked_image
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.scores import feature_masks, image_scores
from orchestrator.pipeline.target import Target
from orchestrator.remote import Calls
from orchestrator.store import ARRAYS, JSON, ArtifactStore, StageCache
from services.clip.spec import IMAGE, TEXT, ImageRow, TextRow
from services.generator.spec import GENERATE, GenerateRow
from services.sae.spec import MAPS, MapRow
from services.segmenter.spec import SEGMENT, SegmentRow
from services.serving.images import pixels_of, to_png

JUDGES = {"learned": "", "oracle": "oracle_"}  # judge → prefix of its services


@dataclass(frozen=True)
class Generated:
    """The images drawn of a text, by address in the artifact store, and S(i, I) of each (Eq. 10)."""

    artifacts: tuple[str, ...]
    seeds: tuple[int, ...]
    activations: tuple[float, ...]


@dataclass(frozen=True)
class Masks:
    """Masks of a text in the test images, packed bits uint8 [n, 6272], and the boxes found in each [n]."""

    packed: npt.NDArray[np.uint8]
    detections: npt.NDArray[np.int64]


class Evidence:
    """Evidence on the texts of one target. Every method raises what `Calls.infer` raises."""

    def __init__(
        self, plan: ExplainPlan, target: Target, calls: Calls, cache: StageCache, store: ArtifactStore
    ) -> None:
        self._plan, self._target, self._calls, self._cache, self._store = plan, target, calls, cache, store

    @property
    def feature_masks(self) -> npt.NDArray[np.uint8]:
        """f > 0 on the test images, packed bits [n, 6272]."""
        return feature_masks(np.stack([shot.map for shot in self._target.test]), self._plan.patch_grid)

    def draw(self, text: str, judge: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """N images of a text: their addresses and seeds."""
        service = f"{JUDGES[judge]}generator"
        prompt = self._plan.prompt_prefix + text
        seeds = [image_seed(self._plan.seed, self._target.key, text, n) for n in range(self._plan.generated_images)]

        def ask() -> list[str]:
            rows = [GenerateRow(prompt, seed) for seed in seeds]
            images = self._calls.infer(service, GENERATE, rows, self._plan.generator)
            return [self._store.put(to_png(pixels_of(image.image)), ".png") for image in images]

        inputs = {**self._model(f"{service}.generate"), "prompt": prompt, "seeds": seeds, **self._plan.generator}
        return tuple(self._cache.cached("generate", inputs, JSON, ask)), tuple(seeds)

    def activations(self, addresses: Sequence[str]) -> tuple[float, ...]:
        """S(i, I) of stored images."""
        feature = np.array([self._target.feature], np.int64)

        def ask() -> list[float]:
            rows = [MapRow(self._store.get(address), feature) for address in addresses]
            maps = np.concatenate([answer.maps for answer in self._calls.infer("sae", MAPS, rows)])
            return [float(score) for score in image_scores(maps, self._plan.reduce)]

        inputs = {
            **self._model("sae.maps"),
            "images": list(addresses),
            "feature": self._target.feature,
            "reduce": self._plan.reduce,
        }
        return tuple(self._cache.cached("activate", inputs, JSON, ask))

    def segment(self, text: str, judge: str) -> Masks:
        """The text's masks in the test images."""
        service, boxes = f"{JUDGES[judge]}segmenter", {"boxes": self._plan.segmenter_boxes}

        def ask() -> dict[str, npt.NDArray[Any]]:
            rows = [SegmentRow(shot.data, text) for shot in self._target.test]
            answers = self._calls.infer(service, SEGMENT, rows, boxes)
            return {
                "packed": np.stack([answer.mask for answer in answers]),
                "detections": np.array([answer.detections for answer in answers], np.int64),
            }

        images = [shot.top.digest for shot in self._target.test]
        inputs = {**self._model(f"{service}.segment"), "images": images, "text": text, **boxes}
        stored = self._cache.cached("segment", inputs, ARRAYS, ask)
        return Masks(stored["packed"], stored["detections"])

    def embed_text(self, text: str) -> npt.NDArray[np.float32]:
        """The text's CLIP embedding [e]."""

        def ask() -> dict[str, npt.NDArray[Any]]:
            (answer,) = self._calls.infer("clip", TEXT, [TextRow(text)])
            return {"embedding": answer.embedding}

        inputs = {**self._model("clip.text"), "text": text}
        return self._cache.cached("embed_text", inputs, ARRAYS, ask)["embedding"]

    def embed_images(self) -> npt.NDArray[np.float32]:
        """CLIP embeddings of the masked test images [n, e]."""
        images = [masked_image(shot, self._plan) for shot in self._target.test]

        def ask() -> dict[str, npt.NDArray[Any]]:
            answers = self._calls.infer("clip", IMAGE, [ImageRow(image) for image in images])
            return {"embeddings": np.stack([answer.embedding for answer in answers])}

        inputs = {**self._model("clip.image"), "images": [hashlib.sha256(image).hexdigest() for image in images]}
        return self._cache.cached("embed_images", inputs, ARRAYS, ask)["embeddings"]

    def _model(self, name: str) -> dict[str, str]:
        return {"model": name, "version": self._plan.models[name]}


def image_seed(seed: int, target: str, text: str, n: int) -> int:
    """Seed of the n-th image of a text, 0 ≤ seed < 2^63; equal texts of one target get equal images."""
    digest = hashlib.sha256(f"{seed}|{target}|{n}|{text}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1
