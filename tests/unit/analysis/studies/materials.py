"""Material made by hand: jobs of worlds with a known answer, embeddings and labels without any model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from orchestrator.analysis.studies.material import Material, Run
from tests.unit.analysis.worlds import references, world


@dataclass(frozen=True)
class Told:
    """What a labeller would answer."""

    kind: str
    key: str
    value: str
    source: str = "explainer"


def run(job="job", name="A job", **known) -> Run:
    stages = [(f, stage, 0.5 + f / 10) for f in range(40) for stage in ("explain", "generate")]
    seconds = pd.DataFrame(stages, columns=["feature", "stage", "seconds"])
    return Run(job, name, references(world(job=job)), seconds, **known)


def material(frame=None, runs=None, **more) -> Material:
    return Material(world() if frame is None else frame, runs or (run(),), **more)


def embed(texts):
    """Unit vectors drawn by text: equal texts, equal vectors."""
    rows = [np.random.default_rng(list(text.encode())).standard_normal(24) for text in texts]
    vectors = np.array(rows, np.float32).reshape(len(texts), 24)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def ask(questions):
    """Every text is a background or an animal by its length, low-level if it speaks of steering."""
    values = {
        "subject": lambda texts: "animal" if "topk" in texts[0] else "background",
        "abstraction": lambda texts: "low-level" if "steering" in texts[0] else "high-level",
        "cluster": lambda texts: f"about {texts[0]}",
    }
    return [Told(one.kind, one.key, values[one.kind](one.texts)) for one in questions]
