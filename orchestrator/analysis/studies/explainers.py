"""Figs. 3 and 10: the same features explained by several language models, a job each."""

from orchestrator.analysis.methods import method_of
from orchestrator.analysis.studies import runs
from orchestrator.analysis.studies.material import Material
from orchestrator.analysis.studies.study import Heading, Study, Table, plain_numbers
from orchestrator.analysis.studies.words import heading

HEADING = Heading("explainers", "Size of the explainer", "Figs. 3 and 10", "Do larger language models explain better?")
READING = (
    "Each point is a job with another explainer, in the order in which the jobs were given; lines join a method's "
    "points. Only features that all jobs explained are counted."
)
REMEDY = (
    "Submit the same features under profiles with other explainers (gemma3-4b, gemma3-12b, gemma3-27b share one "
    "encoder), name the jobs with --name, and give all to `steerscope report JOB JOB …`, smallest first."
)


def make(material: Material) -> Study:
    """Needs jobs whose explainer differs."""
    explainer: dict[str, object] = {run.job: run.models.get("vlm.explain") for run in material.runs}
    used = runs.different(material, explainer, "their explainer", REMEDY)
    data = runs.table(material, used)
    data.insert(2, "explainer", data["job"].map(explainer))
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
        _notes(material),
    )


def _notes(material: Material) -> tuple[str, ...]:
    """What else differs between the jobs spoils the comparison."""
    names = {name for run in material.runs for name in run.models}
    others = {name for name in names if not name.startswith("vlm.")}
    spoiled = [name for name in sorted(others) if len({run.models.get(name) for run in material.runs}) > 1]
    return (f"The jobs differ in more than the explainer: {', '.join(spoiled)}.",) if spoiled else ()
