"""The same images written as every kind of place."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.serving.images import to_png

datasets: Any = pytest.importorskip("datasets")
webdataset: Any = pytest.importorskip("webdataset")


def noise(count: int, seed: int = 0) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [to_png(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)) for _ in range(count)]


def folder(root: Path, images: list[bytes]) -> str:
    root.mkdir(parents=True)
    for i, image in enumerate(images):
        (root / f"{i:03}.png").write_bytes(image)
    return str(root)


def dataset(images: list[bytes]) -> Any:
    """With a second column, and one image as the library's own type."""
    features = datasets.Features({"label": datasets.Value("int64"), "photo": datasets.Image()})
    rows = {"label": list(range(len(images))), "photo": [{"bytes": image, "path": None} for image in images]}
    return datasets.Dataset.from_dict(rows, features=features)


def saved(root: Path, images: list[bytes]) -> str:
    dataset(images).save_to_disk(root)
    return f"hf:{root}"


def saved_splits(root: Path, images: list[bytes]) -> str:
    datasets.DatasetDict({"train": dataset(images[:1]), "val": dataset(images)}).save_to_disk(root)
    return f"hf:{root}#split=val"


def parquet(root: Path, images: list[bytes]) -> str:
    """Two files, as in a clone of a hub repository."""
    (root / "data").mkdir(parents=True)
    half = len(images) // 2
    for i, part in enumerate((images[:half], images[half:])):
        dataset(part).to_parquet(root / "data" / f"train-{i:05}-of-00002.parquet")
    return f"hf:{root}"


def shards(root: Path, images: list[bytes], per_shard: int = 5) -> str:
    """With labels and masks beside the images."""
    root.mkdir(parents=True)
    starts = range(0, len(images), per_shard)
    for number, start in enumerate(starts):
        with webdataset.TarWriter(str(root / f"val-{number:03}.tar")) as writer:
            for i in range(start, min(start + per_shard, len(images))):
                writer.write({"__key__": f"{i:03}", "cls": str(i), "mask.png": noise(1)[0], "png": images[i]})
    return f"wds:{root}/val-{{000..{len(starts) - 1:03}}}.tar"


KINDS = {
    "folder": folder,
    "saved": saved,
    "saved splits": saved_splits,
    "parquet": parquet,
    "shards": shards,
}


def tar_bytes(members: dict[str, bytes]) -> bytes:
    """A tar of plain files."""
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
