"""The identity of a model's weights, wherever they lie."""

from pathlib import Path

from services.serving.provenance import digest_files, digest_text


def weights_digest(location: str) -> str:
    """12 hex digits for a file, a folder (its content) or a hub repository (its name and the commit in use).

    A hub repository must have been downloaded before, as loading a model does. Raises FileNotFoundError.
    """
    if Path(location).exists():
        return digest_files(location)
    from huggingface_hub import snapshot_download

    commit = Path(snapshot_download(location, local_files_only=True)).name
    return digest_text(location, commit)
