"""Top images of all features: one sparse pass of the cut encoder against two dense passes of the whole one."""

from typing import Any

import numpy as np
import torch
from transformers import AutoModelForImageTextToText

from services.sae.checkpoint import load_checkpoint
from services.sae.loading import load
from services.sae.model import IndexModel
from services.sae.settings import SaeSettings
from services.sae.spec import IndexQuery
from services.serving.images import decode, to_png
from services.serving.profile import load_profile, resolve_path
from tests.bench.timing import Bench

IMAGES = 256
KEPT = 10


def indexing_bench() -> Bench:
    """256 random images through the microworld's SAE; thresholds as they stand in the middle of a set."""
    settings = SaeSettings(**load_profile("microworld").section("sae"))
    index = next(model for model in load(settings) if isinstance(model, IndexModel))
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 64, 64, 3), dtype=np.uint8)
    pictures = tuple(decode(to_png(one)) for one in pixels)
    dense = DenseLoop(settings, pixels)
    query = IndexQuery(pictures, dense.thresholds())
    return Bench(
        "top images and maps",
        "image",
        IMAGES,
        {
            "ours": lambda: index.run([query], {"reduce": "mean", "residuals": "no"}),
            "plain loop": dense.run,
            "bare model": dense.forward,
        },
    )


class DenseLoop:
    """What one writes first: dense codes [images, patches, s] for the scores, then again for the maps."""

    def __init__(self, settings: SaeSettings, pixels: np.ndarray) -> None:
        path, checkpoint = resolve_path(settings.model), load_checkpoint(resolve_path(settings.sae), "")
        vlm: Any = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).eval()
        self.tower = vlm.model.vision_tower
        self.layer, self.kept = checkpoint.layer or 0, checkpoint.kept
        self.weight, self.bias, self.b_dec = checkpoint.encoder_weight, checkpoint.encoder_bias, checkpoint.b_dec
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1)

    @torch.no_grad()
    def forward(self) -> list[torch.Tensor]:
        """The whole tower, 32 images at a time; the stream after the SAE's block."""
        return [
            self.tower(pixel_values=batch, output_hidden_states=True).hidden_states[self.layer + 1]
            for batch in self.images.split(32)
        ]

    @torch.no_grad()
    def codes(self) -> list[torch.Tensor]:
        coded = []
        for z in self.forward():
            pre = torch.relu((z - self.b_dec) @ self.weight.T + self.bias)
            value, place = pre.topk(self.kept, -1)
            coded.append(torch.zeros_like(pre).scatter_(-1, place, value))
        return coded

    def run(self) -> list[torch.Tensor]:
        scores = torch.cat([codes.mean(1) for codes in self.codes()])
        top = scores.topk(KEPT, 0).indices
        maps = torch.cat(self.codes())
        return [maps[top[:, feature], :, feature] for feature in range(maps.shape[-1])]

    def thresholds(self) -> np.ndarray:
        """Each feature's k-th best score."""
        scores = torch.cat([codes.mean(1) for codes in self.codes()])
        return scores.topk(KEPT, 0).values[-1].numpy().astype(np.float32)
