"""Which torch the services would use. Asked of a process of its own: the orchestrator does not import torch."""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

_TIMEOUT = 120
_ASK = (
    "import json, torch; print(json.dumps([torch.version.cuda or '', "
    "torch.cuda.is_available() and torch.cuda.device_count() or 0]))"
)


@dataclass(frozen=True)
class TorchBuild:
    """`cuda` is the CUDA it was built for ("": a CPU build), `cards` how many cards it can use, `error` what broke."""

    version: str
    cuda: str = ""
    cards: int = 0
    error: str = ""


def torch_build() -> TorchBuild | None:
    """None where torch is not installed."""
    try:
        found = version("torch")
    except PackageNotFoundError:
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=_TIMEOUT, check=True
        )
        cuda, cards = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        return TorchBuild(found, error=(error.stderr.strip().splitlines() or ["it ended without a word"])[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        return TorchBuild(found, error=str(error))
    return TorchBuild(found, str(cuda), int(cards))
