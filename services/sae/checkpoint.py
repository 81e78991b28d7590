"""Reading an SAE from wherever it lies, in whatever format it is. Every inconsistency is an error here, not a wrong
number later.
"""

from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.formats import Place, find
from services.serving.weights import Source

__all__ = ["CheckpointError", "SaeCheckpoint", "load_checkpoint"]


def load_checkpoint(
    path: str, subfolder: str = "", *, revision: str | None = None, kind: str = "auto"
) -> SaeCheckpoint:
    """The SAE at `path` (folder or hub id) in `subfolder` (the run); `kind` names a format. Raises CheckpointError."""
    form, run = find(Place.open(Source(path, revision)), subfolder, kind)
    return form.read(run)
