"""What the trainers share: optimisers and schedule, progress, seeds, safe saving, figures."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from services.microworld.seeds import generator

WEIGHTS = Path(__file__).parents[1] / "weights"
SAVE_EVERY = 300  # steps between saves of unfinished weights


def prepare(seed: int) -> np.random.Generator:
    """One thread, flushed denormals, seeded torch; returns the numpy generator of the run.

    One thread, because two torch processes with two threads each on two cores are ~100 times slower.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    return generator("train", seed)


def mixed_precision() -> torch.autocast:
    """bfloat16 where this CPU computes in it (from AVX-512 on); else float32: emulated, a convolution takes 50 times as
    long (measured on AVX2)."""
    return torch.autocast("cpu", torch.bfloat16, enabled=_fast_in_bfloat16())


def _fast_in_bfloat16() -> bool:
    return torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AMX"))


def to_pixels(images: NDArray[np.float32]) -> Tensor:
    """Images [n, h, w, 3] in 0..1 as a tensor [n, 3, h, w] in -1..1 (mean = std = .5)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))) * 2 - 1


def cosine(step: int, steps: int, warmup: int = 100, floor: float = 0.02) -> float:
    """Learning-rate factor: linear warm-up, then cosine down to `floor` at the last step."""
    warm = min(1.0, (step + 1) / max(1, min(warmup, steps // 4)))
    return warm * ((1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))) + floor)


def in_layers(name: str, parameter: nn.Parameter) -> bool:
    """The default choice of what Muon trains: the matrices inside layers and blocks."""
    return parameter.ndim == 2 and any(part in name for part in ("layers.", "blocks.", "resblocks."))


class Optimizers:
    """Muon on the layers' matrices and AdamW on everything else, stepped together."""

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        *,
        lr: float = 1.5e-3,
        muon_lr: float = 0.02,
        weight_decay: float = 0.02,
        matrix: Callable[[str, nn.Parameter], bool] = in_layers,
    ) -> None:
        trained = [(name, p) for name, p in named if p.requires_grad]
        matrices = [p for name, p in trained if matrix(name, p)]
        rest = [p for name, p in trained if not matrix(name, p)]
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.98), weight_decay=0.0)
        ]
        if matrices:
            self._optimizers.append(
                torch.optim.Muon(
                    matrices, lr=muon_lr, momentum=0.95, weight_decay=weight_decay, adjust_lr_fn="original"
                )
            )
        self._base = [optimizer.param_groups[0]["lr"] for optimizer in self._optimizers]
        self._parameters = [p for _, p in trained]

    def step(self, loss: Tensor, factor: float, clip: float = 1.0) -> None:
        """Back-propagate, clip the gradient's norm, step with the learning rates times `factor`, clear gradients."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, clip)
        for optimizer, base in zip(self._optimizers, self._base, strict=True):
            optimizer.param_groups[0]["lr"] = base * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


class Progress:
    """Counts steps on a tqdm bar that shows smoothed losses; `seconds` is the time since it was made."""

    def __init__(self, steps: int, label: str) -> None:
        self._bar = tqdm(total=steps, desc=label, mininterval=10, smoothing=0.05)
        self._mean: dict[str, float] = {}
        self._start = time.perf_counter()
        self.steps = steps

    def __iter__(self) -> Iterator[int]:
        for step in range(self.steps):
            yield step
            self._bar.update()
        self._bar.close()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    def log(self, **losses: float | Tensor) -> None:
        """Fold these losses into the running means that the bar shows."""
        for name, value in losses.items():
            now = float(value)
            self._mean[name] = 0.97 * self._mean.get(name, now) + 0.03 * now
        self._bar.set_postfix({k: f"{v:.3f}" for k, v in self._mean.items()}, refresh=False)


def replace_files(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary folder, then move its files into `folder` one by one, each atomically.

    Whoever reads the folder meanwhile sees whole files; files that `write` does not make stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        source = Path(scratch)
        write(source)
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.chmod(0o644)  # safetensors writes for the owner only
            path.replace(target)


def bfloat16_state(module: nn.Module) -> dict[str, Tensor]:
    """The state dict with floating tensors in bfloat16 (copies: training goes on in float32)."""
    return {
        name: value.detach().to(torch.bfloat16).contiguous() if value.is_floating_point() else value.detach().clone()
        for name, value in module.state_dict().items()
    }


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys and a final newline, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    scratch.replace(path)


def write_figures(folder: Path, figures: dict[str, float], **recipe: float | str) -> None:
    """Write `figures.json`: held-out figures, and the recipe's numbers (steps, seed, seconds) beside them."""
    rounded = {name: round(float(value), 4) for name, value in figures.items()}
    write_json(folder / "figures.json", {"figures": rounded, "recipe": dict(recipe)})
