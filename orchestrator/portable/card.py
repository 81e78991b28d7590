"""What people read first: the dataset card, and the provenance of everything in the folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict

from orchestrator.portable.layout import EXPLANATIONS, FEATURES, FORMAT, IMAGES
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import Provenance

_OF_PLAN = ("variants", "scores", "layer", "grid", "dict_size", "activation_dim", "mean_residual_norm", "validation")
_TABLES = {
    EXPLANATIONS: "a row per feature and variant: text, outcome and reason; per score its value, outcome, reason and "
    "parts (per image); per judge the images generated of the text, their seeds and activations",
    FEATURES: "a row per feature: alive, how often it fires, its top images with S and active patches, provenance",
    IMAGES: "the images themselves, each once, by sha256: top images as they are in their set, generated ones",
}


def provenance(job: pb.PortableJob, of_results: Provenance | None) -> dict[str, Any]:
    """Models, sets, seeds, software, prompts, settings and the job's own words, as a JSON document."""
    plan: Mapping[str, Any] = json.loads(job.plan)
    request = pb.SubmitRequest.FromString(job.request)
    told = of_results or Provenance()
    return {
        "format": FORMAT,
        "job": {
            "id": job.id,
            "name": request.spec.name,
            "state": "cancelled" if job.cancelled else "done",
            "created": job.created,
            "started": job.started,
            "finished": job.finished,
            "spec": MessageToDict(request.spec, preserving_proto_field_name=True),
        },
        "software": plan["software"],
        "models": plan["models"],
        "sets": plan["sets"],
        "indexes": {name: plan[f"{name}_index"] for name in ("explain", "test")},
        "seed": plan["seed"],
        "prompts": plan["prompts"],
        "prompt_prefix": plan["prompt_prefix"],
        "settings": dict(told.settings),
        "plan": {name: plan[name] for name in _OF_PLAN if name in plan},
    }


def job_file(job: pb.PortableJob, indexes: Mapping[str, bytes]) -> dict[str, Any]:
    """What restores the job itself; `request` is the protobuf message, base64."""
    return {
        "format": job.format,
        "id": job.id,
        "request_id": job.request_id,
        "request": base64.b64encode(job.request).decode("ascii"),
        "plan": job.plan,
        "cancelled": job.cancelled,
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "items": job.items,
        "indexes": {name: base64.b64encode(record).decode("ascii") for name, record in sorted(indexes.items())},
    }


def card(
    document: Mapping[str, Any],
    counts: Mapping[str, int],
    contents: Mapping[str, str],
    missing: int,
    *,
    pages: bool = False,
) -> str:
    """README.md: YAML that names the configs, then words. Names that people chose are quoted as JSON.

    `contents[config]` is a digest of its rows: `datasets` keeps what it has read under the folder's last name and this
    YAML, and would take an export for another one of the same name.
    """
    configs = [name for name in (EXPLANATIONS, FEATURES, IMAGES) if name in counts]
    name = json.dumps(document["job"]["name"] or f"SteerScope job {document['job']['id']}", ensure_ascii=True)
    lines = ["---", f"pretty_name: {name}", "tags:", "- interpretability", "- sparse-autoencoder", "- steerscope"]
    lines.append("configs:")
    for config in configs:
        lines += [f"- config_name: {config}", f"  data_files: {config}/train-*.parquet"]
        lines += [f"  description: rows {contents[config]}"]
        lines += ["  default: true"] if config == EXPLANATIONS else []
    lines += ["---", "", f"# Explanations of vision features: job {document['job']['id']}", ""]
    lines += [
        "Written by `steerscope export`. `provenance.json` says which models, image sets, seeds, prompts and settings",
        "made it; `steerscope import` brings the job into another installation (it reads `restore/` and `images/`).",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        *(f'{config} = load_dataset("PATH_OR_HUB_ID", "{config}", split="train")' for config in configs),
        "```",
        "",
        "| config | rows | |",
        "| --- | --- | --- |",
        *(f"| `{config}` | {counts[config]} | {_TABLES[config]} |" for config in configs),
        "",
        "Explanations are a model's words about images: a score without a value has an outcome and a reason.",
    ]
    if pages:
        lines += ["", "`viewer/index.html` opens in a browser, without a server."]
    if IMAGES not in counts:
        lines += ["", "The images were left out (`--without-images`)."]
    elif missing:
        lines += ["", f"{missing} images were gone from their places when this was written."]
    return "\n".join([*lines, ""])
