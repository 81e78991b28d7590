"""What one sees of a run: a line on the terminal, and `progress.jsonl`."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from services.sae.training.dataset import Watch
from services.sae.training.writing import replacing

_LOG_SECONDS = 10.0  # between lines where the output is no terminal


class Progress:
    """Step by step; `progress.jsonl` has one line per logged step, in the order of steps, none of them twice."""

    def __init__(self, out: Path, step: int, total: int, batch: int) -> None:
        """`step` steps were done before: lines of later ones, which will be done again, are taken out."""
        self.file, self._batch = out / "progress.jsonl", batch
        kept = [line for line in whole_lines(self.file) if json.loads(line)["step"] <= step]
        with replacing(self.file) as file:
            file.write("".join(line + "\n" for line in kept).encode())
        self._bar = tqdm(total=total, initial=step, desc="train", unit="step", mininterval=_interval())
        self._from, self._start, self._shown = step, time.perf_counter(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def watch(self, done: int, of: int) -> None:
        """The buffer is being filled."""
        if time.perf_counter() - self._shown > _interval():
            self._bar.set_description(f"train (encoding image {done}/{of})")
            self._shown = time.perf_counter()

    def advance(self, total: int) -> None:
        """One more step of `total`."""
        self._bar.total = total
        self._bar.set_description("train", refresh=False)
        self._bar.update()

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Show the figures after `step` steps and append them to the file."""
        speed = (step - self._from) * self._batch / (time.perf_counter() - self._start)
        shown = {"loss": "{:.4f}", "l0": "{:.1f}", "explained": "{:.3f}", "dead": "{:.1%}"}
        told = {name: form.format(figures[name]) for name, form in shown.items()}
        self._bar.set_postfix(told | {"patches/s": f"{speed:,.0f}"}, refresh=False)
        line: dict[str, Any] = {"step": step, "patches": step * self._batch, **figures, "patches_per_second": speed}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@contextmanager
def images_bar(label: str) -> Iterator[Watch]:
    """A line for work that is counted in images."""
    with tqdm(desc=label, unit="image", mininterval=_interval()) as bar:

        def watch(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield watch


def _interval() -> float:
    return 0.1 if sys.stderr.isatty() else _LOG_SECONDS


def whole_lines(file: Path) -> list[str]:
    """Whole lines of what is there: a kill may have cut the last one."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return text.split("\n")[:-1]
