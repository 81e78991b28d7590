"""`ExplainPlan`: a JobSpec with every choice made and frozen, on which alone a feature's results depend."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.pipeline.defaults import Protocol, SteeringSettings
from orchestrator.pipeline.grid import Grid
from orchestrator.pipeline.prompts import Prompts
from orchestrator.pipeline.render import Interpolation, Tint
from orchestrator.pipeline.variants import Variant


class PlanError(ValueError):
    """A JobSpec that cannot be carried out."""

    def __init__(self, field: str, rule: str, remedy: str) -> None:
        super().__init__(f"{field}: {rule}; {remedy}")
        self.field, self.rule, self.remedy = field, rule, remedy


class ExplainPlan(BaseModel):
    """Everything that decides the results of a job's features. JSON-able; `features` are the job's items instead.

    Fields with a default came later: plans that wait in a queue from before have none.
    """

    model_config = ConfigDict(frozen=True)

    features: tuple[int, ...] = Field(default=(), exclude=True)
    validation: tuple[int, ...] = ()  # features on which α was chosen
    protocol: Protocol = "clean"
    variants: tuple[str, ...]
    scores: tuple[str, ...]
    texts: dict[str, str]  # variant → artifact with its given texts, JSON {feature: text}
    steering: SteeringSettings
    informed: SteeringSettings
    prompts: Prompts
    max_new_tokens: int
    top_k: int
    explain_index: str | None  # None: the job needs no images to show, or none to score on
    test_index: str | None
    sets: dict[str, str]  # explain, test → hash of the set
    reduce: Literal["mean", "max"]
    generated_images: int
    generator: dict[str, int | float] = {}  # parameters of its requests; what is left out is the service's own setting
    prompt_prefix: str
    filler: str = ""  # scored in place of a missing explanation; empty: nothing is
    segmenter_boxes: Literal["union", "first"]
    heatmap_strength: float
    heatmap_interpolation: Interpolation
    heatmap_tint: Tint = "green"
    cls_off_by_one: bool = False
    max_side: int
    seed: int
    mean_residual_norm: float | None  # None: not known, and no α is in its multiples
    grid: str
    layer: int
    dict_size: int
    activation_dim: int
    models: dict[str, str]  # "service.model" → version
    software: str

    def items(self) -> list[str]:
        """The job's items: its features. Only on the plan as resolved; they do not travel with its JSON."""
        return [str(feature) for feature in self.features]

    @property
    def patch_grid(self) -> Grid:
        return Grid.parse(self.grid)

    def made(self) -> dict[str, Variant]:
        """The variants that the explainer makes, by name: all but the given texts."""
        return {name: Variant.parse(name) for name in self.variants if name not in self.texts}

    def check_feature(self, feature: int) -> None:
        """Raise PlanError unless the SAE has this feature."""
        if not 0 <= feature < self.dict_size:
            raise PlanError("feature", f"{feature} is not in 0…{self.dict_size - 1}", "the SAE has no other features")

    def settings(self) -> dict[str, str]:
        """The choices that travel with every result."""
        plain = (
            "protocol",
            "top_k",
            "generated_images",
            "prompt_prefix",
            "max_new_tokens",
            "segmenter_boxes",
            "reduce",
            "layer",
            "heatmap_strength",
            "heatmap_interpolation",
            "heatmap_tint",
        )
        steered = {
            f"{name}.{key}": str(value)
            for name, given in (("steering", self.steering), ("informed", self.informed))
            for key, value in given.model_dump().items()
        }
        norm = self.mean_residual_norm
        return {
            **{name: str(getattr(self, name)) for name in plain},
            **steered,
            **(self._released() if self.protocol == "released" else {}),
            "mean_residual_norm": "" if norm is None else repr(norm),
            "explain_index": self.explain_index or "",
            "test_index": self.test_index or "",
        }

    def _released(self) -> dict[str, str]:
        """What a reader must know of a job that followed the released code."""
        same = self.explain_index is not None and self.explain_index == self.test_index
        return {
            "scored_on": "the images that were explained" if same else "the test set; its overlap was not checked",
            "filler": self.filler,
            "cls_off_by_one": str(self.cls_off_by_one),
            **{f"generator.{name}": str(value) for name, value in self.generator.items()},
        }


@lru_cache(maxsize=16)
def read_plan(plan: str) -> ExplainPlan:
    """The plan of a job from its JSON, remembered: all items of a job bring the same one."""
    return ExplainPlan.model_validate_json(plan)
