"""Stable Diffusion 3 through diffusers."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from diffusers import StableDiffusion3Pipeline
from diffusers.utils import logging as diffusers_logging
from torch import nn
from transformers.utils import logging as transformers_logging

from services.generator.backend import Backend, Pixels
from services.generator.drawing import Drawing
from services.serving.device_modules import DeviceModules
from services.serving.errors import InvalidInputError, ServingError
from services.serving.portions import Portions
from services.serving.weights import Source

Offload = Literal["none", "model", "sequential"]


def load_pipeline(source: Source, *, t5: bool, device: str, dtype: torch.dtype, offload: Offload = "none") -> Any:
    """The Stable Diffusion 3 or 3.5 pipeline of `source`, on `device`.

    Without `t5` the third text encoder is left out (11 GB for the real model). `offload` keeps the parts in main
    memory: `model` moves one part at a time to the device, `sequential` one layer at a time; both need an accelerator.
    """
    absent: dict[str, None] = {"feature_extractor": None, "image_encoder": None}
    if not t5:
        # diffusers insists on being told that a part is absent.
        absent |= {"text_encoder_3": None, "tokenizer_3": None}
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()  # a service's log is read by machines
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        source.location, revision=source.revision, dtype=dtype, **absent
    )
    pipeline.set_progress_bar_config(disable=True)
    place = {
        "none": pipeline.to,
        "model": lambda target: pipeline.enable_model_cpu_offload(device=target),
        "sequential": lambda target: pipeline.enable_sequential_cpu_offload(device=target),
    }
    place[offload](device)
    return pipeline


def resident_parts(pipeline: Any, offload: Offload) -> DeviceModules:
    """What leaves the device while the service is idle: nothing where the parts wait in main memory anyway."""
    parts = pipeline.components.values() if offload == "none" else ()
    return DeviceModules(*(part for part in parts if isinstance(part, nn.Module)))


class DiffusionBackend(Backend):
    """Draws with a diffusers pipeline, `images_per_pass` at once; every image from a noise of its own."""

    warm_up_prompt = "a red circle"

    def __init__(
        self,
        pipeline: Any,
        drawing: Drawing,
        version: str,
        *,
        images_per_pass: int = 8,
        resident: DeviceModules | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._drawing = drawing
        self._portions = Portions(images_per_pass)
        self.version = version
        self.resident = resident
        self.facts = {
            "backend": "diffusers",
            "size": str(drawing.size),
            "steps": str(drawing.steps),
            "guidance": str(drawing.guidance),
        }

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance: float) -> Sequence[Pixels]:
        pixels = self.paint(prompts, seeds, steps, guidance)
        return list(np.rint(pixels * 255).astype(np.uint8))

    def paint(
        self, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance: float
    ) -> npt.NDArray[np.float32]:
        """The images before they are quantised: float32 [b, h, w, 3] in 0…1. Raises as `draw`."""
        if -1 < guidance < 0:
            raise InvalidInputError(f"guidance is {guidance}; it must be −1 (the service's setting) or at least 0")
        drawing = self._drawing.with_request(steps, guidance)
        asked = list(zip(prompts, seeds, strict=True))
        images = np.stack(self._portions.run(lambda portion: self._pass(portion, drawing), asked))
        if not np.isfinite(images).all():
            raise ServingError("the generator made pixels that are not finite; set its dtype to bfloat16 or float32")
        return images

    @torch.no_grad()
    def _pass(self, asked: Sequence[tuple[str, int]], drawing: Drawing) -> npt.NDArray[np.float32]:
        try:
            images = self._pipeline(
                prompt=[prompt for prompt, _ in asked],
                height=drawing.size,
                width=drawing.size,
                num_inference_steps=drawing.steps,
                guidance_scale=drawing.guidance,
                max_sequence_length=drawing.max_sequence_length,
                # The noise is drawn on the CPU, by a generator per image: the same on any device and in any batch.
                generator=[torch.Generator("cpu").manual_seed(seed) for _, seed in asked],
                output_type="np",
            ).images
        except Exception:
            # With offload a failed pass leaves the part that was at work on the device, in the way of the next pass.
            self._pipeline.maybe_free_model_hooks()
            raise
        return np.asarray(images, dtype=np.float32)
