"""What the sae service serves. It holds its own copy of the subject cut after block N: activations never travel.

The image score is S(i, I) = mean over patches of f_i (Eq. 3), or the maximum (`reduce`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.serving.spec import Content, DataType, ModelSpec, ParameterSpec, TensorSpec


@dataclass(frozen=True)
class FeatureRow:
    """One feature id, 0 ≤ id < s."""

    feature: int


@dataclass(frozen=True)
class FeatureInfo:
    """Decoder row and encoder row, float32 [d] each, the former's norm, how often the feature fires (share of patches),
    and whether it is alive."""

    direction: npt.NDArray[np.float32]
    encoder: npt.NDArray[np.float32]
    norm: float
    frequency: float
    alive: bool


@dataclass(frozen=True)
class ScoreRow:
    """One encoded image."""

    image: bytes


@dataclass(frozen=True)
class Scores:
    """S(·, I) for all features, float32 [s]."""

    score: npt.NDArray[np.float32]


@dataclass(frozen=True)
class MapRow:
    """One encoded image and m feature ids, int64 [m]."""

    image: bytes
    features: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Maps:
    """Activation maps f_i(I), float32 [m, p], patches in row-major order of the patch grid (CLS dropped)."""

    maps: npt.NDArray[np.float32]


@dataclass(frozen=True)
class ResidualRow:
    """One encoded image."""

    image: bytes


@dataclass(frozen=True)
class Residual:
    """The mean over patches of the residual stream after block N, float32 [d]: what mean-difference directions need."""

    mean: npt.NDArray[np.float32]


@dataclass(frozen=True)
class IndexQuery:
    """n images and per feature the score that a pair must exceed, float32 [s] (0 keeps every pair that fires)."""

    images: tuple[bytes, ...]
    thresholds: npt.NDArray[np.float32]


@dataclass(frozen=True)
class IndexHits:
    """The q pairs (image, feature) with S above the feature's threshold, sorted by (image, feature), and their maps.

    `image` [q] counts within the request, `feature` [q], `score` [q]; pair j's active patches are
    `position[offset[j]:offset[j+1]]` with activations `value[…]`, as in a CSR matrix.

    With the parameter `residuals` = yes, sums over all patches p of all images of the request (else all empty or 0):
    for the m features that fired at all, `summed` [m], their mass Σ f_i(p) [m] and `weighted` Σ f_i(p)·z(p) [m, d];
    and of the residual stream z itself `residual` Σ z(p) [d], `norm` Σ ‖z(p)‖ [1] over `patches` [1] patches.
    """

    image: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]
    offset: npt.NDArray[np.int64]
    position: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]
    summed: npt.NDArray[np.int32]
    mass: npt.NDArray[np.float32]
    weighted: npt.NDArray[np.float32]
    residual: npt.NDArray[np.float32]
    norm: npt.NDArray[np.float32]
    patches: npt.NDArray[np.int64]


_REDUCE = ParameterSpec("reduce", "mean", "patches to image score", choices=("mean", "max"))
_IMAGE = TensorSpec("IMAGE", DataType.BYTES, (), "one encoded image", Content.IMAGE)

FEATURES: ModelSpec[FeatureRow, FeatureInfo] = ModelSpec(
    name="features",
    doc="Directions and liveliness of features.",
    row=FeatureRow,
    result=FeatureInfo,
    inputs=(TensorSpec("FEATURE", DataType.INT64, (), "feature id"),),
    outputs=(
        TensorSpec("DIRECTION", DataType.FP32, (-1,), "decoder row [d]"),
        TensorSpec("ENCODER", DataType.FP32, (-1,), "encoder row [d]"),
        TensorSpec("NORM", DataType.FP32, (), "L2 norm of the decoder row"),
        TensorSpec("FREQUENCY", DataType.FP32, (), "share of patches on which the feature fired"),
        TensorSpec("ALIVE", DataType.BOOL, (), "whether it fired at all"),
    ),
    max_batch_size=8192,
)

SCORE: ModelSpec[ScoreRow, Scores] = ModelSpec(
    name="score",
    doc="Image scores S of one image for all features.",
    row=ScoreRow,
    result=Scores,
    inputs=(_IMAGE,),
    outputs=(TensorSpec("SCORE", DataType.FP32, (-1,), "S for every feature [s]"),),
    parameters=(_REDUCE,),
    max_batch_size=64,
)

MAPS: ModelSpec[MapRow, Maps] = ModelSpec(
    name="maps",
    doc="Activation maps of chosen features on one image.",
    row=MapRow,
    result=Maps,
    inputs=(_IMAGE, TensorSpec("FEATURES", DataType.INT64, (-1,), "feature ids [m]")),
    outputs=(TensorSpec("MAPS", DataType.FP32, (-1, -1), "activations [m, p]"),),
    max_batch_size=64,
)

RESIDUAL: ModelSpec[ResidualRow, Residual] = ModelSpec(
    name="residual",
    doc="The mean residual of one image at the layer, for directions made of images.",
    row=ResidualRow,
    result=Residual,
    inputs=(_IMAGE,),
    outputs=(TensorSpec("MEAN", DataType.FP32, (-1,), "mean over patches of the residual stream [d]"),),
    max_batch_size=64,
)

INDEX: ModelSpec[IndexQuery, IndexHits] = ModelSpec(
    name="index",
    doc="The (image, feature) pairs above per-feature thresholds, with sparse maps: one pass finds the top images.",
    row=IndexQuery,
    result=IndexHits,
    inputs=(
        TensorSpec("IMAGES", DataType.BYTES, (-1,), "n encoded images", Content.IMAGE),
        TensorSpec("THRESHOLDS", DataType.FP32, (-1,), "score to exceed per feature [s]"),
    ),
    outputs=(
        TensorSpec("IMAGE", DataType.INT32, (-1,), "image of each pair, counted within the request"),
        TensorSpec("FEATURE", DataType.INT32, (-1,), "feature of each pair"),
        TensorSpec("SCORE", DataType.FP32, (-1,), "S of each pair"),
        TensorSpec("OFFSET", DataType.INT64, (-1,), "row offsets into POSITION and VALUE [q+1]"),
        TensorSpec("POSITION", DataType.INT32, (-1,), "active patches"),
        TensorSpec("VALUE", DataType.FP32, (-1,), "their activations"),
        TensorSpec("SUMMED", DataType.INT32, (-1,), "features that fired [m]"),
        TensorSpec("MASS", DataType.FP32, (-1,), "their summed activations [m]"),
        TensorSpec("WEIGHTED", DataType.FP32, (-1, -1), "sums of activation × residual [m, d]"),
        TensorSpec("RESIDUAL", DataType.FP32, (-1,), "sum of the residuals of all patches [d]"),
        TensorSpec("NORM", DataType.FP32, (-1,), "sum of their norms [1]"),
        TensorSpec("PATCHES", DataType.INT64, (-1,), "how many patches were summed [1]"),
    ),
    parameters=(
        _REDUCE,
        ParameterSpec("residuals", "no", "whether to sum residuals, by feature and in all", choices=("no", "yes")),
    ),
    max_batch_size=0,
)

SPECS = (FEATURES, SCORE, MAPS, RESIDUAL, INDEX)
