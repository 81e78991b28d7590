"""Fakes of the five model services behind the `Service` interface: deterministic, without servers or weights.

Activation maps are drawn from the hash of an image's pixels, so that every test can make them again independently.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.remote import ServiceClients
from services.clip.spec import Embedding
from services.generator.spec import Generated
from services.sae.spec import FeatureInfo, IndexHits, Maps, Residual, Scores
from services.segmenter.spec import Segmentation
from services.serving.errors import CancelledError, InvalidInputError, UnknownModelError
from services.serving.images import pixels_of, to_ppm
from services.vlm.spec import Explanation

S, D, GRID = 12, 6, (2, 4)
PATCHES = GRID[0] * GRID[1]
DEAD = 11
NORM = 3.0
SAE_FACTS = {
    "grid": f"{GRID[0]}x{GRID[1]}",
    "layer": "2",
    "dict_size": str(S),
    "activation_dim": str(D),
    "mean_residual_norm": str(NORM),
    "subject_digest": "subject",
}


def seed_of(*parts: Any) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8])


def maps_of(image: bytes) -> np.ndarray:
    """All maps of an image, float32 [s, p]: about a third of the patches fire, some features nowhere, 11 never."""
    rng = np.random.default_rng(seed_of(pixels_of(image).tobytes(), pixels_of(image).shape))
    maps = np.where(rng.random((S, PATCHES)) < 0.35, rng.integers(1, 5, (S, PATCHES)) / 4, 0)
    maps[rng.random(S) < 0.3] = 0
    maps[DEAD] = 0
    return np.asarray(maps, np.float32)


def scores_of(image: bytes) -> np.ndarray:
    return np.asarray(maps_of(image).mean(-1), np.float32)


def residuals_of(image: bytes) -> np.ndarray:
    """The residual stream's patches of an image, float32 [p, d]."""
    rng = np.random.default_rng(seed_of("residual", pixels_of(image).tobytes()))
    return np.asarray(rng.normal(size=(PATCHES, D)), np.float32)


def encoder_row_of(feature: int) -> np.ndarray:
    return np.asarray(2 * np.random.default_rng(1000 + feature).normal(size=D), np.float32)


def direction_of(feature: int) -> np.ndarray:
    direction = np.random.default_rng(feature).normal(size=D)
    return (direction / np.linalg.norm(direction)).astype(np.float32)


class FakeService:
    """Answers from `models`; `faults` are raised first, one per call of their model; every call is kept."""

    def __init__(self, models: Mapping[str, Callable[..., Sequence[Any]]], facts: Mapping[str, str] = {}) -> None:
        self.models = models
        self.told = dict(facts)
        self.calls: dict[str, list[tuple[Sequence[Any], dict[str, Any]]]] = defaultdict(list)
        self.timeouts: list[float] = []
        self.faults: dict[str, list[Exception]] = defaultdict(list)
        self.refuse: Callable[[Any], bool] = lambda row: False
        self.up = True
        self.salt = ""
        self._lock = threading.Lock()

    def infer(self, spec, rows, *, timeout, parameters=None, cancelled=None, priority=None, version=""):
        if cancelled is not None and cancelled():
            raise CancelledError("cancelled")
        with self._lock:
            self.calls[spec.name].append((rows, dict(parameters or {})))
            self.timeouts.append(timeout)
            if self.faults[spec.name]:
                raise self.faults[spec.name].pop(0)
        if any(self.refuse(row) for row in rows):
            raise InvalidInputError("IMAGE: refused")
        if version and version != self.version(spec):
            raise InvalidInputError(f"version {version} is not served")
        values = {p.name: p.default for p in spec.parameters} | dict(parameters or {})
        return list(self.models[spec.name](rows, **values))

    def version(self, spec):
        if spec.name not in self.models:
            raise UnknownModelError(f"model {spec.name!r} is not served")
        return f"{spec.name}-v1{self.salt}"

    def facts(self, spec):
        return dict(self.told)

    def ready(self, timeout):
        return self.up

    def close(self):
        self.up = False

    def rows(self, model: str) -> list[Any]:
        return [row for rows, _ in self.calls[model] for row in rows]


def explain(rows, max_new_tokens):
    """Says which images and which steering it got, so that equal inputs give equal texts."""
    out = []
    for row in rows:
        steering = None if row.direction is None else (row.direction.tobytes(), row.alpha, row.mode)
        positions = None if row.positions is None else row.positions.tobytes()
        word = f"element {seed_of(row.prompt, row.images, steering, positions) % 10**6}"
        out.append(Explanation(f"The highlighted element in the image is a **{word}** ", 9, -0.25, False))
    return out


