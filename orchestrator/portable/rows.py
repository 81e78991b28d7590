"""Rows of the tables from the records of features. Joins are by (job, feature, variant), images by sha256."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.analysis.frame import row_of
from protos.v1.results_pb2 import FeatureResult, TopImage

Row = dict[str, Any]


def explanation_rows(result: FeatureResult, job: str) -> Iterator[Row]:
    """A row per variant: the columns of `to_frame`, of each score reason and parts, of each judge seeds and images."""
    for variant in result.variants:
        row: Row = dict(row_of(result, variant, job))
        for name, score in variant.scores.items():
            row[f"{name}_reason"] = score.reason
            row[f"{name}_parts"] = list(score.parts)
        for judge, drawn in variant.generated.items():
            row[f"{judge}_seeds"] = list(drawn.seeds)
            row[f"{judge}_images"] = [digest_of(address) for address in drawn.artifacts]
        yield row


def feature_row(result: FeatureResult, job: str) -> Row:
    """One feature with its top images and where everything comes from."""
    provenance = result.provenance
    return {
        "job": job,
        "feature": result.feature,
        "outcome": result.outcome,
        "reason": result.reason,
        "alive": result.alive,
        "frequency": result.frequency,
        "validation": result.validation,
        "explain_images": [_top(image) for image in result.explain_images],
        "test_images": [_top(image) for image in result.test_images],
        "seed": provenance.seed,
        "software": provenance.software,
        "models": _object(provenance.models),
        "sets": _object(provenance.sets),
        "settings": _object(provenance.settings),
        "stage_seconds": _object(result.stage_seconds),
    }


def image_row(address: str, data: bytes, generated: Iterable[str] | set[str]) -> Row:
    """One image, as it is stored."""
    return {
        "sha256": digest_of(address),
        "kind": "generated" if address in generated else "top",
        "image": {"bytes": data, "path": None},
        "address": address,
        "bytes": len(data),
    }


def digest_of(address: str) -> str:
    """The sha256 (hex) in an address of the artifact store."""
    return address.rpartition("/")[2][:64]


def _top(image: TopImage) -> Row:
    return {
        "image": image.image,
        "score": image.score,
        "path": image.path,
        "sha256": image.digest,
        "positions": list(image.positions),
        "values": list(image.values),
    }


def _object(mapping: Mapping[str, Any]) -> str:
    return json.dumps(dict(mapping), sort_keys=True, ensure_ascii=False)
