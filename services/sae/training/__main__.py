"""`python -m services.sae.training …`, which `steerscope sae train …` starts."""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from services.sae.training.command_line import parse
from services.sae.training.errors import Interrupted, TrainingError

EXIT_FAULT, EXIT_INTERRUPTED = 1, 130


def main(argv: list[str] | None = None) -> int:
    """Train; the exit status. SIGINT and SIGTERM end it after a checkpoint, a second one at once."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("services.sae.training").setLevel(logging.INFO)
    stopping = _stop_on_signals()
    try:
        settings = parse(argv)
        from services.imagesets import ImageSetError
        from services.sae.training.run import train  # late: --help need not wait for torch
    except TrainingError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is not installed; training needs: pip install 'steerscope[sae-training]'")
    try:
        train(settings, stopping)
    except (TrainingError, ImageSetError) as error:
        return _fail(str(error))
    except Interrupted:
        sys.stderr.write("interrupted: give the same command again to go on\n")
        return EXIT_INTERRUPTED
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return EXIT_FAULT


def _stop_on_signals() -> Callable[[], bool]:
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop.is_set


if __name__ == "__main__":
    sys.exit(main())
