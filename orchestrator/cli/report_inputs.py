"""What a report's studies get from the running API: sentence embeddings, and labels by the explainer.

The one place where the report meets the rooms `search` and `labels`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.cli.console import err
from orchestrator.client import JobsClient, JobsError

if TYPE_CHECKING:
    from orchestrator.analysis.gather import Ask, Embed
    from orchestrator.analysis.studies.material import Material


def enriched(material: "Material", client: JobsClient, with_map: bool, with_labels: bool) -> "Material":
    """With what is wanted and can be had; what cannot is said, and the studies that need it say so, too."""
    from orchestrator.analysis import gather  # pandas: only where it is needed

    embed, ask = embedder(client) if with_map else None, labeller(client) if with_labels else None
    if embed is not None:
        material = _tried("sentence embeddings", lambda: gather.with_vectors(material, embed)) or material
    if ask is not None:
        material = _tried("labels", lambda: gather.with_labels(material, ask)) or material
    return material


def _tried(what: str, get: Callable[[], "Material"]) -> "Material | None":
    try:
        return get()
    except JobsError as error:
        err.print(f"[yellow]no {what}:[/] {error}", highlight=False, markup=True)
        return None


def embedder(client: JobsClient) -> "Embed | None":
    """What embeds texts; None as long as the API cannot. At the merge: `ApiEmbedder(client).embed`."""
    return None


def labeller(client: JobsClient) -> "Ask | None":
    """What answers questions; None as long as no labels can be asked for.

    At the merge: `lambda asked: JobLabeller(client).ask([Question(*one) for one in asked])`.
    """
    return None
