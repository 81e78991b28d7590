"""How a starting stack looks in the terminal: a spinner with what is still missing, a line per part that is ready."""

from collections.abc import Callable
from pathlib import Path

from rich.status import Status

from orchestrator.cli.console import err
from orchestrator.local.images import prepare_images
from orchestrator.local.stack import Stack


class StackProgress:
    """Reports of a `Supervisor`, shown; a context manager around the spinner."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._status = Status("starting", console=err)

    def __enter__(self) -> "StackProgress":
        self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._status.stop()

    def report(self, part: str, event: str) -> None:
        """One step of one part."""
        if event == "starting":
            self._waiting.add(part)
        elif event == "ready":
            self._waiting.discard(part)
            err.print(f"[green]✓[/] {part} ready")
        else:
            err.print(f"[yellow]•[/] {part} {event}")
        self._status.update(f"waiting for {', '.join(sorted(self._waiting))}" if self._waiting else "up")

    def finish(self) -> None:
        """Everything is ready: the spinner goes."""
        self._status.stop()

    def images(self, stack: Stack) -> Callable[[Path], None] | None:
        """What draws the profile's image sets, if it brings any."""
        section = stack.profile.section("sets")
        if "prepare" not in section:
            return None

        def prepare(root: Path) -> None:
            prepare_images(section, root, lambda name, done, of: self._status.update(f"images {name}: {done} of {of}"))

        return prepare
