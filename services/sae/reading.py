"""What the codes of an image say: scores, maps, and the pairs above thresholds. All of it without dense codes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from services.sae.codes import SparseCodes


@dataclass(frozen=True)
class Hits:
    """q (image, feature) pairs, sorted, and the active patches of each as in a CSR matrix; see `spec.IndexHits`."""

    image: Tensor  # [q]
    feature: Tensor  # [q]
    score: Tensor  # [q]
    offset: Tensor  # [q+1]
    position: Tensor  # [entries]
    value: Tensor  # [entries]


def image_scores(codes: SparseCodes, reduce: str) -> Tensor:
    """S(i, I) for all features, float32 [n, s]: mean over patches of f_i (Eq. 3), or the largest f_i (`max`)."""
    n, p, _ = codes.value.shape
    index, value = codes.index.flatten(1), codes.value.flatten(1)
    scores = value.new_zeros(n, codes.size)
    if reduce == "max":
        return scores.scatter_reduce_(1, index, value, "amax")
    return scores.scatter_add_(1, index, value).div_(p)


def activation_maps(codes: SparseCodes, features: Tensor) -> Tensor:
    """f_i of m features per image: ids int64 [n, m] (doubles allowed) to float32 [n, m, p]."""
    n, p, k = codes.value.shape
    m = features.shape[1]
    slot = features.new_full((n, codes.size), m)  # slot m collects what nobody asked for
    slot.scatter_(1, features, torch.arange(m, device=features.device).expand(n, m))
    row = slot.gather(1, codes.index.flatten(1)).view(n, p, k)
    maps = codes.value.new_zeros(n, p, m + 1)
    maps.scatter_add_(2, row, codes.value)  # entries of value 0 may name any feature, even twice
    # of a feature that was asked for twice one slot got the values: both read that one
    wanted = slot.gather(1, features)[:, None, :].expand(n, p, m)
    return maps.gather(2, wanted).transpose(1, 2).contiguous()


def find_hits(codes: SparseCodes, thresholds: Tensor, reduce: str) -> Hits:
    """The pairs with S(i, I) > thresholds[i] ≥ 0 (float32 [s]), sorted by (image, feature, patch)."""
    n, p, k = codes.value.shape
    scores = image_scores(codes, reduce)
    above = (scores > thresholds).gather(1, codes.index.flatten(1)).view(n, p, k)
    image, position, rank = (above & (codes.value > 0)).nonzero(as_tuple=True)
    pair = image * codes.size + codes.index[image, position, rank]
    order = pair.argsort(stable=True)  # patches stay in order within a pair
    pairs, counts = pair[order].unique_consecutive(return_counts=True)
    offset = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    image_of, feature_of = pairs // codes.size, pairs % codes.size
    value = codes.value[image, position, rank][order]
    return Hits(image_of, feature_of, scores[image_of, feature_of], offset, position[order], value)


def join_hits(parts: list[Hits], sizes: list[int]) -> Hits:
    """Hits of consecutive groups of images (`sizes` images each) as one."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    entries = [0, *(int(part.offset[-1]) for part in parts)]
    offset = [part.offset[1:] + sum(entries[: i + 1]) for i, part in enumerate(parts)]
    return Hits(
        image=torch.cat([part.image + start for part, start in zip(parts, starts, strict=True)]),
        feature=torch.cat([part.feature for part in parts]),
        score=torch.cat([part.score for part in parts]),
        offset=torch.cat([parts[0].offset[:1], *offset]),
        position=torch.cat([part.position for part in parts]),
        value=torch.cat([part.value for part in parts]),
    )
