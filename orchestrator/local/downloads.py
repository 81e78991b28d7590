"""How much of the hub's files is on the way: what a service that loads for minutes is waiting for."""

import os
from pathlib import Path

_UNFINISHED = "models--*/blobs/*.incomplete"


def hub_cache() -> Path:
    """Where the services keep what they download: HF_HUB_CACHE, else below HF_HOME."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def arriving(cache: Path) -> int:
    """Bytes of files whose download has begun and not ended."""
    total = 0
    for file in cache.glob(_UNFINISHED):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # it has just ended
            continue
    return total
