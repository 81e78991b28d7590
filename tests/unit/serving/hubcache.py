"""A cache of the Hugging Face hub as a download leaves it, so that pinned models can be loaded offline."""

from pathlib import Path

import pytest

PINNED = "c0ffee" + 34 * "0"
NEWEST = "badbad" + 34 * "0"


def cached(monkeypatch: pytest.MonkeyPatch, cache: Path, name: str, pinned: Path, newest: Path | None = None) -> str:
    """Put `pinned` into `cache` as `name` at the commit PINNED, `newest` as what main points to; returns the pinned id.

    Without `newest` the main branch was never downloaded: what forgets the revision finds nothing.
    """
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / PINNED).symlink_to(pinned)
    if newest is not None:
        (repository / "snapshots" / NEWEST).symlink_to(newest)
        (repository / "refs" / "main").write_text(NEWEST)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return f"{name}@{PINNED}"
