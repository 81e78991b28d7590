"""What a job of features is, on the command line: the options that `submit` and `estimate` share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import CommandError
from orchestrator.cli.features import FeatureChoice
from protos.v1.jobs_pb2 import GivenTexts, JobSpec, Steering

Features = Annotated[str | None, typer.Option("--features", help="Feature ids: 3,17,40-55.")]
Sample = Annotated[int | None, typer.Option("--sample", min=1, help="So many alive features, drawn by --seed.")]
Everything = Annotated[bool, typer.Option("--all", help="All alive features.")]
Variants = Annotated[
    str | None,
    typer.Option("--variants", help="Explanations, by comma; NAME@ALPHA sets its alpha [default: the profile's]."),
]
Scores = Annotated[str | None, typer.Option("--scores", help="Scores to compute, by comma [default: the profile's].")]
Alpha = Annotated[float | None, typer.Option("--alpha", help="Strength of `steering` [default: the profile's].")]
InformedAlpha = Annotated[float | None, typer.Option("--informed-alpha", help="Strength of the informed variants.")]
Unit = Annotated[str, typer.Option("--unit", help="Unit of both: norm (of the mean residual) or raw.")]
Protocol = Annotated[
    str | None, typer.Option("--protocol", help="clean, or released: the choices of the paper's released code.")
]
ExplainSet = Annotated[
    str | None, typer.Option("--explain-set", help="Index of the images shown, by name or id [default: explain].")
]
TestSet = Annotated[
    str | None, typer.Option("--test-set", help="Index of the images scored on, by name or id [default: test].")
]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Top images shown and scored on.")]
Images = Annotated[int | None, typer.Option("--images", min=0, help="Images generated per explanation.")]
Texts = Annotated[
    list[str] | None,
    typer.Option("--texts", help="NAME=FILE: score your own texts as variant NAME; FILE is JSON {feature: text}."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of sampling and generation.")]
Name = Annotated[str, typer.Option("--name", help="A name for lists.")]


@dataclass(frozen=True)
class JobOptions:
    """As they were given."""

    features: str | None
    sample: int | None
    everything: bool
    variants: str | None
    scores: str | None
    alpha: float | None
    informed_alpha: float | None
    unit: str
    protocol: str | None
    explain_set: str | None
    test_set: str | None
    top_k: int | None
    images: int | None
    texts: list[str] | None
    seed: int | None
    name: str

    def spec(self) -> JobSpec:
        """As a request. Raises CommandError."""
        spec = JobSpec(
            name=self.name,
            variants=split(self.variants),
            scores=split(self.scores),
            top_k=self.top_k,
            generated_images=self.images,
            protocol=self.protocol,
            explain_set=self.explain_set,
            test_set=self.test_set,
        )
        FeatureChoice(self.features, self.sample, self.everything, self.seed).write(spec)
        if self.seed is not None:
            spec.seed = self.seed
        if self.alpha is not None:
            spec.steering.CopyFrom(Steering(alpha=self.alpha, unit=self.unit))
        if self.informed_alpha is not None:
            spec.informed.CopyFrom(Steering(alpha=self.informed_alpha, unit=self.unit))
        for variant, given in (_read_texts(item) for item in self.texts or ()):
            spec.texts[variant].CopyFrom(given)
        return spec


def split(listed: str | None) -> list[str]:
    """Names by comma; none for None."""
    return [part.strip() for part in listed.split(",") if part.strip()] if listed else []


def _read_texts(item: str) -> tuple[str, GivenTexts]:
    variant, equals, file = item.partition("=")
    if not equals or not variant:
        raise CommandError(f"texts: {item!r} must be NAME=FILE, for example mine=texts.json")
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        return variant, GivenTexts(by_feature={int(feature): str(text) for feature, text in content.items()})
    except (OSError, ValueError, AttributeError) as error:
        raise CommandError(f"texts: {file} must be a JSON object of feature id to text ({error})") from error
