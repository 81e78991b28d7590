"""Jobs that nobody ran: as many features as wanted, with images, indexes, texts and scores of the right shape."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.index.plan import IndexPlan
from orchestrator.index.record import IndexRecord, publish
from orchestrator.index.topk import TopTable
from orchestrator.store import ARRAYS, JSON, ArtifactStore
from protos.v1.results_pb2 import FeatureResult, GeneratedImages, Provenance, Score, TopImage, VariantResult
from services.imagesets import digest_of_bytes
from services.serving.images import to_png

GRID = (8, 8)
IMAGES, REFERENCE, TOP = 24, 64, 5
METHODS = {
    "steering": 0.5,
    "topk_masks": 0.55,
    "topk_heatmaps": 0.57,
    "informed_masks": 0.63,
    "informed_heatmaps": 0.66,
    "control_random": 0.1,
    "truth": 0.8,
}
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "teal")
TEXTURES = ("striped", "dotted", "plain", "checked", "wavy")
SHAPES = ("star", "circle", "triangle", "cross", "ring", "square", "heart", "arrow", "moon")


@dataclass(frozen=True)
class Made:
    """A job's results over a store that holds its images."""

    store: ArtifactStore
    results: list[FeatureResult]


def make(folder: Path, features: int, seed: int = 0, texts: dict[int, str] | None = None) -> Made:
    """A job; `texts` puts given words into some features' informed explanations."""
    store = ArtifactStore(str(folder / "artifacts"))
    indexes = {part: _index(store, folder / part, part, features, seed) for part in ("explain", "test")}
    drawn = [store.put(to_png(_picture(100 + number)), ".png") for number in range(6)]
    rng = np.random.default_rng(seed)
    results = [_result(feature, rng, indexes, drawn, (texts or {}).get(feature)) for feature in range(features)]
    return Made(store, results)


def _picture(seed: int) -> np.ndarray:
    """A blob of one colour on another, uint8 [64, 64, 3]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64]
    middle, radius = rng.integers(20, 44, 2), rng.integers(8, 20)
    inside = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < radius**2
    ground, figure = rng.integers(120, 255, 3), rng.integers(0, 200, 3)
    return np.where(inside[..., None], figure, ground).astype(np.uint8)


def _index(store: ArtifactStore, folder: Path, name: str, features: int, seed: int) -> str:
    folder.mkdir(parents=True)
    names, digests = [], []
    for number in range(IMAGES):
        data = to_png(_picture(number + (1000 if name == "test" else 0)))
        names.append(f"{number:03}.png")
        digests.append(digest_of_bytes(data))
        (folder / names[-1]).write_bytes(data)
    rng = np.random.default_rng(seed + 1)
    scores = np.maximum(rng.normal(-0.2, 0.5, (REFERENCE, features)), 0).astype(np.float32)
    arrays = TopTable.empty().arrays() | {
        "digests": np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32),
        "reference": scores,
        "reference_images": np.zeros(REFERENCE, np.int64),
    }
    plan = IndexPlan(
        name=name,
        root=str(folder),
        listing=store.put(JSON.encode(names), ".json"),
        images=IMAGES,
        shard_size=IMAGES,
        batch=8,
        top_k=TOP,
        reduce="mean",
        reference=REFERENCE,
        seed=0,
        dict_size=features,
        grid=f"{GRID[0]}x{GRID[1]}",
        layer=2,
        subject_digest="made",
        models={},
    )
    address = store.put(ARRAYS.encode(arrays))
    record = IndexRecord.make(plan, set_hash=f"set of {name}", unreadable=(), arrays=address, residuals="")
    publish(store, record)
    return record.id


def _words(rng: np.random.Generator) -> str:
    return f"a {rng.choice(TEXTURES)} {rng.choice(COLOURS)} {rng.choice(SHAPES)}"


def _result(
    feature: int, rng: np.random.Generator, indexes: dict[str, str], drawn: list[str], text: str | None
) -> FeatureResult:
    truth = _words(rng)
    result = FeatureResult(
        feature=feature,
        alive=True,
        frequency=float(rng.uniform(0.001, 0.2)),
        outcome="ok",
        validation=feature % 50 == 49,
        provenance=Provenance(
            models={"sae.features": "sae-1", "vlm.explain": "vlm-1"},
            sets={"explain": "set of explain", "test": "set of test"},
            seed=7,
            software="steerscope made up",
            settings={
                "explain_index": indexes["explain"],
                "test_index": indexes["test"],
                "heatmap_strength": "0.75",
                "heatmap_interpolation": "bilinear",
                "steering.alpha": "4.0",
                "steering.unit": "norm",
                "informed.alpha": "1.0",
                "informed.unit": "norm",
            },
        ),
        stage_seconds={"explain": 0.4, "score": 0.2},
    )
    result.explain_images.extend(_tops(rng))
    result.test_images.extend(_tops(rng))
    for method, level in METHODS.items():
        said = truth if rng.random() < level else _words(rng)
        if text is not None and method.startswith("informed"):
            said = text
        result.variants.append(_variant(method, said, level, rng, drawn))
    if feature % 11 == 10:  # what went wrong must be seen as well
        result.variants[0].text = result.variants[0].raw_text = ""
        result.variants[0].outcome, result.variants[0].reason = "failed", "vlm: the model gave no answer"
    return result


def _tops(rng: np.random.Generator) -> list[TopImage]:
    images = rng.choice(IMAGES, TOP, replace=False)
    scores = np.sort(rng.uniform(0.3, 2.5, TOP))[::-1]
    found = []
    for image, score in zip(images.tolist(), scores.tolist(), strict=True):
        positions = np.sort(rng.choice(GRID[0] * GRID[1], 12, replace=False))
        values = rng.uniform(0.2, 3, 12).tolist()
        found.append(
            TopImage(image=image, score=score, path=f"{image:03}.png", positions=positions.tolist(), values=values)
        )
    return found


def _variant(method: str, text: str, level: float, rng: np.random.Generator, drawn: list[str]) -> VariantResult:
    result = VariantResult(
        variant=method, outcome="ok", text=text, raw_text=f"The highlighted element in the image is {text}", tokens=9
    )
    result.logprob = float(-rng.uniform(0.1, 2))
    spread = rng.normal(0, 0.12, 4)
    values = {
        "iou": np.clip(level * 0.6 + spread[0], 0.01, 0.99),
        "clip": np.clip(0.3 + level * 0.3 + spread[1], 0.01, 0.99),
        "synthetic_activation": max(0.01, level * 3 + 4 * spread[2]),
        "auroc": np.clip(0.45 + level * 0.6 + spread[3], 0.01, 1.0),
    }
    for name, value in values.items():
        result.scores[name].CopyFrom(Score(outcome="ok", value=float(value), parts=[float(value)] * 3))
    if rng.random() < 0.05:
        result.scores["iou"].CopyFrom(Score(outcome="failed", reason="segmenter: out of memory"))
    images = rng.choice(len(drawn), 3, replace=False)
    result.generated["learned"].CopyFrom(
        GeneratedImages(
            artifacts=[drawn[image] for image in images],
            seeds=[2**60 + int(image) for image in images],
            activations=rng.uniform(0, 3, 3).tolist(),
        )
    )
    return result
