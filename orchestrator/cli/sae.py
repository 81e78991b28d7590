"""`steerscope sae …`: what is done to SAEs before they are served. The work is done by a process that has torch."""

import signal
import subprocess
import sys
from types import FrameType
from typing import Annotated

import typer

app = typer.Typer(help="Train sparse autoencoders.", no_args_is_help=True)

_TRAINING = "services.sae.training"
_AS_GIVEN = {"ignore_unknown_options": True, "help_option_names": []}  # options and --help are the training's own


@app.command("train", context_settings=_AS_GIVEN)
def train(
    arguments: Annotated[list[str] | None, typer.Argument(help="Options; `steerscope sae train --help`.")] = None,
) -> None:
    """Train a TopK sparse autoencoder on images; a run that was interrupted goes on where it was."""
    raise typer.Exit(_run([sys.executable, "-m", _TRAINING, *(arguments or [])]))


def _run(command: list[str]) -> int:
    """The exit status of a child that shares our terminal. A Ctrl-C reaches it by itself; SIGTERM is handed on."""
    child = subprocess.Popen(command)

    def hand_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    before = signal.signal(signal.SIGTERM, hand_on), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = child.wait()
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    return status if status >= 0 else 128 - status
