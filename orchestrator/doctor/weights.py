"""Check of the profile's weights: here, in the hub's cache, or to be downloaded – and whether that will work."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, bad, ok
from orchestrator.doctor.locations import Weights, weights_of
from services.serving.profile import ProfileError

_GB = 1e9
_ID = re.compile(r"[\w.-]+/[\w.-]+$")
_WEIGHTS = (".safetensors", ".pt", ".bin")


def check_weights(context: Context) -> Iterator[Finding]:
    """One finding per location."""
    try:
        locations = list(weights_of(context))
    except (ProfileError, ValueError) as error:
        yield bad("weights", str(error), "correct the profile")
        return
    for weights in locations:
        yield _local(weights) if Path(weights.source.location).exists() else _hub(context, weights)


def _local(weights: Weights) -> Finding:
    place = Path(weights.source.location)
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    if not files:
        return bad(weights.area, f"{place} is empty", f"give a folder that holds weights as `{weights.key}`")
    return ok(weights.area, f"{place}, {_size(sum(file.stat().st_size for file in files))}")


def _hub(context: Context, weights: Weights) -> Finding:
    name = weights.source.location
    if not _ID.match(name):
        remedy = f"correct `{weights.key}`: an existing folder, package:…, or owner/name of the hub"
        return bad(weights.area, f"{name}: no such folder, and no id of the hub", remedy)
    folder = context.hub.cached(name, weights.source.revision)
    if folder is not None:
        lacking = _lacking(folder, weights.file, whole=weights.services != ("sae",))
        if not lacking:
            return ok(weights.area, f"{weights.source} is in the cache, {_size(_below(folder))}")
        if context.hub.offline:
            remedy = "unset HF_HUB_OFFLINE and start again: the download goes on where it was"
            return bad(weights.area, f"{weights.source} is in the cache, but {lacking}", remedy)
    elif context.hub.offline:
        remedy = "unset HF_HUB_OFFLINE and connect once, or copy the cache of another machine and set HF_HOME to it"
        return bad(
            weights.area, f"{weights.source} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it", remedy
        )
    return _remote(context, weights)


def _remote(context: Context, weights: Weights) -> Finding:
    name = weights.source.location
    seen = context.hub.remote(name, weights.source.revision, [weights.file] if weights.file else [])
    page = f"https://huggingface.co/{name}"
    if seen.state == "closed":
        token = "" if context.hub.token else ", and give its token: `hf auth login`, or HF_TOKEN=… in the environment"
        whose = "the token's account" if context.hub.token else "your account"
        return bad(weights.area, f"{weights.source} is gated", f"accept the licence at {page} with {whose}{token}")
    if seen.state == "absent":
        hint = "" if context.hub.token else "; if it is private, give a token (`hf auth login`, HF_TOKEN)"
        return bad(weights.area, f"{weights.source}: {seen.detail}", f"correct `{weights.key}`{hint}")
    if seen.state == "unreachable":
        remedy = f"connect to the hub, or copy a cache and set HF_HOME; if it is gated, accept its licence at {page}"
        return bad(
            weights.area, f"{weights.source} is not in the cache, the hub does not answer: {seen.detail}", remedy
        )
    size = f", up to {_size(seen.size)}" if seen.size else ""
    return ok(weights.area, f"{weights.source} will be downloaded at the first start{size}")


def _lacking(folder: Path, file: str, *, whole: bool) -> str:
    """What a downloaded folder lacks; "" if nothing that can be seen. The sae service wants a part of the shards."""
    if file:
        return "" if (folder / file).is_file() else f"{file} is missing"
    for index in folder.rglob("*.safetensors.index.json") if whole else ():
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        missing = [shard for shard in shards if not (index.parent / shard).is_file()]
        if missing:
            return f"{len(missing)} of {len(shards)} files of weights are missing"
    return "" if any(one.suffix in _WEIGHTS for one in folder.rglob("*")) else "it holds no weights"


def _below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _size(size: int) -> str:
    return f"{size / _GB:.1f} GB" if size >= _GB else f"{size / 1e6:.1f} MB"
