"""`steerscope label`: what the explanations of a job are about, or how abstract they are."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import CommandError, check_output, err, out, progress_bar
from orchestrator.client import JobsClient
from orchestrator.labels.jobs import JobLabeller
from orchestrator.labels.model import GRAMMAR, VALUES, Label, Question
from orchestrator.labels.table import counts_of, label_frame, questions_of, texts_of

EXAMPLE = "steerscope label 3f2a9c --kind subject -o labels.csv"


def label(
    job: Annotated[str, typer.Argument(help="Job id.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="subject (background, animal, other) or abstraction (low-level, high-level, other) [default: both]."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a row per text to a .csv, .parquet or .jsonl file.")
    ] = None,
    api: Api = None,
) -> None:
    """Ask a language model about every distinct explanation of a job, and count the answers.

    The questions are a job of their own. What it has answered is kept: call again after a break, and only what is new
    is asked. An answer that is not plainly one of the values is counted as unreadable, never guessed.
    """
    kinds = list(dict.fromkeys(kind or VALUES))
    if unknown := [name for name in kinds if name not in VALUES]:
        raise CommandError(f"kind: {unknown[0]!r} is unknown; give one of {', '.join(VALUES)}")
    if output is not None:
        check_output(output)
    with connect(api) as client:
        texts = texts_of(client.results(job))
        if not texts:
            raise CommandError(f"job {job} has no explanation yet; `steerscope watch {job}` waits for them")
        labels = _ask(client, questions_of(texts, kinds), f"labels of {job}")
    out.print(_table(labels, texts))
    if any(one.source == GRAMMAR for one in labels):
        err.print("[yellow]answered by the drawn world's own grammar, not by a language model[/]")
    if output is not None:
        from orchestrator.analysis.writers.files import write_frame  # pandas: only where it is needed

        write_frame(label_frame(labels, texts, job), output)
        err.print(f"{len(labels)} labels written to {output}")


def _ask(client: JobsClient, questions: list[Question], name: str) -> list[Label]:
    with progress_bar() as bar:
        task = bar.add_task("labels", total=len(questions), note="")
        return JobLabeller(client, lambda done, total: bar.update(task, completed=done), name).ask(questions)


def _table(labels: list[Label], texts: dict[str, int]) -> Table:
    counts = counts_of(labels, texts)
    table = Table("question", "answer", "texts", "explanations", "share")
    for (kind, value), (distinct, all_) in counts.items():
        total = sum(count for (other, _), (_, count) in counts.items() if other == kind)
        table.add_row(kind, value, str(distinct), str(all_), f"{all_ / total:.1%}")
    return table
