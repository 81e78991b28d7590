"""How images are drawn: steps, guidance, size; from the settings, else from a file beside the weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

BESIDE_WEIGHTS = "steerscope.json"


@dataclass(frozen=True)
class Drawing:
    """The drawing values of METHOD §6 (Stable Diffusion 3.5 Medium) unless something else is asked for.

    `size` is the side of the square image in pixels, `max_sequence_length` the tokens of the T5 part of the prompt.
    Without T5 the pipeline fills them with zeros, so they must be as many as in training.
    """

    steps: int = 30
    guidance: float = 7.5
    size: int = 512
    max_sequence_length: int = 256

    def with_request(self, steps: int, guidance: float) -> "Drawing":
        """This drawing with a request's `steps` (0 keeps) and `guidance` (−1 keeps)."""
        return replace(self, steps=steps or self.steps, guidance=self.guidance if guidance == -1 else guidance)


def resolve(weights: Path | None, chosen: Mapping[str, int | float | None]) -> Drawing:
    """`chosen` values, where None the file `steerscope.json` in the folder `weights`, where silent the defaults.

    Raises ValueError when the file holds a key that is not a drawing value.
    """
    known = {field.name for field in fields(Drawing)}
    values = asdict(Drawing())
    file = weights / BESIDE_WEIGHTS if weights else None
    if file and file.is_file():
        beside = json.loads(file.read_text(encoding="utf-8"))
        if unknown := sorted(set(beside) - known):
            raise ValueError(f"{file.name}: unknown keys {unknown}; it may hold {sorted(known)}")
        values |= beside
    values |= {name: value for name, value in chosen.items() if value is not None}
    return Drawing(**values)
