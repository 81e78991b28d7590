"""The state of an unfinished run on the disk: written atomically, the last two kept, for this very run only."""

import fcntl
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from services.sae.training.errors import TrainingError
from services.sae.training.writing import replacing, write_json

_KEPT = 2
_RUN = "run.json"
logger = logging.getLogger(__name__)


class Checkpoints:
    """The folder `checkpoints` of a run; one process at a time."""

    def __init__(self, out: Path) -> None:
        """Take the folder until the process ends. Raises TrainingError: taken, or another SAE lies in `out`."""
        self.folder = out / "checkpoints"
        if (out / "ae.pt").exists() and not (self.folder / _RUN).exists():
            raise TrainingError(f"--out: {out} holds an SAE that was not trained here; name another folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TrainingError(f"--out: {out} is being written by another process; wait for it or end it") from error

    def agree(self, identity: Mapping[str, Any]) -> None:
        """Refuse to go on with another run's checkpoints. Keys that only one side knows are not compared."""
        file = self.folder / _RUN
        if not file.exists():
            return
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = [name for name in identity if name in before and before[name] != identity[name]]
        if changed:
            told = ", ".join(f"{name} was {before[name]}, is {identity[name]}" for name in sorted(changed))
            raise TrainingError(f"--out: holds a run of other settings ({told}); give the same, or name another folder")

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Note whose checkpoints these are."""
        self.agree(identity)
        write_json(self.folder / _RUN, dict(identity))

    def write(self, step: int, state: Mapping[str, Any]) -> None:
        """Keep the state after `step` steps."""
        with replacing(self.folder / f"step-{step:09d}.pt") as file:
            torch.save(dict(state), file)
        for old in self._files()[:-_KEPT]:
            old.unlink()

    def newest(self) -> dict[str, Any] | None:
        """The newest state on the CPU that can be read, or None."""
        for file in reversed(self._files()):
            try:
                state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            except Exception as error:  # unpickling raises anything on damaged bytes
                logger.warning("%s cannot be read (%s): the one before it is taken", file, error)
                continue
            return state
        return None

    def clear(self) -> None:
        """The run has ended: keep its note, not its states."""
        for file in self._files():
            file.unlink()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))
