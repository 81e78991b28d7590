"""SAEs of every activation that reconstruct a given stream by construction, as plain files."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

KINDS = ("relu", "topk", "jump_relu", "batch_topk")


def prototypes(z: Tensor, sharpness: float = 4.0) -> dict[str, Tensor]:
    """Tensors with one feature per patch of z [s, d]: it answers 1 to its own patch and nothing to most others.

    In u = A (z − mean), where A whitens z, feature i's pre-activation is 1 + sharpness · (uᵢ·u / ‖uᵢ‖² − 1); its
    decoder row is zᵢ − mean. So the stream it was made of is reconstructed, and hardly any other.
    """
    mean = z.mean(0)
    values, axes = torch.linalg.eigh((z - mean).T @ (z - mean) / len(z))
    whitening = axes @ torch.diag(values.clamp_min(1e-3 * float(values.max())).rsqrt()) @ axes.T
    u = (z - mean) @ whitening
    weight = sharpness * (u / u.square().sum(-1, keepdim=True)) @ whitening
    return {"W_enc": weight, "b_enc": torch.full((len(z),), 1 - sharpness), "W_dec": z - mean, "b_dec": mean}


def write(
    folder: Path, z: Tensor, kind: str = "relu", *, tensors: dict[str, Tensor] | None = None, **header: str
) -> Path:
    """A plain file of kind `kind` that reconstructs the stream z [patches, d]; `header` adds to its header."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = prototypes(z) if tensors is None else tensors
    size = len(tensors["W_enc"])
    threshold = {"jump_relu": torch.linspace(0, 0.2, size), "batch_topk": torch.tensor(0.1)}.get(kind)
    full = {"format": "steerscope-sae-1", "activation": kind, "k": "1", **header}
    save_file(tensors | ({} if threshold is None else {"threshold": threshold}), folder / "sae.safetensors", full)
    return folder
