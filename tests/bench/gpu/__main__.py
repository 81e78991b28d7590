"""`make bench-gpu`: make the models, measure the services, write the page."""

import argparse
import datetime
import logging
import shutil
import sys
from pathlib import Path

import torch

import services  # noqa: F401  (the torchvision shim)
from tests.bench.gpu.deployment import write_profile
from tests.bench.gpu.fitting import fit
from tests.bench.gpu.machine import Machine
from tests.bench.gpu.making import REAL_BYTES, make, models_of
from tests.bench.gpu.measuring import measure
from tests.bench.gpu.page import page
from tests.bench.gpu.results import keep, keep_fit, kept, kept_fit
from tests.bench.gpu.sizes import REAL, TINY
from tests.bench.gpu.work import WORK, Plan

PAGE = Path(__file__).parents[3] / "docs/gpu-bench.md"
_HEADROOM = 1.05
log = logging.getLogger("bench-gpu")


def main(argv: list[str] | None = None) -> int:
    """Exit status: 2 where the machine cannot do it."""
    arguments = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    chosen = tuple(arguments.services.split(","))
    if unknown := set(chosen) - set(WORK):
        log.error("services: %s are none; there are %s", ", ".join(sorted(unknown)), ", ".join(WORK))
        return 2
    if not arguments.tiny and not torch.cuda.is_available() and not arguments.cpu:
        log.error("torch sees no GPU: try the way with --tiny, or give --cpu to wait for the real sizes on this one")
        return 2
    root = arguments.scratch / ("tiny" if arguments.tiny else "real")
    root.mkdir(parents=True, exist_ok=True)
    models = models_of(chosen)
    if not arguments.tiny and not _fits(models, root):
        return 2
    sizes = TINY if arguments.tiny else REAL
    plan = Plan((1, 4), 2, 64) if arguments.tiny else Plan((1, 8, 32), 3, 512)
    make(models, sizes, root)
    profile, machine = write_profile(root, sizes, "cpu" if arguments.tiny else "auto"), Machine.here()
    for service in chosen:
        log.info("measuring %s", service)
        keep(root, machine, measure(service, profile, sizes, plan, root / "logs"))
    if "vlm" in chosen and machine.accelerator and not arguments.tiny:
        log.info("too little memory for the vlm, on purpose")
        keep_fit(root, machine, fit(profile, sizes, plan.side, root / "logs"))
    text = page(machine, kept(root), datetime.date.today().isoformat(), arguments.tiny, kept_fit(root))
    target = arguments.page or (root / "gpu-bench.md" if arguments.tiny else PAGE)
    target.write_text(text, encoding="utf-8")
    log.info("written to %s", target)
    return 0


def _fits(models: list[str], root: Path) -> bool:
    """Tell the disk that is needed, and whether there is so much."""
    needed = sum(REAL_BYTES[name] for name in models if not (root / name).exists()) * _HEADROOM
    free = shutil.disk_usage(root).free
    log.info("models: %.1f GB to write to %s, %.1f GB are free", needed / 1e9, root, free / 1e9)
    if needed > free:
        log.error("too little room: give another --scratch, or fewer --services")
    return needed <= free


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU: the same code in a minute or two")
    parser.add_argument("--cpu", action="store_true", help="the real sizes even without a GPU")
    parser.add_argument("--services", default=",".join(WORK), help="by comma; figures of earlier runs are kept")
    parser.add_argument("--scratch", type=Path, default=Path("out/bench-gpu"), help="where models lie; may be deleted")
    parser.add_argument("--page", type=Path, help="file to write [default: docs/gpu-bench.md, or SCRATCH with --tiny]")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
