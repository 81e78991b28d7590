"""The command line, made of the settings' table. No torch in here: `--help` is there at once."""

import argparse
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from services.sae.training.errors import TrainingError
from services.sae.training.settings import TrainingSettings

_EXAMPLES = """examples:
  The paper's recipe (Gemma 3, the middle layer; ~640,000 steps):
    steerscope sae train --model google/gemma-3-4b-it --layer 16 --images ~/imagenet/train --out sae/gemma-16
  The microworld's, in a minute on a CPU:
    python -m services.microworld images --set explain --n 3000 --out /tmp/scenes
    steerscope sae train --model package:services.microworld/weights/vlm --layer 2 --images /tmp/scenes \\
      --out /tmp/sae --dict-size 256 --k 4 --batch 4096 --lr 1e-3 --epochs 13 --warmup 50 --decay .3 \\
      --dead-after 245760
  A run that was interrupted, even by kill -9: give the same command again."""


def parse(argv: list[str] | None = None) -> TrainingSettings:
    """Settings from arguments. Raises TrainingError naming the option; exits on --help and on unknown options."""
    given = vars(_parser().parse_args(argv))
    try:
        return TrainingSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise TrainingError("; ".join(_explain(item) for item in error.errors())) from error


def _explain(item: Any) -> str:
    option = "--" + str(item["loc"][0]).replace("_", "-") + ": " if item["loc"] else ""
    return option + str(item["msg"]).removeprefix("Value error, ")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="steerscope sae train",
        description="Train a TopK sparse autoencoder on the residual stream of a vision encoder after block N, and "
        "evaluate it on images that it did not see. Runs that were interrupted go on where they were.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, field in TrainingSettings.model_fields.items():
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, required=field.is_required(), metavar=_metavar(field), help=_help(field))
    return parser


def _metavar(field: FieldInfo) -> str:
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    names = {int: "N", float: "X", Path: "FOLDER"}
    return next((names[kind] for kind in kinds if kind in names), "TEXT")


def _help(field: FieldInfo) -> str:
    text = str(field.description).replace("%", "%%")
    if get_origin(field.annotation) is Literal:
        text += f": {', '.join(get_args(field.annotation))}"
    if field.is_required() or field.default is None:
        return text
    return f"{text} (default: {field.default:{',' if isinstance(field.default, int) else ''}})"
