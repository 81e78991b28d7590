"""The scores of METHOD §6 as plain loops over Python numbers: slow, and easy to check against the paper by eye."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

Mask = list[list[bool]]


def resized(mask: Sequence[Sequence[bool]], height: int, width: int) -> Mask:
    """Nearest neighbour: a pixel takes the value that lies under its centre; a centre on a border takes the later."""
    rows, columns = under_centres(len(mask), height), under_centres(len(mask[0]), width)
    return [[mask[row][column] for column in columns] for row in rows]


def under_centres(cells: int, pixels: int) -> list[int]:
    """For each pixel of a side the cell under its centre."""
    return [math.floor(Fraction(2 * pixel + 1, 2 * pixels) * cells) for pixel in range(pixels)]


def iou(first: Mask, second: Mask) -> float:
    """Eq. 7; 0 for an empty union."""
    both = either = 0
    for left, right in zip(first, second, strict=True):
        for a, b in zip(left, right, strict=True):
            both += a and b
            either += a or b
    return both / either if either else 0.0


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """Eq. 9."""
    product = math.fsum(a * b for a, b in zip(first, second, strict=True))
    return product / math.sqrt(math.fsum(a * a for a in first) * math.fsum(b * b for b in second))


def auroc_by_pairs(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """P(S(positive) > S(negative)): one for a win, a half for a tie."""
    points = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p in positives for n in negatives)
    return points / (len(positives) * len(negatives))


def auroc_by_ranks(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The same as (R − m(m+1)/2) / (m·n), with R the sum of the positives' mid-ranks among all."""
    everything = sorted([*positives, *negatives])

    def mid_rank(value: float) -> float:
        places = [place for place, other in enumerate(everything, start=1) if other == value]
        return mean(places)

    m, n = len(positives), len(negatives)
    return (math.fsum(mid_rank(value) for value in positives) - m * (m + 1) / 2) / (m * n)


def image_score(activations: Sequence[float], reduce: str) -> float:
    """Eq. 3."""
    return max(activations) if reduce == "max" else mean(activations)


def top_images(scores: Iterable[tuple[int, float]], k: int) -> list[int]:
    """The k images with the highest score above 0, ties by lower id, chosen one after another."""
    left = [(image, score) for image, score in scores if score > 0]
    chosen: list[int] = []
    while left and len(chosen) < k:
        best = left[0]
        for image, score in left:
            if score > best[1] or (score == best[1] and image < best[0]):
                best = (image, score)
        chosen.append(best[0])
        left.remove(best)
    return chosen
