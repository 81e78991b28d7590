"""The end of a run: the input scale folded back, the SAE evaluated on the held-out images, and its files."""

import copy
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.sae.training.card import card
from services.sae.training.curves import draw_curves
from services.sae.training.dataset import Watch
from services.sae.training.errors import TrainingError
from services.sae.training.evaluation import Evaluator
from services.sae.training.model import TopKSae
from services.sae.training.norms import Norms
from services.sae.training.opening import Side, Tower
from services.sae.training.settings import TrainingSettings
from services.sae.training.trainer import Trainer
from services.sae.training.writing import replacing, write_json, write_sae

_FIGURES = "figures.json"


def finished(out: Path) -> bool:
    """Whether the last of the files is there."""
    return (out / _FIGURES).exists()


def folded(sae: TopKSae, scale: float) -> TopKSae:
    """A frozen copy that reads residuals as they are, of one that was trained on residuals / scale."""
    result = copy.deepcopy(sae).requires_grad_(requires_grad=False)
    result.rescale(scale)
    return result


def evaluate(
    sae: TopKSae, tower: Tower, side: Side, settings: TrainingSettings, watch: Watch
) -> tuple[Evaluator, dict[str, str]]:
    """The SAE on all images of a side, and the damaged ones by name. Raises TrainingError when all of them are."""
    evaluator = Evaluator(sae)
    damaged: dict[str, str] = {}
    for group in tower.reader(side, settings).read(side.chosen, watch):
        evaluator.add(group.residual.flatten(0, 1))
        damaged |= side.named(group.refused)
    if not evaluator.patches:
        raise TrainingError("--eval-images: none of the images can be decoded; give others")
    return evaluator, damaged


def write_result(
    settings: TrainingSettings,
    tower: Tower,
    trainer: Trainer,
    norms: Norms,
    damaged: Mapping[str, str],
    sides: tuple[Side, Side],
    watch: Watch,
) -> None:
    """All files of the folder; figures.json last."""
    train, held = sides
    sae = folded(trainer.sae, norms.scale)
    evaluator, undecoded = evaluate(sae, tower, held, settings, watch)
    figures = {name: round(value, 6) for name, value in evaluator.figures().items()}
    others = {} if held.survey is train.survey else held.survey.refused
    data = {
        "images": _facts(train, len(damaged), {**train.survey.refused, **damaged}),
        "eval_images": _facts(held, len(undecoded), {**others, **undecoded}),
    }
    write_sae(settings.out, sae, evaluator.frequency, _trainer_table(settings, tower, trainer, norms, train))
    draw_curves(settings.out / "progress.jsonl", settings.out / "loss.png")
    recipe = {**settings.model_dump(mode="json"), "steps": trainer.step}
    with replacing(settings.out / "CARD.md") as file:
        file.write(card(settings, tower.site, trainer.step, figures, data, asdict(norms)).encode())
    write_json(settings.out / _FIGURES, {"figures": figures, "recipe": recipe, "data": data})


def _facts(side: Side, damaged: int, refused: Mapping[str, str]) -> dict[str, Any]:
    """Of a side's images: how many were used, and which were not, by name, with the reason."""
    return {
        "location": side.images.location,
        "count": len(side.chosen) - damaged,
        "set_hash": side.hash,
        "refused": dict(refused),
    }


def _trainer_table(
    settings: TrainingSettings, tower: Tower, trainer: Trainer, norms: Norms, train: Side
) -> dict[str, Any]:
    """config.json's table, by dictionary_learning's names where it has one."""
    return {
        "layer": settings.layer,
        "lm_name": settings.model,
        "submodule_name": tower.site,
        "lr": settings.lr,
        "steps": trainer.step,
        "auxk_alpha": settings.aux,
        "warmup_steps": settings.warmup,
        "decay_start": settings.recipe.decay_start(trainer.step),
        "seed": settings.seed,
        "beta2": settings.beta2,
        "batch": settings.batch,
        "dead_after": settings.dead_after,
        "images_hash": train.hash,
        "activation_scale": norms.scale,
        "mean_residual_norm": norms.mean,
    }
