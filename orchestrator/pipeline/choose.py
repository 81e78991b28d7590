"""Which features a job explains."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.plan import PlanError
from protos.v1.jobs_pb2 import JobSpec

_REMEDY = "give exactly one of feature_ids, feature_range, feature_sample, all_features"


def choose_features(spec: JobSpec, alive: npt.NDArray[np.bool_], validation: Collection[int] = ()) -> tuple[int, ...]:
    """The feature ids of a spec, rising and without doubles; `alive` is bool [s]. Raises PlanError.

    All features and samples leave those of `validation` out; who lists them gets them.
    """
    given = [
        name
        for name, present in (
            ("feature_ids", bool(spec.feature_ids)),
            ("feature_range", spec.HasField("feature_range")),
            ("feature_sample", spec.HasField("feature_sample")),
            ("all_features", spec.all_features),
        )
        if present
    ]
    if len(given) != 1:
        raise PlanError("features", f"{len(given)} ways to choose them are given", _REMEDY)
    living = np.flatnonzero(alive)
    features = _chosen(spec, given[0], living[~np.isin(living, list(validation))], len(alive))
    if not features:
        raise PlanError(given[0], "chooses no feature", "widen it")
    return features


def _chosen(spec: JobSpec, way: str, living: npt.NDArray[np.intp], size: int) -> tuple[int, ...]:
    if way == "feature_ids":
        ids = sorted(set(spec.feature_ids))
        for feature in (ids[0], ids[-1]):
            _check(way, feature, size)
        return tuple(ids)
    if way == "feature_range":
        start, stop = spec.feature_range.start, spec.feature_range.stop
        _check(way, start, size)
        _check(way, max(start, stop - 1), size)
        return tuple(range(start, stop))
    if way == "feature_sample":
        count, seed = spec.feature_sample.count, spec.feature_sample.seed
        if count < 1 or seed < 0:
            raise PlanError(way, f"count {count}, seed {seed}", "count must be at least 1 and seed at least 0")
        drawn = np.random.default_rng(seed).choice(living, min(count, len(living)), replace=False)
        return tuple(sorted(int(feature) for feature in drawn))
    return tuple(int(feature) for feature in living)


def _check(way: str, feature: int, size: int) -> None:
    if not 0 <= feature < size:
        raise PlanError(way, f"feature {feature} is not in 0…{size - 1}", "the SAE has no other features")
