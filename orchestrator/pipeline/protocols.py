"""The protocols that a job can follow: `clean`, which is ours, and `released`, the choices of the paper's public code.

`released` exists to compare with the paper's numbers. What it changes, and the paragraph of METHOD that knows it:

| choice | `clean` | `released` | METHOD |
| --- | --- | --- | --- |
| images scored on | the test set, disjoint | those of the explain set; overlap waived | §4 |
| negatives of AUROC | the test set's reference sample | the explain set's: it is the test set | §4, §6 |
| top images k | the profile's | 5 | §4 |
| heatmaps | a green highlight | tinted all over with viridis at .35 | §4 |
| steering | the profile's | added to all tokens of a blank white image | §5 |
| informed | the profile's | added to the tokens where the feature is active | §5 |
| α | the profile's | [released] steering and informed, if the profile has them; else as `clean` | §5 |
| boxes segmented | the profile's (union) | the first | §6 |
| generated images | the profile's N, the generator's own steps and guidance | N 3, 30 steps, guidance 7.5 | §6 |
| a missing explanation | a typed outcome without scores | "generic object" is scored, as outcome `replaced` | §9 |
| active tokens beside a CLS token | the patches' own | [released] cls_off_by_one: those one place later | §9 |

What the JobSpec itself says goes before all of these. Not the job's to choose: the size of generated images (512 px is
the generator's own default), the models, the number of images indexed. Not reproduced, for their effect is not fixed:
rows joined by position, unseeded draws. An explanation that failed for a service's fault is not replaced either.
"""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from orchestrator.pipeline.defaults import JobDefaults, SteeringSettings
from orchestrator.profile import ProfileSection

RELEASED = "released"
GENERIC_OBJECT = "generic object"


class ReleasedSettings(ProfileSection):
    """The profile's [released]: what the released code chose for one model, such as α 200 and 50 in raw units."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_RELEASED_")

    steering: SteeringSettings | None = None
    informed: SteeringSettings | None = None
    steps: int = 30
    guidance: float = 7.5
    cls_off_by_one: bool = False  # for a subject with a CLS token

    @property
    def generator(self) -> dict[str, int | float]:
        """Parameters of the generator's requests."""
        return {"steps": self.steps, "guidance": self.guidance}


def as_released(job: JobDefaults, released: ReleasedSettings, explain_set: str) -> JobDefaults:
    """The defaults of a job that shows `explain_set`, with the released code's choices over the profile's."""
    plain = {"mode": "addition", "blank": "white"}
    steering = released.steering or job.steering.model_copy(update=plain | {"positions": "all"})
    informed = released.informed or job.informed.model_copy(update=plain)
    return job.model_copy(
        update={
            "protocol": RELEASED,
            "test_set": explain_set,
            "top_k": 5,
            "generated_images": 3,
            "segmenter_boxes": "first",
            "heatmap_tint": "viridis",
            "heatmap_strength": 0.35,
            "steering": steering,
            "informed": informed.model_copy(update={"positions": "active"}),
        }
    )
