"""The generator as files: a `StableDiffusion3Pipeline` folder in bfloat16, and how it is loaded and called."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline
from numpy.typing import NDArray
from transformers import CLIPTokenizer

from services.microworld import world
from services.microworld.training.common import replace_files, write_json

from .denoiser import ZERO_TOKENS, Denoiser

SHIFT: Final = 2.0  # of the sampler's noise levels towards noise
SETTINGS: Final[dict[str, float]] = {
    "guidance": 3.0,
    "max_sequence_length": ZERO_TOKENS,
    "size": world.SIZE,
    "steps": 20,
}
ABSENT: Final = {"text_encoder_3": None, "tokenizer_3": None, "feature_extractor": None, "image_encoder": None}


def save_pipeline(denoiser: Denoiser, vae: AutoencoderKL, tokenizer: CLIPTokenizer, out: Path) -> None:
    """Write the pipeline in bfloat16 and `steerscope.json` (how to call it), file by file, each atomically."""

    def write(folder: Path) -> None:
        # Copies, since training goes on in float32.
        vae_copy = copy.deepcopy(vae).to(memory_format=torch.contiguous_format)
        pipeline = StableDiffusion3Pipeline(
            transformer=copy.deepcopy(denoiser.transformer).to(torch.bfloat16),
            scheduler=FlowMatchEulerDiscreteScheduler(shift=SHIFT),
            vae=vae_copy.to(torch.bfloat16),
            text_encoder=copy.deepcopy(denoiser.text_encoder).to(torch.bfloat16),
            tokenizer=tokenizer,
            text_encoder_2=copy.deepcopy(denoiser.text_encoder_2).to(torch.bfloat16),
            tokenizer_2=tokenizer,
            **ABSENT,
        )
        pipeline.save_pretrained(folder)
        for name in ("text_encoder", "text_encoder_2"):
            # transformers computes in the dtype of the config unless told otherwise, diffusers in float32: say float32.
            config = folder / name / "config.json"
            write_json(config, json.loads(config.read_text(encoding="utf-8")) | {"dtype": "float32"})
        write_json(folder / "steerscope.json", SETTINGS)

    replace_files(out, write)


def load_pipeline(folder: Path) -> Any:
    """The saved pipeline in float32, without a progress bar."""
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder, dtype=torch.float32, **ABSENT)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def read_settings(folder: Path) -> dict[str, Any]:
    """`steerscope.json`: steps, guidance, size, max_sequence_length."""
    settings: dict[str, Any] = json.loads((folder / "steerscope.json").read_text(encoding="utf-8"))
    return settings


def generate(
    pipeline: Any, texts: Sequence[str], seeds: Sequence[int], settings: dict[str, Any], batch: int = 64
) -> NDArray[np.float32]:
    """One image per text, [n, 64, 64, 3] in 0..1; an image depends on its own text and seed only."""
    parts = []
    for start in range(0, len(texts), batch):
        rows = slice(start, start + batch)
        result = pipeline(
            list(texts[rows]),
            num_inference_steps=settings["steps"],
            guidance_scale=settings["guidance"],
            max_sequence_length=settings["max_sequence_length"],
            height=settings["size"],
            width=settings["size"],
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[rows]],
            output_type="np",
        )
        parts.append(np.asarray(result.images, np.float32))
    return np.concatenate(parts)
