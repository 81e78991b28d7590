"""The files that a Neuronpedia of one's own imports (admin panel) and neuronpedia.org publishes.

Format: https://docs.neuronpedia.org/api-and-data/exports – `[MODEL_ID]/[SOURCE_ID]/` with `model.jsonl`,
`release.jsonl`, `source.jsonl` and `sourceset.jsonl`, and folders `features/`, `activations/`, `explanations/` of
`batch-N.jsonl.gz`, a JSON object per line. Names of fields are those of its public schema (`apps/webapp/prisma/
schema.prisma` of github.com/hijohnnylin/neuronpedia); like its own exporter, the four single files are gzipped, too.

Neuronpedia's features are of language models; what has no counterpart there:
- the images: an activation is a list of tokens with a value each. Ours are the patches of an image, named `r3c5`, with
  the image's path in `dataSource` and its sha256 in `dataIndex`; the picture itself cannot be shown;
- scores: IoU, CLIP, synthetic activation and AUROC are none of its score types; they go into an explanation's `notes`;
- logits, correlated neurons, histograms and vectors: left empty.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.portable.errors import PortableError
from protos.v1.results_pb2 import FeatureResult, TopImage, VariantResult

_BATCH = 512  # features in a file
_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
SET, CREATOR = "steerscope", "SteerScope"


@dataclass
class Neuronpedia:
    """Writes below `folder`; features in the order in which they come."""

    folder: Path
    model: str
    layer: int
    grid: tuple[int, int]
    explainer: str
    created: str
    dataset: str
    _features: list[Mapping[str, Any]] = field(default_factory=list)
    _activations: list[Mapping[str, Any]] = field(default_factory=list)
    _explanations: list[Mapping[str, Any]] = field(default_factory=list)
    _batches: int = 0

    @classmethod
    def of_plan(cls, folder: Path, model: str, plan: str, created: float) -> Neuronpedia:
        """From a job's plan. Raises PortableError for a model id that Neuronpedia refuses."""
        if not _ID.fullmatch(model):
            raise PortableError(f"model-id: {model[:60]!r}: only letters, digits, _ and -, at most 128")
        told = json.loads(plan)
        rows, columns = (int(part) for part in told["grid"].split("x"))
        moment = datetime.fromtimestamp(created, UTC).isoformat()
        explainer = f"steerscope-vlm-{told['models'].get('vlm.explain', 'unknown')[:12]}"
        return cls(folder, model, told["layer"], (rows, columns), explainer, moment, told["sets"].get("explain", ""))

    @property
    def source(self) -> str:
        """Neuronpedia's `layer`: the layer and the set of its features."""
        return f"{self.layer}-{SET}"

    @property
    def place(self) -> Path:
        return self.folder / self.model / self.source

    def add(self, result: FeatureResult) -> None:
        """One feature, its activations and its explanations; one that failed has nothing to say."""
        activations = [self._activation(result.feature, image) for image in result.explain_images]
        self._activations += activations
        highest = max((one["maxValue"] for one in activations), default=0.0)
        self._features.append(self._feature(result, highest))
        self._explanations += [self._explanation(result.feature, one) for one in result.variants if one.text]
        if len(self._features) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """The last batch, and the files about model and source."""
        if self._features:
            self._flush()
        for name, row in self._about():
            _write(self.place / f"{name}.jsonl.gz", [row])

    def _flush(self) -> None:
        batches = {
            "features": self._features,
            "activations": self._activations,
            "explanations": self._explanations,
        }
        for name, batch in batches.items():
            _write(self.place / name / f"batch-{self._batches}.jsonl.gz", batch)
            batch.clear()
        self._batches += 1

    def _keys(self, feature: int) -> dict[str, Any]:
        return {"modelId": self.model, "layer": self.source, "index": str(feature)}

    def _feature(self, result: FeatureResult, highest: float) -> dict[str, Any]:
        return {
            **self._keys(result.feature),
            "sourceSetName": SET,
            "createdAt": self.created,
            "maxActApprox": highest,
            "frac_nonzero": result.frequency,
            "hasVector": False,
            "vector": [],
            "pos_str": [],
            "pos_values": [],
            "neg_str": [],
            "neg_values": [],
        }

    def _activation(self, feature: int, image: TopImage) -> dict[str, Any]:
        rows, columns = self.grid
        values = [0.0] * (rows * columns)
        for position, value in zip(image.positions, image.values, strict=True):
            if 0 <= position < len(values):
                values[position] = value
        return {
            "id": _identity("activation", self.model, self.source, feature, image.digest),
            **self._keys(feature),
            "tokens": [f"r{i // columns}c{i % columns}" for i in range(rows * columns)],
            "values": values,
            "maxValue": max(values, default=0.0),
            "maxValueTokenIndex": max(range(len(values)), key=values.__getitem__),
            "minValue": min(values, default=0.0),
            "dataSource": image.path,
            "dataIndex": image.digest,
            "createdAt": self.created,
        }

    def _explanation(self, feature: int, variant: VariantResult) -> dict[str, Any]:
        scores = {name: score.value if score.HasField("value") else None for name, score in variant.scores.items()}
        return {
            "id": _identity("explanation", self.model, self.source, feature, variant.variant),
            **self._keys(feature),
            "description": variant.text,
            "typeName": f"{SET}_{variant.variant}",
            "explanationModelName": self.explainer,
            "notes": json.dumps({"outcome": variant.outcome, "scores": scores}, sort_keys=True),
            "createdAt": self.created,
            "updatedAt": self.created,
        }

    def _about(self) -> Iterator[tuple[str, dict[str, Any]]]:
        made = {"creatorName": CREATOR, "createdAt": self.created}
        shown = {"displayNameShort": self.model, "displayName": self.model, "owner": CREATOR}
        yield "model", {"id": self.model, "layers": self.layer + 1, "neuronsPerLayer": 0, **shown, **made}
        words = "Explanations of vision features by steering"
        yield "release", {"name": SET, "description": words, "descriptionShort": words, "urls": [], **made}
        yield "sourceset", {"modelId": self.model, "name": SET, "description": words, "releaseName": SET, **made}
        told = {"num_prompts": 0, "num_tokens_in_prompt": self.grid[0] * self.grid[1], "dataset": self.dataset}
        yield "source", {"id": self.source, "modelId": self.model, "setName": SET, **told, **made}


def _identity(*parts: object) -> str:
    """The same thing gets the same id in every export; shaped as Neuronpedia's (`c` and 24 characters)."""
    return "c" + hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _write(file: Path, lines: list[Mapping[str, Any]]) -> None:
    """Gzipped JSON lines, without the time of writing: equal jobs give equal files."""
    file.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed:
        for line in lines:
            packed.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
    file.write_bytes(buffer.getvalue())
