"""A training run from its settings to the files of the SAE.

Exact resume: on a CPU the weights are those of an undisturbed run bit for bit, given the same number of threads. On an
accelerator batches and states are the same too, but kernels that add in no fixed order may differ in the last bits.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from services.sae.training.checkpoints import Checkpoints
from services.sae.training.dataset import Watch
from services.sae.training.errors import Interrupted, TrainingError
from services.sae.training.model import TopKSae
from services.sae.training.norms import Norms
from services.sae.training.opening import Place, Side, Tower, identity_of, open_sides, open_tower
from services.sae.training.progress import Progress, images_bar
from services.sae.training.result import finished, write_result
from services.sae.training.settings import TrainingSettings
from services.sae.training.stream import ActivationStream, StreamPlan
from services.sae.training.trainer import Trainer

logger = logging.getLogger(__name__)
Stopping = Callable[[], bool]


def train(settings: TrainingSettings, stopping: Stopping) -> None:
    """Train, evaluate, write; go on from the newest checkpoint. `stopping` turns true when the run shall end early.

    Raises TrainingError, ImageSetError, and Interrupted once all that was done is in a checkpoint.
    """
    checkpoints, place = Checkpoints(settings.out), Place.of(settings)
    checkpoints.agree(settings.identity | place.identity)
    tower = open_tower(settings, place)
    plan = _plan(settings, place, tower)
    with images_bar("hash") as watch:
        sides = open_sides(settings, checkpoints, _ending(stopping, watch))
    checkpoints.begin(identity_of(settings, place, tower, *sides))
    if finished(settings.out):
        logger.info("%s is trained already", settings.out)
        checkpoints.clear()
        return
    try:
        run = Run.start(settings, place, tower, plan, sides[0], checkpoints)
        norms = run.go(stopping)
        with images_bar("evaluate") as watch:
            damaged = sides[0].named(run.stream.refused)
            write_result(settings, tower, run.trainer, norms, damaged, sides, _ending(stopping, watch))
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"{place.device}: out of memory; give a smaller --buffer-gb, --images-per-pass or --batch"
        ) from error
    checkpoints.clear()


@dataclass
class Run:
    """The parts at work."""

    settings: TrainingSettings
    checkpoints: Checkpoints
    trainer: Trainer
    stream: ActivationStream
    norms: Norms | None = None

    @classmethod
    def start(
        cls,
        settings: TrainingSettings,
        place: Place,
        tower: Tower,
        plan: StreamPlan,
        side: Side,
        checkpoints: Checkpoints,
    ) -> "Run":
        """From nothing, or from the newest checkpoint. Raises TrainingError when the schedule does not fit."""
        try:
            settings.recipe.check(plan.steps(len(side.chosen)))
        except ValueError as error:
            raise TrainingError(str(error)) from error
        stream = ActivationStream(tower.reader(side, settings), side.chosen, plan, place.device, place.dtype)
        draw = torch.Generator().manual_seed(settings.seed)
        sae = TopKSae(plan.width, settings.dict_size, settings.k, draw).to(place.device)
        run = cls(settings, checkpoints, Trainer(sae, settings.recipe), stream)
        run.resume(checkpoints.newest())
        logger.info("%d images, %d patches each: %d steps", len(side.chosen), plan.patches, stream.total)
        return run

    def resume(self, state: dict[str, Any] | None) -> None:
        """Go on from a checkpoint, if there is one."""
        if state is None:
            return
        self.trainer.load(state["trainer"])
        self.stream.load(state["stream"])
        self.norms = Norms(**state["norms"])
        logger.info("resumed after step %d", self.trainer.step)

    def go(self, stopping: Stopping) -> Norms:
        """All steps that are left; returns the norms of the input. Raises Interrupted, TrainingError: not one step."""
        with Progress(self.settings.out, self.trainer.step, self.stream.total, self.settings.batch) as progress:
            try:
                self._steps(progress, stopping)
            except Interrupted:
                self._save()
                raise
        if self.norms is None:
            raise TrainingError("--images: too many are damaged to fill one batch; give more, or a smaller --batch")
        self._save()
        return self.norms

    def _steps(self, progress: Progress, stopping: Stopping) -> None:
        saved = time.monotonic()
        for raw in self.stream.batches(_ending(stopping, progress.watch)):
            self.norms = self.norms or Norms.of(self.stream.filled)
            step = self.trainer.update(raw.float() / self.norms.scale, self.stream.total)
            progress.advance(self.stream.total)
            if self.trainer.step % self.settings.log_steps == 0 or self.trainer.step in (1, self.stream.total):
                self._log(progress, step.figures())
            if self._due(time.monotonic() - saved):
                self._save()
                saved = time.monotonic()
            if stopping():
                raise Interrupted

    def _log(self, progress: Progress, figures: dict[str, float]) -> None:
        if not math.isfinite(figures["loss"]):
            raise TrainingError(f"the loss is {figures['loss']} at step {self.trainer.step}: lower --lr or try --dtype")
        progress.log(self.trainer.step, figures)

    def _due(self, seconds: float) -> bool:
        if self.settings.checkpoint_steps is not None:
            return self.trainer.step % self.settings.checkpoint_steps == 0
        return seconds >= 60 * self.settings.checkpoint_minutes

    def _save(self) -> None:
        if self.norms is None:
            return  # nothing was learnt yet
        state = {"trainer": self.trainer.state(), "stream": self.stream.state(), "norms": vars(self.norms)}
        self.checkpoints.write(self.trainer.step, state)


def _plan(settings: TrainingSettings, place: Place, tower: Tower) -> StreamPlan:
    """Raises TrainingError when the buffer is too small."""
    patches, width = tower.subject.patches, tower.subject.width
    try:
        return StreamPlan(
            patches=patches,
            width=width,
            batch=settings.batch,
            epochs=settings.epochs,
            seed=settings.seed,
            buffer=settings.buffer_bytes // (width * place.dtype.itemsize),
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error


def _ending(stopping: Stopping, watch: Watch) -> Watch:
    """A watch that also ends the work when it shall end."""

    def both(done: int, of: int) -> None:
        if stopping():
            raise Interrupted
        watch(done, of)

    return both
