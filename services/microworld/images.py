"""Image sets of the microworld on disk: PNG files, the truth of every pixel, a manifest.

`explain` and `test` come from different seeds, so that no image is in both. A set of n images is the beginning of every
longer set of that name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.microworld import world
from services.microworld.seeds import generator

SetName = Literal["explain", "test", "truth"]
SETS: Final[tuple[SetName, ...]] = ("explain", "test", "truth")
Progress = Callable[[int, int], None]  # images done, of
CHUNK = 100
MAPS: Final = tuple(item.name for item in fields(world.Rendered) if item.name != "images")


def draw_set(name: SetName, n: int, seed: int = 0) -> Iterator[world.Rendered]:
    """The first n scenes of a set, rendered in chunks of up to 100."""
    for chunk in range(-(-n // CHUNK)):
        rng = generator(name, seed, chunk)
        rendered = world.render(world.random_scenes(CHUNK, rng), rng)
        yield rendered.take(slice(0, min(CHUNK, n - chunk * CHUNK)))


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Images in 0..1 as 8-bit values."""
    return (images * 255).round().astype(np.uint8)


def pixel_hash(image: NDArray[np.uint8]) -> str:
    """sha256 of an image's RGB values [64, 64, 3]: the same however it was encoded without loss."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def prepare(folder: Path, name: SetName, count: int, progress: Progress) -> None:
    """Write the set unless it lies there whole (the manifest is written last); what a profile's [sets] names.

    Raises:
        FileExistsError: `folder` holds another set.
    """
    manifest = folder / "manifest.json"
    if not manifest.exists() or json.loads(manifest.read_text(encoding="utf-8"))["n"] != count:
        write_set(name, count, folder, progress=progress)


def write_set(name: SetName, n: int, out: Path, seed: int = 0, progress: Progress = lambda _done, _of: None) -> None:
    """Write `00000.png`..., `truth.npz` (id maps [n, 64, 64] as uint8, 255 = none, in file order), `manifest.json`.

    Raises:
        FileExistsError: `out` holds another set; name an empty folder.
    """
    manifest = {"set": name, "n": n, "seed": seed, "size": world.SIZE, "patch": world.PATCH}
    known = out / "manifest.json"
    if known.exists() and {**json.loads(known.read_text()), "pixels": 0} != {**manifest, "pixels": 0}:
        raise FileExistsError(f"out: {out} already holds another image set; name an empty folder")
    out.mkdir(parents=True, exist_ok=True)
    maps: dict[str, list[NDArray[np.uint8]]] = {key: [] for key in MAPS}
    hashes: list[str] = []
    for rendered in draw_set(name, n, seed):
        for image in to_bytes(rendered.images):
            Image.fromarray(image).save(out / f"{len(hashes):05d}.png")
            hashes.append(pixel_hash(image))
        for key in MAPS:
            maps[key].append(getattr(rendered, key).astype(np.int8).view(np.uint8))
        progress(len(hashes), n)
    with (out / "truth.npz").open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{key: np.concatenate(value) for key, value in maps.items()})
    known.write_text(json.dumps({**manifest, "pixels": hashes}, indent=1) + "\n", encoding="utf-8")


def read_truth(folder: Path) -> tuple[list[str], world.Rendered]:
    """Pixel hashes and truth of a written set; its `images` are empty, the maps are whole.

    Raises:
        FileNotFoundError: the folder is no written set; `python -m services.microworld images` writes one.
    """
    manifest = folder / "manifest.json"
    if not manifest.exists():
        raise FileNotFoundError(f"{manifest} is missing; write the set with `python -m services.microworld images`")
    hashes = list(json.loads(manifest.read_text(encoding="utf-8"))["pixels"])
    with np.load(folder / "truth.npz") as stored:
        maps = {key: stored[key].view(np.int8) for key in MAPS}
    maps["micro"] = maps["micro"].astype(np.bool_)
    return hashes, world.Rendered(images=np.zeros((len(hashes), 0, 0, 3), np.float32), **maps)
