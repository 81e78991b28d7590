"""The reference sample: images of a set that are drawn by their content, shard by shard, and scored for all features.

Every image has a place in a fixed shuffled order, sha256 of the seed and its own sha256; the sample are the first
`count` members of the set in it. Names, order and shards do not matter, and no second pass is needed: a shard scores
its images before a cut-off that leaves out too many almost never, and the merge takes the first of all shards.
"""

import hashlib
import math

_END = "g"  # after every hex digit, so after every key


def sample_key(seed: int, digest: str) -> str:
    """An image's place in the order, as 64 hex digits; `digest` is the sha256 of its bytes, in hex."""
    return hashlib.sha256(f"{seed}|{digest}".encode()).hexdigest()


def cutoff_key(count: int, members: float) -> str:
    """The key below which at least `count` of about `members` images lie, with 4 standard deviations to spare.

    The surplus is small (98 images for 512). Where a set has far fewer members than listed images (most of them
    unreadable), the sample is what there is.
    """
    if not count:
        return ""
    wanted = count + 4 * math.sqrt(count) + 8
    if wanted >= members:
        return _END
    return f"{int(wanted / members * 2.0**256):064x}"
