"""Top images of all features, and directions made of activations: one sparse pass of the cut encoder against dense
passes of the whole one. `python -m tests.bench.indexing` prints what the sums of residuals add to a pass."""

from functools import partial
from typing import Any

import numpy as np
import torch
from rich.console import Console
from transformers import AutoModelForImageTextToText

from services.sae.checkpoint import load_checkpoint
from services.sae.loading import load
from services.sae.model import IndexModel
from services.sae.settings import SaeSettings
from services.sae.spec import IndexQuery
from services.serving.images import decode, to_png
from services.serving.profile import load_profile, resolve_path
from tests.bench.timing import Bench, fastest

IMAGES = 256
KEPT = 10


def indexing_bench(residuals: str = "no") -> Bench:
    """256 random images through the microworld's SAE; thresholds as they stand in the middle of a set."""
    index, query, dense = _contestants()
    parameters = {"reduce": "mean", "residuals": residuals}
    return Bench(
        "top images and maps" if residuals == "no" else "the same, and sums of residuals",
        "image",
        IMAGES,
        {
            "ours": lambda: index.run([query], parameters),
            "plain loop": dense.run if residuals == "no" else dense.run_with_sums,
            "bare model": dense.forward,
        },
    )


def sums_bench() -> Bench:
    """Our pass with and without sums, side by side."""
    index, query, _ = _contestants()
    return Bench(
        "sums of residuals",
        "image",
        IMAGES,
        {name: partial(index.run, [query], {"reduce": "mean", "residuals": name}) for name in ("no", "yes")},
    )


def _contestants() -> tuple[IndexModel, IndexQuery, "DenseLoop"]:
    settings = SaeSettings(**load_profile("microworld").section("sae"))
    index = next(model for model in load(settings) if isinstance(model, IndexModel))
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 64, 64, 3), dtype=np.uint8)
    pictures = tuple(decode(to_png(one)) for one in pixels)
    dense = DenseLoop(settings, pixels)
    return index, IndexQuery(pictures, dense.thresholds()), dense


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

    def codes(self) -> list[torch.Tensor]:
        return [self.encode(z) for z in self.forward()]

    @torch.no_grad()
    def encode(self, z: torch.Tensor) -> torch.Tensor:
        pre = torch.relu((z - self.b_dec) @ self.weight.T + self.bias)
        value, place = pre.topk(self.kept, -1)
        return torch.zeros_like(pre).scatter_(-1, place, value)

    def run(self) -> list[torch.Tensor]:
        scores = torch.cat([codes.mean(1) for codes in self.codes()])
        top = scores.topk(KEPT, 0).indices
        maps = torch.cat(self.codes())
        return [maps[top[:, feature], :, feature] for feature in range(maps.shape[-1])]

    def run_with_sums(self) -> torch.Tensor:
        """A third pass for the activation-weighted sums of residuals [s, d]."""
        self.run()
        return torch.stack([torch.einsum("nps,npd->sd", self.encode(z), z) for z in self.forward()]).sum(0)

    def thresholds(self) -> np.ndarray:
        """Each feature's k-th best score."""
        scores = torch.cat([codes.mean(1) for codes in self.codes()])
        return scores.topk(KEPT, 0).values[-1].numpy().astype(np.float32)


def main() -> None:
    torch.set_num_threads(1)
    best = fastest(sums_bench(), turns=5)
    each = {name: 1000 * seconds / IMAGES for name, seconds in best.items()}
    Console().print(f"per image: {each['no']:.2f} ms, with sums {each['yes']:.2f} ms: {each['yes'] / each['no']:.2f}×")


if __name__ == "__main__":
    main()
