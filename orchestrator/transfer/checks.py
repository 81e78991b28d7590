"""What comes from elsewhere, read with suspicion: each function gives the thing, or refuses it with the rule."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from orchestrator.index.record import IndexRecord
from orchestrator.pipeline.outcomes import ScoreOutcome, VariantOutcome
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.store import ARRAYS
from orchestrator.transfer.addresses import FORMAT, INDEX_ID, JOB_ID, RECORD_SUFFIX, digest_in, suffix_of
from orchestrator.transfer.errors import TransferError
from orchestrator.transfer.needs import blobs_of
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult
from services.serving.errors import InvalidInputError
from services.serving.images import count_pixels

_LONGEST_PLAN = 4 << 20
_LONGEST_REASON = 16 << 10
_AGAIN = "export the job again"
_TOLD, _SCORED = frozenset(map(str, VariantOutcome)), frozenset(map(str, ScoreOutcome))
_FEATURE = re.compile(r"0|[1-9][0-9]{0,9}")
_ARRAY = re.compile(r"[A-Za-z0-9_]{1,64}\.npy")


def check_header(job: pb.PortableJob, most_items: int) -> ExplainPlan:
    """The plan of a job that may come in."""
    if job.format != FORMAT:
        raise TransferError("job.format", f"{job.format} is not {FORMAT}", "use the same release on both sides")
    if not JOB_ID.fullmatch(job.id):
        raise TransferError("job.id", f"{job.id[:40]!r} is not 12 hexadecimal digits", _AGAIN)
    if not all(math.isfinite(moment) and moment >= 0 for moment in (job.created, job.started, job.finished)):
        raise TransferError("job.created, started, finished", "must be unix seconds", _AGAIN)
    if not 1 <= job.items <= most_items:
        rule = f"{job.items} is not in 1…{most_items}"
        raise TransferError("job.items", rule, "raise STEERSCOPE_MAX_JOB_ITEMS for a larger job")
    if len(job.plan) > _LONGEST_PLAN:
        raise TransferError("job.plan", f"has more than {_LONGEST_PLAN} characters", _AGAIN)
    try:
        plan = ExplainPlan.model_validate_json(job.plan)
    except ValidationError as error:
        raise TransferError("job.plan", _first(error), "use the same release on both sides") from error
    for address in plan.texts.values():
        digest_in(address, "job.plan.texts")
    return plan


def check_item(item: pb.PortableItem, plan: ExplainPlan) -> int:
    """The feature that an item is."""
    if not _FEATURE.fullmatch(item.item):
        raise TransferError("items.item", f"{item.item[:40]!r} is not the id of a feature", _AGAIN)
    feature = int(item.item)
    if feature >= plan.dict_size:
        raise TransferError("items.item", f"{feature} is not in 0…{plan.dict_size - 1}", _AGAIN)
    if item.state not in ("done", "failed", "cancelled") or (item.state == "done") != bool(item.artifact):
        rule = f"feature {feature} is {item.state[:40]!r}; only a done one has a result"
        raise TransferError("items.state", rule, _AGAIN)
    if item.artifact:
        digest_in(item.artifact, "items.artifact")
        if suffix_of(item.artifact) != RECORD_SUFFIX:
            raise TransferError("items.artifact", f"{item.artifact} is no record ({RECORD_SUFFIX})", _AGAIN)
    if len(item.reason) > _LONGEST_REASON:
        raise TransferError("items.reason", f"has more than {_LONGEST_REASON} characters", _AGAIN)
    return feature


def check_index(index: pb.PortableIndex, wanted: set[str]) -> IndexRecord:
    """The record of an index that the plan names, whose id is the hash of its content."""
    if not INDEX_ID.fullmatch(index.id) or index.id not in wanted:
        raise TransferError("index.id", f"{index.id[:40]!r} is not one that the plan names", _AGAIN)
    try:
        record = IndexRecord.model_validate_json(index.record)
    except ValidationError as error:
        raise TransferError("index.record", _first(error), "use the same release on both sides") from error
    same = {"set_hash": record.set_hash, "arrays": record.arrays, "residuals": record.residuals}
    try:
        made = IndexRecord.make(record.plan, unreadable=record.unreadable, **same)
    except ValueError as error:  # NaN in the plan: there is no JSON of it to hash
        raise TransferError("index.record", f"index {index.id}: {error}", _AGAIN) from error
    if not record.id == made.id == index.id:
        raise TransferError("index.record", f"index {index.id} does not hold what its id says", _AGAIN)
    for address in blobs_of(record):
        digest_in(address, "index.record")
    return record


def check_record(data: bytes, feature: int, plan: ExplainPlan) -> FeatureResult:
    """The result of a feature."""
    try:
        result = FeatureResult.FromString(data)
    except DecodeError as error:
        raise TransferError("blob", f"the result of feature {feature} cannot be read", _AGAIN) from error
    if result.feature != feature:
        raise TransferError("blob", f"the result of feature {feature} is of {result.feature}", _AGAIN)
    if [variant.variant for variant in result.variants] != list(plan.variants):
        raise TransferError("blob", f"feature {feature} has other variants than the plan", _AGAIN)
    for variant in result.variants:
        told = {score.outcome for score in variant.scores.values()}
        if variant.outcome not in _TOLD or not told <= _SCORED or not variant.scores.keys() <= set(plan.scores):
            raise TransferError("blob", f"feature {feature} has an outcome or a score that there is not", _AGAIN)
    if any(not 0 <= top.image < 1 << 40 for top in (*result.explain_images, *result.test_images)):
        raise TransferError("blob", f"feature {feature} has a top image with an impossible id", _AGAIN)
    return result


def check_image(data: bytes, address: str) -> None:
    """Its header says an image of a format and size that this installation reads."""
    try:
        count_pixels(data)
    except InvalidInputError as error:
        raise TransferError("blob", f"image {address}: {error}", "leave the images out (--without-images)") from error


def check_arrays(data: bytes, address: str) -> None:
    """Arrays without pickles, packed as they are written here: stored, so that they do not grow when they are read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise TransferError("blob", f"{address} holds no arrays", _AGAIN) from error
    if not all(_ARRAY.fullmatch(entry.filename) for entry in entries):
        raise TransferError("blob", f"{address} holds something that is no array", _AGAIN)
    packed = any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > len(data):
        raise TransferError("blob", f"{address} grows when it is unpacked", "arrays must be stored, not compressed")
    try:
        arrays = ARRAYS.decode(data)
    except Exception as error:  # numpy raises anything on damaged headers
        raise TransferError("blob", f"{address} holds no arrays", _AGAIN) from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):  # of others numpy gives the bytes
        raise TransferError("blob", f"{address} holds something that is no array", _AGAIN)


def check_json(data: bytes, address: str, kind: type) -> None:
    """A list (an index's names) or an object (given texts), all of strings."""
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TransferError("blob", f"{address} is no JSON", _AGAIN) from error
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [None]
    if not isinstance(value, kind) or not all(isinstance(part, str) for part in parts):
        raise TransferError("blob", f"{address} is not {'names' if kind is list else 'texts'}", _AGAIN)


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc'])) or 'JSON'}: {found['msg']}"
