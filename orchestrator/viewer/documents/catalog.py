"""The first document that the pages ask for: which jobs there are, and what this site can do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.pipeline.variants import AT, VARIANTS
from orchestrator.viewer.documents.methods import method_documents
from orchestrator.viewer.job_view import JobInfo

SCHEMA = 1


@dataclass(frozen=True)
class Abilities:
    """What the site can do beside showing documents; a folder of files can do none of it."""

    live: bool = False  # follow jobs, read new results
    explain: bool = False  # the playground
    probe: bool = False  # which features fire on a dropped image
    search: bool = False  # nearest explanations by meaning
    names: bool = False  # ask a labeller for the clusters' names


def catalog(jobs: Sequence[JobInfo], abilities: Abilities = Abilities(), title: str = "SteerScope") -> dict[str, Any]:
    """`{schema, title, abilities, jobs, steered}`; jobs as given, newest first by custom.

    `steered` are the methods with an α, which the playground offers.
    """
    steered = [name for name, kind in VARIANTS.items() if kind.steered and AT not in name]
    return {
        "schema": SCHEMA,
        "title": title,
        "abilities": asdict(abilities),
        "jobs": [job_document(job) for job in jobs],
        "steered": method_documents(steered),
    }


def job_document(job: JobInfo) -> dict[str, Any]:
    """A job as lists and the job page show it."""
    return asdict(job) | {"ended": job.ended}
