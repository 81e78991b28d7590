"""What a report's studies get from the running API: sentence embeddings, and labels by the explainer.

The one place where the report meets the rooms `search` and `labels`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.progress import Progress

from orchestrator.cli.console import err, progress_bar, shown
from orchestrator.client import JobsClient, JobsError
from orchestrator.labels.jobs import JobLabeller
from orchestrator.labels.model import Question
from orchestrator.search.embeddings import ApiEmbedder

if TYPE_CHECKING:
    from orchestrator.analysis.gather import Ask
    from orchestrator.analysis.studies.material import Material


def enriched(material: "Material", client: JobsClient, with_map: bool, with_labels: bool) -> "Material":
    """With what is wanted and can be had; what cannot is said, and the studies that need it say so, too."""
    from orchestrator.analysis import gather  # pandas: only where it is needed

    with progress_bar() as bar:
        if with_map:
            embed = ApiEmbedder(client, _line(bar, "embeddings")).embed
            material = _tried("sentence embeddings", lambda: gather.with_vectors(material, embed)) or material
        if with_labels:
            labeller = JobLabeller(client, _line(bar, "labels"), "labels of a report")
            material = _tried("labels", lambda: gather.with_labels(material, _asking(labeller))) or material
    return material


def _tried(what: str, get: Callable[[], "Material"]) -> "Material | None":
    try:
        return get()
    except JobsError as error:
        err.print(f"[yellow]no {what}:[/] {shown(str(error))}", highlight=False)
        return None


def _asking(labeller: JobLabeller) -> "Ask":
    return lambda asked: labeller.ask([Question(*one) for one in asked])


def _line(bar: Progress, what: str) -> Callable[[int, int], None]:
    """A line of its own, from the first news on."""
    task = bar.add_task(what, total=None, note="", visible=False)
    return lambda done, total: bar.update(task, completed=done, total=total, visible=True)
