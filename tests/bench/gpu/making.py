"""Makes the models of a service in a folder, once; what is there already stays."""

import gc
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from tests.bench.gpu.drawer import save_pipeline
from tests.bench.gpu.explainer import save_gemma, save_sae
from tests.bench.gpu.finder import save_dino, save_sam
from tests.bench.gpu.scorer import save_clip
from tests.bench.gpu.sizes import Sizes

log = logging.getLogger(__name__)
Save = Callable[[Sizes, Path], None]

MODELS: Mapping[str, Save] = {
    "gemma": save_gemma,
    "sae": save_sae,
    "sd35": save_pipeline,
    "dino": save_dino,
    "sam": save_sam,
    "clip": save_clip,
}
HALF = ("gemma", "sd35")  # saved in bfloat16, as published; the others in float32
NEEDED = {"vlm": ("gemma",), "sae": ("gemma", "sae"), "generator": ("sd35",), "segmenter": ("dino", "sam")}
NEEDED |= {"clip": ("clip",)}
# Of the models of the real sizes, in bytes: parameters × bytes as they are saved.
REAL_BYTES = {"gemma": 4.300e9 * 2, "sae": 8192 * 1152 * 2 * 4, "sd35": 8.135e9 * 2, "dino": 0.232e9 * 4}
REAL_BYTES |= {"sam": 0.224e9 * 4, "clip": 0.428e9 * 4}


def models_of(services: tuple[str, ...]) -> list[str]:
    """The models that these services need, each once."""
    return list(dict.fromkeys(model for service in services for model in NEEDED[service]))


def make(models: list[str], sizes: Sizes, root: Path) -> None:
    """Random weights of a fixed seed. A model that was interrupted half way is made again."""
    for name in models:
        folder = root / name
        if folder.exists():
            continue
        started = root / f"{name}.making"
        shutil.rmtree(started, ignore_errors=True)
        started.mkdir(parents=True)
        log.info("making %s", name)
        with _building(torch.bfloat16 if name in HALF else torch.float32):
            MODELS[name](sizes, started)
        started.rename(folder)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@contextmanager
def _building(dtype: torch.dtype) -> Iterator[None]:
    """New tensors are of `dtype` and, where there is one, on the accelerator: 8 G random numbers take a CPU minutes."""
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            yield
    finally:
        torch.set_default_dtype(before)
