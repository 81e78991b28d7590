"""Small image files to train on."""

from pathlib import Path

from PIL import Image

from tests.unit.subject import tiny


def write_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """`count` PNG files of coloured blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(tiny.picture(1000 * seed + number)).save(folder / f"{number:04d}.png")
    return folder


def damage(file: Path) -> None:
    """Cut a file so that its header still reads well."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
