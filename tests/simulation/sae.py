"""The simulated sae service: sparse activations made of image bytes and feature id."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.sae.spec import (
    FEATURES,
    INDEX,
    MAPS,
    RESIDUAL,
    SCORE,
    FeatureInfo,
    FeatureRow,
    IndexHits,
    IndexQuery,
    MapRow,
    Maps,
    Residual,
    ResidualRow,
    ScoreRow,
    Scores,
)
from services.serving.errors import InvalidInputError
from services.serving.model import Parameters, ServedModel
from services.serving.provenance import digest_text
from tests.simulation.content import activations, generator
from tests.simulation.model import GRID, LAYER, PATCHES, SUBJECT, WIDTH, SimulatedModel
from tests.simulation.settings import SimulatedSettings

Floats = npt.NDArray[np.float32]


def load(settings: SimulatedSettings) -> Sequence[ServedModel[Any, Any]]:
    """`features`, `score`, `maps`, `residual` and `index`."""
    return [kind(settings) for kind in (SimulatedFeatures, SimulatedScore, SimulatedMaps, SimulatedResidual, IndexPass)]


def residuals(image: bytes) -> Floats:
    """The residual stream of an image, [p, d]."""
    return generator("residual", image).standard_normal((PATCHES, WIDTH), np.float32)


def reduced(maps: Floats, reduce: str) -> Floats:
    """S of every feature [m] from maps [m, p]."""
    scores: Floats = maps.max(1) if reduce == "max" else maps.mean(1)
    return scores


class _OfTheSae(SimulatedModel[Any, Any]):
    def __init__(self, settings: SimulatedSettings) -> None:
        size, dead = str(settings.features), str(settings.dead_every)
        facts = {
            "layer": str(LAYER),
            "dict_size": size,
            "activation_dim": str(WIDTH),
            "grid": "{}x{}".format(*GRID),
            "subject_digest": SUBJECT,
            "sae_digest": digest_text("simulated sae", size, dead),
            "sae_format": "simulated",
            "activation": "TopK",
            "frequency_source": "files",
            "mean_residual_norm": repr(WIDTH**0.5),
            "mean_residual_norm_source": "setting",
            "check": "off",
        }
        super().__init__(settings, facts, size, dead)
        self._ids = np.arange(settings.features)
        self._alive = np.ones(settings.features, np.bool_)
        if settings.dead_every:
            self._alive[settings.dead_every - 1 :: settings.dead_every] = False

    def maps(self, image: bytes, features: npt.NDArray[np.int64]) -> Floats:
        """[m, p]; dead features never fire."""
        maps = activations(image, features, PATCHES)
        maps[~self._alive[features]] = 0
        return maps

    def checked(self, name: str, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        bad = ids[(ids < 0) | (ids >= len(self._ids))]
        if bad.size:
            raise InvalidInputError(f"{name} {int(bad[0])} is no feature of this SAE; ids run to {len(self._ids) - 1}")
        return ids


class SimulatedFeatures(_OfTheSae):
    """Directions of unit length."""

    spec = FEATURES

    def answer(self, row: FeatureRow, parameters: Parameters) -> FeatureInfo:
        (feature,) = self.checked("FEATURE", np.array([row.feature]))
        rows = generator("direction", int(feature)).standard_normal((2, WIDTH)).astype(np.float32)
        direction, encoder = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        alive = bool(self._alive[feature])
        return FeatureInfo(direction, encoder, 1.0, 1 / 12 if alive else 0.0, alive)


class SimulatedScore(_OfTheSae):
    """S of an image for all features."""

    spec = SCORE

    def answer(self, row: ScoreRow, parameters: Parameters) -> Scores:
        return Scores(reduced(self.maps(row.image, self._ids), str(parameters["reduce"])))


class SimulatedMaps(_OfTheSae):
    """Maps of chosen features."""

    spec = MAPS

    def answer(self, row: MapRow, parameters: Parameters) -> Maps:
        return Maps(self.maps(row.image, self.checked("FEATURES", row.features)))


class SimulatedResidual(_OfTheSae):
    """The mean residual of an image."""

    spec = RESIDUAL

    def answer(self, row: ResidualRow, parameters: Parameters) -> Residual:
        return Residual(residuals(row.image).mean(0))


class IndexPass(_OfTheSae):
    """The pairs above the thresholds, and the sums of residuals."""

    spec = INDEX

    def answer(self, row: IndexQuery, parameters: Parameters) -> IndexHits:
        if row.thresholds.shape != self._ids.shape or (row.thresholds < 0).any():
            raise InvalidInputError(f"THRESHOLDS must be {len(self._ids)} numbers ≥ 0, one per feature")
        maps = [self.maps(image, self._ids) for image in row.images]
        scores = np.stack([reduced(one, str(parameters["reduce"])) for one in maps])
        image, feature = np.nonzero(scores > row.thresholds)
        pairs = np.stack(maps)[image, feature]
        pair, position = np.nonzero(pairs)
        return IndexHits(
            image=image.astype(np.int32),
            feature=feature.astype(np.int32),
            score=scores[image, feature],
            offset=np.append(0, np.cumsum((pairs > 0).sum(1))).astype(np.int64),
            position=position.astype(np.int32),
            value=pairs[pair, position],
            **_sums(maps, row.images if parameters["residuals"] == "yes" else ()),
        )


def _sums(maps: Sequence[Floats], images: Sequence[bytes]) -> dict[str, npt.NDArray[Any]]:
    """What `residuals` = yes asks for; all empty or 0 without images."""
    streams = [residuals(image) for image in images]
    mass = np.sum([one.sum(1) for one in maps], 0) if images else np.zeros(0, np.float32)
    weighted = np.sum([one @ z for one, z in zip(maps, streams, strict=True)], 0) if images else None
    summed = np.flatnonzero(mass)
    return {
        "summed": summed.astype(np.int32),
        "mass": mass[summed].astype(np.float32),
        "weighted": np.zeros((0, WIDTH), np.float32) if weighted is None else weighted[summed].astype(np.float32),
        "residual": np.concatenate(streams).sum(0) if images else np.zeros(0, np.float32),
        "norm": np.array([sum(np.linalg.norm(z, axis=1).sum() for z in streams)], np.float32),
        "patches": np.array([PATCHES * len(images)], np.int64),
    }
