"""The image sets that this process works on, each opened once: shards of a set and readers of its index share it."""

from __future__ import annotations

import threading
from functools import lru_cache

from orchestrator.store import JSON, ArtifactStore
from services.imagesets import ImageSet, Roots, open_images

_lock = threading.Lock()  # many threads want the same set at the same time: it is opened by the first


def listed_images(store: ArtifactStore, location: str, listing: str, user: str, roots: Roots) -> ImageSet:
    """The set at `location` with the images that the artifact `listing` names. Raises ImageSetError if it changed.

    `user` is the job or the index that reads it: a new one sees the place as it is by now.
    """
    with _lock:
        return _open(store, location, listing, user, roots)


@lru_cache(maxsize=8)
def _open(store: ArtifactStore, location: str, listing: str, _user: str, roots: Roots) -> ImageSet:
    return open_images(location, JSON.decode(store.get(listing)), roots)
