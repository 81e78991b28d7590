"""What the doctor asks of the Hugging Face hub and of its cache, with short timeouts and typed answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from huggingface_hub import HfApi, constants, get_token, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

_TIMEOUT = 8.0
State = Literal["open", "closed", "absent", "unreachable"]


@dataclass(frozen=True)
class Remote:
    """A repository as the hub shows it to us: `closed` is gated without access. `size` in bytes, where it is told;
    `files` are the paths of its files."""

    state: State
    size: int = 0
    detail: str = ""
    files: Sequence[str] = ()


class Hub(Protocol):
    """The hub; another one in tests."""

    @property
    def offline(self) -> bool:
        """Whether HF_HUB_OFFLINE forbids to ask it."""

    @property
    def token(self) -> bool:
        """Whether there is a token to show it."""

    def cached(self, repository: str, revision: str | None) -> Path | None:
        """The folder of what was downloaded of it."""

    def remote(self, repository: str, revision: str | None, files: Sequence[str]) -> Remote:
        """What the hub says; `size` counts `files` (or all weights, if none are named)."""


class HuggingFaceHub:
    """The real one. A hub that did not answer once is not asked again: every time would cost its timeout."""

    def __init__(self) -> None:
        self._silent: Remote | None = None

    @property
    def offline(self) -> bool:
        return bool(constants.HF_HUB_OFFLINE)

    @property
    def token(self) -> bool:
        return get_token() is not None

    def cached(self, repository: str, revision: str | None) -> Path | None:
        try:
            return Path(snapshot_download(repository, revision=revision, local_files_only=True))
        except (OSError, ValueError):  # not there; a name that is none
            return None

    def remote(self, repository: str, revision: str | None, files: Sequence[str]) -> Remote:
        if self._silent is not None:
            return self._silent
        api = HfApi()
        try:
            info = api.model_info(repository, revision=revision, timeout=_TIMEOUT, files_metadata=True)
            if info.gated:
                api.auth_check(repository)
        except GatedRepoError as error:
            return Remote("closed", detail=str(error).splitlines()[0])
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            return Remote("absent", detail=str(error).splitlines()[0])
        except Exception as error:  # which HTTP library fails, and with what, depends on the hub's client
            self._silent = Remote("unreachable", detail=f"{type(error).__name__}: {error}".splitlines()[0])
            return self._silent
        sizes = {one.rfilename: one.size or 0 for one in info.siblings or ()}
        wanted = files or [name for name in sizes if name.endswith((".safetensors", ".pt", ".bin"))]
        return Remote("open", sum(sizes.get(name, 0) for name in wanted), files=tuple(sizes))
