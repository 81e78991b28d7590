"""The models of the sae service: `features`, `score`, `maps`, `residual`, `index`."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from services.sae.autoencoder import SaeCheckpoint
from services.sae.encoder import ImageEncoder
from services.sae.reading import activation_maps, find_hits, image_scores, join_hits
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
from services.sae.sums import ResidualSummer, ResidualSums
from services.serving.errors import InvalidInputError
from services.serving.images import decode, to_ppm
from services.serving.model import Parameters, ServedModel

_GRAY = np.full((64, 64, 3), 128, np.uint8)


class FeaturesModel(ServedModel[FeatureRow, FeatureInfo]):
    """Directions and liveliness, from the checkpoint alone.

    Where its files tell no frequencies, `estimate` [s] stands in for them (None: zeros), and every feature counts as
    alive: a handful of images does not tell which are dead.
    """

    spec = FEATURES

    def __init__(
        self, checkpoint: SaeCheckpoint, version: str, facts: Mapping[str, str], estimate: Tensor | None = None
    ) -> None:
        self.version, self.facts = version, facts
        self._directions, self._encoder_rows = checkpoint.directions.numpy(), checkpoint.encoder_weight.numpy()
        self._norms = np.linalg.norm(self._directions, axis=1)
        known, silent = checkpoint.frequency, torch.zeros(checkpoint.size)
        self._frequency = next(one for one in (known, estimate, silent) if one is not None).numpy()
        self._alive = np.ones(checkpoint.size, np.bool_) if known is None else self._frequency > 0

    def run(self, rows: Sequence[FeatureRow], parameters: Parameters) -> list[FeatureInfo]:
        ids = _checked_ids(np.array([row.feature for row in rows]), len(self._directions), "FEATURE")
        return [
            FeatureInfo(
                direction=self._directions[i],
                encoder=self._encoder_rows[i],
                norm=float(self._norms[i]),
                frequency=float(self._frequency[i]),
                alive=bool(self._alive[i]),
            )
            for i in ids
        ]


class ScoreModel(ServedModel[ScoreRow, Scores]):
    """S of an image for all features (Eq. 3)."""

    spec = SCORE

    def __init__(self, encoder: ImageEncoder, version: str, facts: Mapping[str, str]) -> None:
        self.version, self.facts, self._encoder = version, facts, encoder

    def run(self, rows: Sequence[ScoreRow], parameters: Parameters) -> list[Scores]:
        reduce = str(parameters["reduce"])
        passes = self._encoder.passes([row.image for row in rows])
        return [Scores(row) for codes in passes for row in image_scores(codes, reduce).cpu().numpy()]

    def warm_up(self) -> Iterable[Sequence[ScoreRow]]:
        yield [ScoreRow(decode(to_ppm(_GRAY)))]


class MapsModel(ServedModel[MapRow, Maps]):
    """Activation maps of chosen features."""

    spec = MAPS

    def __init__(self, encoder: ImageEncoder, size: int, version: str, facts: Mapping[str, str]) -> None:
        self.version, self.facts = version, facts
        self._encoder, self._size = encoder, size

    def bucket(self, row: MapRow, parameters: Parameters) -> Hashable:
        return len(row.features)

    def run(self, rows: Sequence[MapRow], parameters: Parameters) -> list[Maps]:
        ids = _checked_ids(np.stack([row.features for row in rows]), self._size, "FEATURES")
        if ids.shape[1] == 0:
            raise InvalidInputError("FEATURES is empty; name at least one feature")
        features = torch.from_numpy(ids)
        maps, start = [], 0
        for codes in self._encoder.passes([row.image for row in rows]):
            wanted = features[start : start + len(codes.value)].to(codes.value.device)
            maps += [Maps(one) for one in activation_maps(codes, wanted).cpu().numpy()]
            start += len(codes.value)
        return maps

    def warm_up(self) -> Iterable[Sequence[MapRow]]:
        yield [MapRow(decode(to_ppm(_GRAY)), np.zeros(1, np.int64))]


class ResidualModel(ServedModel[ResidualRow, Residual]):
    """The mean residual of an image."""

    spec = RESIDUAL

    def __init__(self, encoder: ImageEncoder, version: str, facts: Mapping[str, str]) -> None:
        self.version, self.facts, self._encoder = version, facts, encoder

    def run(self, rows: Sequence[ResidualRow], parameters: Parameters) -> list[Residual]:
        means = (residual.float().mean(1) for residual in self._encoder.residuals([row.image for row in rows]))
        return [Residual(mean) for group in means for mean in group.cpu().numpy()]

    def warm_up(self) -> Iterable[Sequence[ResidualRow]]:
        yield [ResidualRow(decode(to_ppm(_GRAY)))]


class IndexModel(ServedModel[IndexQuery, IndexHits]):
    """The pairs above thresholds, with sparse maps; a request is one row."""

    spec = INDEX

    def __init__(self, encoder: ImageEncoder, size: int, version: str, facts: Mapping[str, str]) -> None:
        self.version, self.facts = version, facts
        self._encoder, self._size = encoder, size

    def run(self, rows: Sequence[IndexQuery], parameters: Parameters) -> list[IndexHits]:
        wanted = parameters["residuals"] == "yes"
        return [self._hits(row, str(parameters["reduce"]), wanted) for row in rows]

    def warm_up(self) -> Iterable[Sequence[IndexQuery]]:
        yield [IndexQuery((decode(to_ppm(_GRAY)),), np.zeros(self._size, np.float32))]

    def _hits(self, query: IndexQuery, reduce: str, residuals: bool) -> IndexHits:
        self._check(query)
        parts, sizes = [], []
        summer = ResidualSummer(self._size, self._encoder.subject.width)
        passing = self._encoder.encoded(query.images)
        for codes in (encoded.codes for encoded in (summer.watch(passing) if residuals else passing)):
            thresholds = torch.tensor(query.thresholds, dtype=torch.float32, device=codes.value.device)
            parts.append(find_hits(codes, thresholds, reduce))
            sizes.append(len(codes.value))
        hits = join_hits(parts, sizes)
        return IndexHits(
            image=hits.image.cpu().numpy().astype(np.int32),
            feature=hits.feature.cpu().numpy().astype(np.int32),
            score=hits.score.cpu().numpy(),
            offset=hits.offset.cpu().numpy(),
            position=hits.position.cpu().numpy().astype(np.int32),
            value=hits.value.cpu().numpy(),
            **vars(summer.sums() if residuals else ResidualSums.nothing()),
        )

    def _check(self, query: IndexQuery) -> None:
        if not query.images:
            raise InvalidInputError("IMAGES is empty; send at least one image")
        if query.thresholds.shape != (self._size,):
            raise InvalidInputError(
                f"THRESHOLDS has shape {list(query.thresholds.shape)}; it must be [{self._size}], one per feature"
            )
        if not (query.thresholds >= 0).all():
            raise InvalidInputError("THRESHOLDS holds values below 0 or NaN; give 0 to keep every pair that fires")


def _checked_ids(ids: np.ndarray, size: int, name: str) -> np.ndarray:
    """Feature ids as int64. Raises InvalidInputError naming the first that is out of range."""
    bad = ids[(ids < 0) | (ids >= size)]
    if bad.size:
        raise InvalidInputError(f"{name} {int(bad.flat[0])} is no feature of this SAE; ids run from 0 to {size - 1}")
    return ids.astype(np.int64)
