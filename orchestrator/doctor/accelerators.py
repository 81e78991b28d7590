"""Checks of cards, of the torch that uses them, and of the memory that a profile needs of each."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, bad, ok, warn
from orchestrator.doctor.gpus import Gpu

_CONTEXT_GIB = 0.5  # of a process that uses CUDA, whatever it computes
_CUDA = re.compile(r"cuda(?::(\d+))?$")


def check_gpus(context: Context) -> Iterator[Finding]:
    """The cards that there are."""
    for gpu in context.gpus:
        yield ok("gpu", f"{gpu.number}: {gpu.name}, {gpu.memory:.0f} GiB ({gpu.used:.0f} used), driver {gpu.driver}")
    if not context.gpus:
        if _demands(context):
            remedy = "run this profile on a machine with an NVIDIA card and its driver, or the profile microworld here"
            yield bad("gpu", "nvidia-smi finds no card", remedy)
        else:
            yield ok("gpu", "none, and none is needed")


def check_torch(context: Context) -> Iterator[Finding]:
    """The services' torch, and whether it can use the cards."""
    torch = context.torch
    if torch is None:
        yield bad("torch", "not installed", "pip install 'steerscope[all]', or `make env` in the repository")
    elif torch.error:
        yield bad("torch", f"{torch.version} cannot be imported: {torch.error}", "install it again: `make env`")
    elif context.gpus and not torch.cuda:
        remedy = f"pip install torch=={torch.version.split('+')[0]} --index-url https://download.pytorch.org/whl/cu128"
        yield bad("torch", f"{torch.version} is a build for CPUs, and there are cards", remedy)
    elif context.gpus and not torch.cards:
        remedy = "update the driver, or install a torch that is built for an older CUDA; look at CUDA_VISIBLE_DEVICES"
        yield bad("torch", f"{torch.version} for CUDA {torch.cuda} sees no card", remedy)
    else:
        yield ok(
            "torch", f"{torch.version}, {f'CUDA {torch.cuda}, {torch.cards} cards' if torch.cuda else 'CPU build'}"
        )


def check_card_memory(context: Context) -> Iterator[Finding]:
    """What the services need of each card, by the profile's [needs], against what it has."""
    if not context.gpus or not _demands(context):
        return
    cards = {gpu.number: gpu for gpu in context.gpus}
    for number, needs in sorted(_by_card(context).items()):
        card = cards.get(number)
        if card is None:
            names = ", ".join(needs)
            yield bad("card memory", f"{names}: there is no card {number}", "set `device` to one that there is")
        else:
            yield _fits(context, card, needs)


def _fits(context: Context, card: Gpu, needs: Mapping[str, float]) -> Finding:
    total = sum(needs.values()) + _CONTEXT_GIB * len(needs)
    parts = ", ".join(f"{name} {need:g}" for name, need in needs.items())
    text = f"card {card.number} has {card.memory:.0f} GiB; computed need {total:.0f}: {parts}"
    if total <= card.memory:
        return ok("card memory", text)
    leaves = [name for name in needs if context.setting(name, "idle_unload_seconds")]
    largest = max(needs.values()) + _CONTEXT_GIB * len(needs)
    if leaves and largest <= card.memory:
        return warn("card memory", text, f"{', '.join(leaves)} leave it when idle; batches are halved until they fit")
    spread = 'device = "cuda:1" in a section, ' if len(context.gpus) > 1 else ""
    return bad("card memory", text, f"{spread}a smaller profile (one-card), or idle_unload_seconds in the sections")


def _by_card(context: Context) -> Mapping[int, dict[str, float]]:
    """Card → service → GiB. A service whose weights are spread over cards (`device_map`) is left to transformers."""
    by_card: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for service in context.services:
        need, device = context.needs.of(service).memory, str(context.setting(service, "device") or "auto")
        found = _CUDA.match(device)
        if need and (found or device == "auto") and not context.setting(service, "device_map"):
            by_card[int(found[1] or 0) if found else 0][service] = float(
                context.setting(service, "max_device_memory_gib") or need
            )
    return by_card


def _demands(context: Context) -> bool:
    """Whether the profile says that a service needs a card."""
    return any(context.needs.of(service).memory for service in context.services)
