"""Hugging Face data sets as image sets: rows of memory-mapped Arrow files, their images as stored."""

from pathlib import Path
from typing import Any

from services.imagesets.base import ImageSetError, library
from services.imagesets.hf import HfLocation
from services.imagesets.names import RowNames
from services.imagesets.roots import EVERYWHERE, Roots

_SAVED = ("state.json", "dataset_dict.json")  # files of a saved data set, of several saved splits
_PLAIN = frozenset({"binary", "large_binary", "string", "large_string"})  # encoded images; paths


class RowImages:
    """The rows of one split, in their order. Bytes are handed on as stored; a row may also hold the path of a file."""

    def __init__(self, location: str, roots: Roots = EVERYWHERE) -> None:
        """Raises ImageSetError: not found or not allowed, a choice is missing or wrong, or there are no images."""
        chosen = HfLocation.parse(location)
        if chosen.is_local:
            roots.check_place(location, Path(chosen.place))
        else:
            roots.check_hub(location, chosen.place)
        self._datasets = library("datasets", location)
        self._arrow_error: type[Exception] = library("pyarrow", location).ArrowException
        copies, downloads = self._datasets.config.HF_DATASETS_CACHE, library("huggingface_hub.constants", location)
        self._roots = roots.also(map(Path, (copies, downloads.HF_HUB_CACHE)))
        dataset, place = self._load(chosen)
        self._column = self._column_of(dataset, place)
        self.location = str(place.choosing("column", self._column))
        rows = dataset.select_columns([self._column])
        if isinstance(dataset.features[self._column], self._datasets.Image):
            rows = rows.cast_column(self._column, self._datasets.Image(decode=False))
        self._rows = rows
        self.names = RowNames(len(rows))
        if not self.names:
            raise ImageSetError(f"images {location!r}: holds no rows; choose another split")

    def __len__(self) -> int:
        return len(self.names)

    def read(self, image: int) -> bytes:
        try:
            value = self._rows[image][self._column]
        except self._arrow_error as error:
            raise OSError(f"its data set cannot be read: {error}") from error
        if isinstance(value, dict):
            value = value["path"] if value["bytes"] is None else value["bytes"]
        if value is None:
            raise OSError("the row holds no image")
        if isinstance(value, bytes):
            return value
        self._roots.check_file(Path(value))
        return Path(value).read_bytes()

    def _load(self, place: HfLocation) -> tuple[Any, HfLocation]:
        """The split, and the location with what was found out: the commit and the split."""
        if place.is_local and not Path(place.place).is_dir():
            raise ImageSetError(f"images {str(place)!r}: no such folder on the server's machine")
        saved = place.is_local and any((Path(place.place) / name).exists() for name in _SAVED)
        try:
            return self._saved(place) if saved else self._built(place)
        except ImageSetError:
            raise
        except Exception as error:  # the library raises anything on what it does not know
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise ImageSetError(f"images {str(place)!r}: cannot be loaded: {reason[0]}") from error

    def _saved(self, place: HfLocation) -> tuple[Any, HfLocation]:
        """What `save_to_disk` wrote, read where it lies."""
        for key in {"config", "files"} & place.choices.keys():
            raise ImageSetError(f"images {str(place)!r}: was written by save_to_disk and has no {key}; leave it out")
        found = self._datasets.load_from_disk(place.place, keep_in_memory=False)
        if isinstance(found, dict):
            split = _choose("split", place, sorted(found))
            return found[split], place.choosing("split", split)
        if "split" in place.choices:
            _choose("split", place, [str(found.split)] if found.split else [])
        return found, place

    def _built(self, place: HfLocation) -> tuple[Any, HfLocation]:
        """By the library's builders, which copy the files once into its cache of Arrow files."""
        choices = place.choices
        builder = self._datasets.load_dataset_builder(
            place.place, name=choices.get("config"), data_files=choices.get("files"), revision=place.revision
        )
        builder.download_and_prepare()
        if not place.is_local:
            place = place.at_commit(str(builder.hash))
        split = _choose("split", place, sorted(builder.info.splits or {}))
        return builder.as_dataset(split=split, in_memory=False), place.choosing("split", split)

    def _column_of(self, dataset: Any, place: HfLocation) -> str:
        """The chosen column, or the only one whose type says that it holds images."""
        features = dataset.features.items()
        if "column" not in place.choices:
            return _choose("column", place, [name for name, feature in features if self._are_images(feature)])
        usable = [name for name, feature in features if self._are_images(feature) or _dtype(feature) in _PLAIN]
        return _choose("column", place, usable)

    def _are_images(self, feature: Any) -> bool:
        return isinstance(feature, self._datasets.Image) or (
            isinstance(feature, dict) and feature.keys() == {"bytes", "path"}
        )


def _dtype(feature: Any) -> str | None:
    return getattr(feature, "dtype", None)


def _choose(what: str, place: HfLocation, known: list[str]) -> str:
    """The choice made in the location, or the only one there is. Raises ImageSetError."""
    chosen, listed = place.choices.get(what), ", ".join(known) or "none"
    if chosen is not None and chosen not in known:
        raise ImageSetError(f"images {str(place)!r}: has no {what} {chosen!r} for images; choose from {listed}")
    if chosen is None and len(known) != 1:
        raise ImageSetError(f"images {str(place)!r}: {what}s to choose from: {listed}; add #{what}=NAME")
    return chosen or known[0]
