"""Fig. 5: top images taken from explain sets of several sizes, a job each."""

from orchestrator.analysis.methods import method_of
from orchestrator.analysis.studies import runs
from orchestrator.analysis.studies.material import Material
from orchestrator.analysis.studies.study import Heading, MissingInputError, Study, Table, plain_numbers
from orchestrator.analysis.studies.words import heading

HEADING = Heading(
    "explain_sets", "Size of the explain set", "Fig. 5", "How many images do Top-k explanations need to choose from?"
)
READING = (
    "Each point is a job whose top images came from a set of that many images. Where Top-k's lines grow flat, more "
    "images no longer help; how far Steering-informed Top-k lies above them is what the intervention adds. Steering "
    "sees no images. Jobs of other explainers than the first one's are left out."
)
REMEDY = (
    "Index parts of one set (`steerscope index PART --name explain`), submit the same features once with each "
    "(--explain-set ID), and give all jobs to `steerscope report JOB JOB …`."
)


def make(material: Material) -> Study:
    """Needs jobs whose explain set has another number of images, and one test set."""
    found, alike = runs.compared(
        material, lambda run: run.explain_images, runs.explainer_of, "the size of their explain set", REMEDY
    )
    used = sorted(found, key=lambda run: (run.explain_images or 0, run.job))
    if len({run.sets.get("test") for run in used}) > 1:
        raise MissingInputError("The jobs were scored on different test sets.", "Score all on one: --test-set ID.")
    data = runs.table(material, used)
    data.insert(2, "images", data["job"].map({run.job: run.explain_images for run in used}).astype("int64"))
    named = data.assign(label=[method_of(v).label for v in data["variant"]], score=[heading(s) for s in data["score"]])
    columns = {"images": "images", "label": "method", "score": "score", "value": "value", "low": "low", "high": "high",
               "n": "features"}  # fmt: skip
    sizes = [run.explain_images or 0 for run in used]
    return Study(
        HEADING,
        READING,
        (Table("explain_sets", "Scores by number of explain images.", data, plain_numbers(named, columns)),),
        runs.draw(data, sizes, [f"{count:,}" for count in sizes], "images in the explain set"),
        () if alike else ("The jobs differ in more than the explain set: the explainer.",),
    )
