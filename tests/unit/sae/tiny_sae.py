"""A random SAE for the tiny Gemma, in the files that the dictionary_learning package writes."""

import json
from pathlib import Path

import torch

from tests.unit.subject import tiny

SIZE, KEPT = 24, 3


def write_sae(folder: Path, **trainer) -> Path:
    """An SAE of random weights in the files of the dictionary_learning package; feature 5 never fires."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = torch.Generator().manual_seed(3)
    rows = torch.nn.functional.normalize(torch.randn(SIZE, tiny.WIDTH, generator=draw), dim=1)
    bias = 0.3 * torch.randn(SIZE, generator=draw)
    bias[5] = -1000
    state = {
        "encoder.weight": rows + 0.1 * torch.randn(SIZE, tiny.WIDTH, generator=draw),
        "encoder.bias": bias,
        "decoder.weight": rows.T.contiguous(),
        "b_dec": 0.1 * torch.randn(tiny.WIDTH, generator=draw),
        "k": torch.tensor(KEPT),
        "threshold": torch.tensor(-1.0),
    }
    torch.save(state, folder / "ae.pt")
    config = {"dict_class": "AutoEncoderTopK", "activation_dim": tiny.WIDTH, "dict_size": SIZE, "k": KEPT}
    config |= {"layer": tiny.LAYER, "mean_residual_norm": 12.5, **trainer}
    (folder / "config.json").write_text(json.dumps({"trainer": config}))
    frequency = [0.0 if i == 5 else (i + 1) / 100 for i in range(SIZE)]
    (folder / "latent_activation_frequency.json").write_text(json.dumps(frequency))
    return folder
