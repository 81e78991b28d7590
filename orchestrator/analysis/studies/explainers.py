"""Figs. 3 and 10: the same features explained by several language models, a job each."""

from collections.abc import Sequence

from orchestrator.analysis.methods import method_of
from orchestrator.analysis.studies import runs
from orchestrator.analysis.studies.material import Material, Run
from orchestrator.analysis.studies.study import Heading, Study, Table, plain_numbers
from orchestrator.analysis.studies.words import heading

HEADING = Heading("explainers", "Size of the explainer", "Figs. 3 and 10", "Do larger language models explain better?")
READING = (
    "Each point is a job with another explainer, in the order in which the jobs were given; lines join a method's "
    "points. Only features that all jobs explained are counted; jobs with an explain set of another size are left out."
)
REMEDY = (
    "Submit the same features under profiles with other explainers (gemma3-4b, gemma3-12b, gemma3-27b share one "
    "encoder), name the jobs with --name, and give all to `steerscope report JOB JOB …`, smallest first."
)


def make(material: Material) -> Study:
    """Needs jobs whose explainer differs."""
    used, alike = runs.compared(material, runs.explainer_of, lambda run: run.explain_images, "their explainer", REMEDY)
    data = runs.table(material, used)
    data.insert(2, "explainer", data["job"].map({run.job: runs.explainer_of(run) for run in used}))
    named = data.assign(label=[method_of(v).label for v in data["variant"]], score=[heading(s) for s in data["score"]])
    columns = {"name": "job", "explainer": "explainer", "label": "method", "score": "score", "value": "value",
               "low": "low", "high": "high", "n": "features"}  # fmt: skip
    names = [material.names[run.job] for run in used]
    return Study(
        HEADING,
        READING,
        (
            Table(
                "explainers", "Scores by explainer, over the features of all jobs.", data, plain_numbers(named, columns)
            ),
        ),
        runs.draw(data, range(len(names)), names, "explainer"),
        _notes(used, alike),
    )


def _notes(used: Sequence[Run], alike: bool) -> tuple[str, ...]:
    """What else differs between the jobs spoils the comparison."""
    others = {name for run in used for name in run.models if not name.startswith("vlm.")}
    spoiled = [name for name in sorted(others) if len({run.models.get(name) for run in used}) > 1]
    spoiled += [] if alike else ["the size of the explain set"]
    return (f"The jobs differ in more than the explainer: {', '.join(spoiled)}.",) if spoiled else ()