def complete(rows, max_new_tokens):
    """Answers by the description between the quotes: its first word, in bold; `cut` is cut. A cluster is a group."""
    told = [row.prompt.partition('"')[2].partition('"')[0].partition(" ")[0] or "group" for row in rows]
    return [Explanation(f"**{word}**.", 3, -0.5, word == "cut") for word in told]


def residual_sums(images, wanted):
    """What `index` sums up, in plain loops."""
    mass, weighted = np.zeros(S, np.float32), np.zeros((S, D), np.float32)
    residuals = np.concatenate([residuals_of(image) for image in images]) if wanted else np.zeros((0, D), np.float32)
    for image in images if wanted else ():
        maps, z = maps_of(image), residuals_of(image)
        mass += maps.sum(-1)
        weighted += maps @ z
    fired = np.flatnonzero(mass)
    return {
        "summed": fired.astype(np.int32),
        "mass": mass[fired],
        "weighted": weighted[fired],
        "residual": residuals.sum(0) if wanted else np.zeros(0, np.float32),
        "norm": np.array([np.linalg.norm(residuals, axis=1).sum()], np.float32),
        "patches": np.array([len(residuals)], np.int64),
    }


def index(rows, reduce, residuals):
    (query,) = rows
    image, feature, score, position, value, counts = [], [], [], [], [], []
    for i, data in enumerate(query.images):
        maps = maps_of(data)
        scores = maps.mean(-1) if reduce == "mean" else maps.max(-1)
        for j in np.flatnonzero(scores.astype(np.float32) > query.thresholds):
            active = np.flatnonzero(maps[j])
            image.append(i), feature.append(j), score.append(scores[j]), counts.append(len(active))
            position.extend(active), value.extend(maps[j, active])
    return [
        IndexHits(
            np.array(image, np.int32),
            np.array(feature, np.int32),
            np.array(score, np.float32),
            np.r_[0, np.cumsum(counts)].astype(np.int64),
            np.array(position, np.int32),
            np.array(value, np.float32),
            **residual_sums(query.images, residuals == "yes"),
        )
    ]


def features(rows):
    return [
        FeatureInfo(
            direction_of(r.feature),
            encoder_row_of(r.feature),
            1.0,
            0.0 if r.feature == DEAD else 0.25,
            r.feature != DEAD,
        )
        for r in rows
    ]


def generate(rows, steps, guidance):
    return [
        Generated(to_ppm(np.random.default_rng(seed_of(r.prompt, r.seed)).integers(0, 256, (16, 16, 3), np.uint8)))
        for r in rows
    ]


def segment(rows, boxes):
    """Half of the pixels at random; texts with "nothing" in them are not found."""
    out = []
    for row in rows:
        found = "nothing" not in row.text
        bits = np.random.default_rng(seed_of(bytes(row.image), row.text)).integers(0, 256, 6272, np.uint8)
        boxes_ = np.full((16, 4), -1, np.float32)
        out.append(Segmentation(bits if found else bits * 0, int(found), boxes_, np.full(16, -1, np.float32)))
    return out


def embedding(*parts: Any) -> Embedding:
    vector = np.random.default_rng(seed_of(*parts)).normal(size=5)
    return Embedding((vector / np.linalg.norm(vector)).astype(np.float32))


@dataclass(frozen=True)
class Fakes(ServiceClients):
    """The services, known to be fakes."""

    vlm: FakeService
    sae: FakeService
    generator: FakeService
    segmenter: FakeService
    clip: FakeService
    oracle_generator: FakeService | None = None
    oracle_segmenter: FakeService | None = None


def clients(oracles: bool = True) -> Fakes:
    """A full set of fakes."""
    sae: dict[str, Callable[..., Sequence[Any]]] = {
        "features": features,
        "score": lambda rows, reduce: [
            Scores((maps_of(r.image).mean(-1) if reduce == "mean" else maps_of(r.image).max(-1)).astype(np.float32))
            for r in rows
        ],
        "maps": lambda rows: [Maps(maps_of(row.image)[row.features]) for row in rows],
        "residual": lambda rows: [Residual(residuals_of(row.image).mean(0)) for row in rows],
        "index": index,
    }
    clip: dict[str, Callable[..., Sequence[Any]]] = {
        "text": lambda rows: [embedding(row.text) for row in rows],
        "image": lambda rows: [embedding(pixels_of(row.image).tobytes()) for row in rows],
        "sentence": lambda rows: [embedding("sentence", row.text) for row in rows],
    }
    return Fakes(
        vlm=FakeService({"explain": explain, "complete": complete}, SAE_FACTS),
        sae=FakeService(sae, SAE_FACTS),
        generator=FakeService({"generate": generate}),
        segmenter=FakeService({"segment": segment}),
        clip=FakeService(clip),
        oracle_generator=FakeService({"generate": generate}) if oracles else None,
        oracle_segmenter=FakeService({"segment": segment}) if oracles else None,
    )
