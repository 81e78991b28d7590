"""What each service is asked to do, and how fast it does it."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from services.clip import spec as clip
from services.generator import spec as generator
from services.sae import spec as sae
from services.segmenter import spec as segmenter
from services.serving.client import ServiceClient
from services.vlm import spec as vlm
from tests.bench.gpu.pictures import pictures
from tests.bench.gpu.sizes import Sizes

TIMEOUT = 900.0
NEW_TOKENS = 32
PROMPT = (
    "You are given an image highlighting a visual or semantic element. This element may range from a low-level visual "
    "feature to a high-level abstract concept. Your task is to describe this element in a single, clear sentence. "
    "Favor a more general interpretation. Start with: The highlighted element in the image is a"
)
TEXT = "a red bird on a branch"
_fresh = itertools.count(step=1000)
_rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Rate:
    """`per_second` of `unit` when `what` is done; `detail` says how it was asked for."""

    what: str
    detail: str
    unit: str
    per_second: float


@dataclass(frozen=True)
class Plan:
    """How much is done: `batches` of explanations tried, `repeat` calls timed after a first one, pixels of images."""

    batches: tuple[int, ...]
    repeat: int
    side: int


def timed(count: int, repeat: int, run: Callable[[], object]) -> float:
    """Items per second over `repeat` runs of `count` items, after a run that does not count."""
    run()
    started = time.perf_counter()
    for _ in range(repeat):
        run()
    return count * repeat / (time.perf_counter() - started)


def informed_rows(sizes: Sizes, side: int, count: int, images: int = 5) -> list[vlm.ExplainRow]:
    """Rows as Steering-informed Top-k asks them: `images` new images each, steered along a random direction."""
    return [_steered(sizes, pictures(images, side, next(_fresh))) for _ in range(count)]


def ask_explain(client: ServiceClient, rows: list[vlm.ExplainRow]) -> list[vlm.Explanation]:
    """The service's answers."""
    return client.infer(vlm.EXPLAIN, rows, timeout=TIMEOUT, parameters={"max_new_tokens": NEW_TOKENS})


def _steered(sizes: Sizes, images: list[bytes]) -> vlm.ExplainRow:
    direction = np.asarray(_rng.normal(size=sizes.gemma_vision["hidden_size"]), np.float32)
    return vlm.ExplainRow(PROMPT, tuple(images), direction / np.linalg.norm(direction), 1.0, "addition")


def explaining(client: ServiceClient, sizes: Sizes, plan: Plan) -> Iterator[Rate]:
    """Steering on the blank image at several batch sizes, then five images at once."""
    blank = pictures(1, plan.side, next(_fresh))

    def steer(batch: int) -> object:
        return ask_explain(client, [_steered(sizes, blank) for _ in range(batch)])

    for batch in plan.batches:
        rate = timed(batch, plan.repeat, lambda batch=batch: steer(batch))  # type: ignore[misc]
        yield Rate("steering", f"one image, {batch} a batch, {NEW_TOKENS} tokens", "explanations", rate)
    batch = min(8, max(plan.batches))
    rate = timed(batch, plan.repeat, lambda: ask_explain(client, informed_rows(sizes, plan.side, batch)))
    yield Rate("steering-informed top-k", f"5 new images, {batch} a batch, {NEW_TOKENS} tokens", "explanations", rate)


def indexing(client: ServiceClient, sizes: Sizes, plan: Plan) -> Iterator[Rate]:
    """The pass of an index, with thresholds as they stand early in a set, and maps of one feature."""
    batch, size = 16, sizes.sae[0]
    first = [sae.ScoreRow(image) for image in pictures(batch, plan.side, next(_fresh))]
    scores = client.infer(sae.SCORE, first, timeout=TIMEOUT)
    thresholds = np.stack([one.score for one in scores]).max(axis=0)

    def index(residuals: str) -> object:
        query = sae.IndexQuery(tuple(pictures(batch, plan.side, next(_fresh))), thresholds)
        return client.infer(sae.INDEX, [query], timeout=TIMEOUT, parameters={"residuals": residuals})

    for residuals in ("no", "yes"):
        rate = timed(batch, plan.repeat, lambda residuals=residuals: index(residuals))  # type: ignore[misc]
        yield Rate("index", f"{batch} a batch, residual sums: {residuals}", "images", rate)

    def maps() -> object:
        rng = np.random.default_rng(0)
        rows = [sae.MapRow(image, rng.integers(size, size=1)) for image in pictures(batch, plan.side, next(_fresh))]
        return client.infer(sae.MAPS, rows, timeout=TIMEOUT)

    yield Rate("maps of one feature", f"{batch} a batch", "images", timed(batch, plan.repeat, maps))


def generating(client: ServiceClient, sizes: Sizes, plan: Plan) -> Iterator[Rate]:
    """N images of one text, and as many as one pass of the profile takes."""
    for batch in (3, 8):
        rows = [generator.GenerateRow(f"A realistic image of {TEXT}", seed) for seed in range(batch)]
        rate = timed(batch, plan.repeat, lambda rows=rows: client.infer(generator.GENERATE, rows, timeout=TIMEOUT))  # type: ignore[misc]
        yield Rate("generate", f"{sizes.image} px, {sizes.steps} steps, {batch} a batch", "images", rate)


def segmenting(client: ServiceClient, _sizes: Sizes, plan: Plan) -> Iterator[Rate]:
    """Images that SAM has not seen, then other texts on images whose embeddings it holds."""
    batch = 8

    def ask(images: list[bytes], text: str) -> object:
        return client.infer(segmenter.SEGMENT, [segmenter.SegmentRow(image, text) for image in images], timeout=TIMEOUT)

    rate = timed(batch, plan.repeat, lambda: ask(pictures(batch, plan.side, next(_fresh)), TEXT))
    yield Rate("segment", f"new images, 4 boxes each, {batch} a batch", "segmentations", rate)
    known = pictures(batch, plan.side, next(_fresh))
    rate = timed(batch, plan.repeat, lambda: ask(known, TEXT))
    yield Rate("segment", f"known images, 4 boxes each, {batch} a batch", "segmentations", rate)


def embedding(client: ServiceClient, _sizes: Sizes, plan: Plan) -> Iterator[Rate]:
    """CLIP's texts and images."""
    batch = 64
    texts = [clip.TextRow(f"{TEXT} {number}") for number in range(batch)]
    rate = timed(batch, plan.repeat, lambda: client.infer(clip.TEXT, texts, timeout=TIMEOUT))
    yield Rate("embed texts", f"{batch} a batch", "texts", rate)
    images = [clip.ImageRow(image) for image in pictures(batch, plan.side, next(_fresh))]
    rate = timed(batch, plan.repeat, lambda: client.infer(clip.IMAGE, images, timeout=TIMEOUT))
    yield Rate("embed images", f"{batch} a batch", "images", rate)


WORK: Mapping[str, Callable[[ServiceClient, Sizes, Plan], Iterator[Rate]]] = {
    "vlm": explaining,
    "sae": indexing,
    "generator": generating,
    "segmenter": segmenting,
    "clip": embedding,
}
