"""How images are drawn: steps, guidance, size."""

from dataclasses import dataclass, replace


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
