"""docs/gpu-bench.md."""

from collections.abc import Mapping

from tests.bench.gpu.fitting import Fit
from tests.bench.gpu.machine import Machine
from tests.bench.gpu.measuring import Measured
from tests.bench.gpu.work import NEW_TOKENS

_HEAD = """# The services on a GPU

Written by `make bench-gpu` (`python -m tests.bench.gpu`). Models of the published sizes with random weights – Gemma 3
4B, a TopK SAE 8192 × 1152 at block 16, Stable Diffusion 3.5 Medium with T5, Grounding DINO base with SAM 2.1 large,
CLIP ViT-L/14 – are made on the spot and served by the real services with the settings of the profile `gemma3-4b`, one
service at a time. Random weights compute as long as trained ones, with two differences: a random language model hardly
ever ends a text, so that every explanation runs to its {tokens} tokens; and fewer of a random SAE's features fire, so
that an index sends fewer maps.
"""
NOT_YET = "**Not yet run on a GPU:** no figures. `make bench-gpu` on a machine with one fills this page."


def page(machine: Machine, measured: Mapping[str, Measured], date: str, tiny: bool, fit: Fit | None = None) -> str:
    """The page; without an accelerator, or of the tiny models, it says so first."""
    head = _HEAD.format(tokens=NEW_TOKENS)
    if tiny:
        head += "\n**Tiny models on this machine, to try the way: no figures of the published sizes.**\n"
    elif not machine.accelerator:
        head += "\n**Measured on a CPU, not on a GPU.**\n"
    place = machine.accelerator or f"no accelerator ({machine.processor})"
    lines = [head, f"{date} · {place} · {machine.versions} · OMP_NUM_THREADS=1 per service", "", *_starts(measured), ""]
    return "\n".join([*lines, *_rates(measured), *(_fitting(fit) if fit else [])]) + "\n"


def empty_page() -> str:
    """The page before the first run."""
    return f"{_HEAD.format(tokens=NEW_TOKENS)}\n{NOT_YET}\n"


def _starts(measured: Mapping[str, Measured]) -> list[str]:
    rows = [
        f"| {one.service} | {one.start_seconds:.1f} | {_gib(one.device_peak)} | {_gib(one.device_reserved)} "
        f"| {_gib(one.host_peak)} |"
        for one in measured.values()
    ]
    head = "| service | ready after (s) | card, tensors at most (GiB) | card, reserved (GiB) | main memory (GiB) |"
    return [head, "|---|---|---|---|---|", *rows]


def _rates(measured: Mapping[str, Measured]) -> list[str]:
    rows = [
        f"| {one.service} | {rate.what} | {rate.detail} | {rate.per_second:.3g} {rate.unit}/s |"
        for one in measured.values()
        for rate in one.rates
    ]
    return ["| service | work | how | rate |", "|---|---|---|---|", *rows]


def _fitting(fit: Fit) -> list[str]:
    sizes = ", ".join(map(str, fit.portions)) or "no smaller ones"
    return [
        "",
        f"**Too little memory.** The vlm with `max_device_memory_gib = {fit.limit_gib:g}` and {fit.rows} rows of 5 "
        f"images each: what did not fit was halved ({fit.rows} → {sizes}), and all rows were answered in "
        f"{fit.first_seconds:.1f} s, the next {fit.rows} in {fit.again_seconds:.1f} s. **Idle** for "
        f"`idle_unload_seconds`, its tensors on the card fell from {_gib(fit.awake_bytes)} to "
        f"{fit.idle_bytes / 2**30:.2f} GiB; the next explanation, with the weights' way back, took "
        f"{fit.wake_seconds:.1f} s.",
    ]


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f}" if size else "–"
