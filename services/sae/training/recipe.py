"""The numbers of the optimisation, and the learning rate they make. No torch in here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """METHOD §3; `dead_after` in patches, `decay` as a share of all steps."""

    lr: float = 3e-4
    beta2: float = 0.999
    warmup: int = 1000
    decay: float = 0.2
    aux: float = 1 / 32
    dead_after: int = 10_000_000

    def decay_start(self, total: int) -> int:
        """The first step of the decay."""
        return total - int(self.decay * total)

    def factor(self, step: int, total: int) -> float:
        """The learning rate's factor at 0-based `step` of `total`: up from 0, level, down to (almost) 0, all linear.

        As in dictionary_learning's `get_lr_schedule`; where both slopes overlap the lower one counts, since `total`
        may shrink on the way (images that turn out to be damaged).
        """
        start = self.decay_start(total)
        up = step / self.warmup if step < self.warmup else 1.0
        down = (total - step) / (total - start) if step >= start and total > start else 1.0
        return max(0.0, min(up, down))

    def check(self, total: int) -> None:
        """Raises ValueError unless the warm-up ends before the decay begins."""
        if self.warmup >= self.decay_start(total):
            raise ValueError(
                f"--warmup {self.warmup}: the images make {total} steps, of which the decay starts at "
                f"{self.decay_start(total)}; give a smaller --warmup, a smaller --batch or more --epochs"
            )
