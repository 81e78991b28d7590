"""Files that are either whole or not there; and the three files of a trained SAE in dictionary_learning's format."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from services.sae.training.model import TopKSae

_NO_THRESHOLD = -1.0  # the package's mark of "not estimated"


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when all of it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.tmp")
    with scratch.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too
    finally:
        os.close(folder)


def write_json(path: Path, value: object) -> None:
    """JSON with sorted keys and a final newline."""
    with replacing(path) as file:
        file.write((json.dumps(value, indent=1, sort_keys=True) + "\n").encode())


def write_sae(folder: Path, sae: TopKSae, frequency: Tensor, trainer: Mapping[str, Any]) -> None:
    """`latent_activation_frequency.json` (shares of patches [s]), `config.json` and, last, `ae.pt`.

    `trainer` adds to config.json's table what the module does not know: layer, lm_name, submodule_name, …
    """
    config = {
        "trainer_class": "TopKTrainer",
        "dict_class": "AutoEncoderTopK",
        "activation_dim": sae.width,
        "dict_size": sae.features,
        "k": sae.kept,
        **trainer,
    }
    write_json(folder / "latent_activation_frequency.json", [round(float(share), 9) for share in frequency])
    write_json(folder / "config.json", {"trainer": config})
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in sae.state_dict().items()}
    extra = {"k": torch.tensor(sae.kept, dtype=torch.int32), "threshold": torch.tensor(_NO_THRESHOLD)}
    with replacing(folder / "ae.pt") as file:
        torch.save(state | extra, file)
