"""`python -m tests.simulation.service vlm --port 8001 --latency-ms 200`: one simulated service, in the real shell."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.serving.describe import SERVICES, all_specs
from services.serving.model import ServedModel
from services.serving.run import main as serve
from tests.simulation import judges, sae, vlm
from tests.simulation.settings import SimulatedSettings, settings_of

PROFILE = Path(__file__).with_name("profile.toml")
LOADERS: dict[str, Callable[[SimulatedSettings], Sequence[ServedModel[Any, Any]]]] = {
    "vlm": vlm.load,
    "sae": sae.load,
    "generator": judges.load_generator,
    "segmenter": judges.load_segmenter,
    "clip": judges.load_clip,
}
_OWN = ("latency_ms", "row_latency_ms", "features", "dead_every", "max_batch_size")


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM. What it does not know itself goes to the shell's command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.service",
        description="A model service that answers from the content of the rows, after a given time.",
        epilog="Example: python -m tests.simulation.service vlm --port 8001 --latency-ms 200 --max-batch-size 8\n"
        "Settings from the environment work as for real services: STEERSCOPE_VLM_LATENCY_MS=200. The options of the "
        "shell (--host, --port, --metrics-port, --profile) are taken as well.",
    )
    parser.add_argument("service", choices=SERVICES)
    for name in _OWN:
        field = SimulatedSettings.model_fields[name]
        parser.add_argument(f"--{name.replace('_', '-')}", help=f"{field.description} (default: {field.default})")
    given, rest = parser.parse_known_args(arguments)
    for name in _OWN:
        if getattr(given, name) is not None:
            os.environ[f"STEERSCOPE_{given.service.upper()}_{name.upper()}"] = getattr(given, name)
    settings = settings_of(given.service)
    rest = ["--profile", str(PROFILE), *rest]
    return serve(given.service, settings, LOADERS[given.service], all_specs()[given.service], rest)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
