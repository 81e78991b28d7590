"""Steering explanations: rows in batches on a cached prefix against a hook and a generate per feature."""

from typing import Any

import numpy as np
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from services.serving.images import decode, pixels_of, to_ppm
from services.serving.profile import load_profile, resolve_path
from services.vlm.loading import load
from services.vlm.settings import VlmSettings
from services.vlm.spec import ExplainRow
from tests.bench.timing import Bench

FEATURES = 64
NEW_TOKENS = 16


def steering_bench() -> Bench:
    """64 features, one blank image, the microworld's explainer."""
    settings = VlmSettings(**load_profile("microworld").section("vlm"))
    explain = load(settings)[0]
    prompt = load_prompt()
    blank = decode(to_ppm(np.full((64, 64, 3), 255, np.uint8)))
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(FEATURES, int(explain.facts["activation_dim"]))).astype(np.float32)
    rows = [ExplainRow(prompt, (blank,), direction, 1.0, "addition") for direction in directions]
    plain = PlainLoop(resolve_path(settings.model), settings.layer, prompt, pixels_of(blank))
    return Bench(
        "steering explanations",
        "feature",
        FEATURES,
        {
            "ours": lambda: explain.run(rows, {"max_new_tokens": NEW_TOKENS}),
            "plain loop": lambda: plain.run(directions),
            "bare model": lambda: plain.bare(FEATURES),
        },
    )


def load_prompt() -> str:
    from pathlib import Path

    folder = Path(resolve_path(load_profile("microworld").section("jobs")["prompts"]))
    return (folder / "steering.txt").read_text(encoding="utf-8").strip()


class PlainLoop:
    """What one writes first: the whole model from pixels to text for every feature, steered by a forward hook."""

    def __init__(self, path: str, layer: int, prompt: str, image: np.ndarray) -> None:
        self.model: Any = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).eval()
        processor = AutoProcessor.from_pretrained(path)
        content = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
        self.inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        self.block = self.model.model.vision_tower.encoder.layers[layer]

    def run(self, directions: np.ndarray) -> None:
        for direction in torch.from_numpy(directions):
            hook = self.block.register_forward_hook(lambda _module, _args, out, d=direction: _add(out, d))
            self._generate(self.inputs)
            hook.remove()

    def bare(self, rows: int) -> None:
        """One batch through the untouched model, without steering."""
        self._generate({name: tensor.repeat_interleave(rows, 0) for name, tensor in self.inputs.items()})

    @torch.no_grad()
    def _generate(self, inputs: Any) -> None:
        self.model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)


def _add(output: Any, direction: torch.Tensor) -> Any:
    return (output[0] + direction, *output[1:]) if isinstance(output, tuple) else output + direction
