"""What explanations cost: measured seconds per stage, and beside them the paper's FLOPs (App. F)."""

import pandas as pd
from matplotlib.figure import Figure

from orchestrator.analysis.studies import flops, style
from orchestrator.analysis.studies.material import Material, Run
from orchestrator.analysis.studies.study import Heading, MissingInputError, Study, Table, plain_numbers

HEADING = Heading("cost", "Cost", "App. F", "Where does the time go, and what does each method cost?")
READING = (
    "Seconds that a feature spent in each stage, waiting in the services' queues included: the bar is the mean, the "
    "tick the median. Features run side by side and stages of one feature, too: the sum is more than the job took."
)
STAGES = ("features", "images", "render", "explain", "generate", "activate", "segment", "embed", "score")
_LETTERS = {"parameters": "P_sub (--parameters)", "prompt_tokens": "T_prompt (--prompt-tokens)", "width": "d_model",
            "dict_size": "d_SAE", "image_tokens": "T_img", "explanation_tokens": "T_expl", "top_k": "k",
            "images": "N_eval"}  # fmt: skip


def make(material: Material) -> Study:
    """Needs measured seconds, or all sizes of the formula."""
    measured = seconds(material)
    estimated, lacking = estimate(material)
    if measured.empty and estimated.empty:
        raise MissingInputError(
            "The results have no measured seconds.", "Submit the job again: jobs measure their stages."
        )
    several = {"name": "job"} if len(material.runs) > 1 else {}
    columns = several | {
        "stage": "stage",
        "features": "features",
        "mean": "mean s",
        "median": "median s",
        "total": "total s",
    }
    tables = [Table("cost", "Measured seconds per feature and stage.", measured, plain_numbers(measured, columns, 2))]
    if len(estimated):
        told = estimated.assign(value=[f"{value:.3g}" for value in estimated["flops"]])
        shown = plain_numbers(told, several | {"method": "method", "what": "what", "value": "FLOPs"})
        tables.append(Table("cost_flops", "FLOPs by the formula of App. F.", estimated, shown))
    notes = tuple(f"No FLOPs for {name}: unknown are {', '.join(letters)}." for name, letters in lacking.items())
    return Study(HEADING, READING, tuple(tables), draw(measured) if len(measured) else None, notes)


def seconds(material: Material) -> pd.DataFrame:
    """A row per job and stage, in the order of a feature's way: features, mean, median, total seconds."""
    rows = []
    for run in material.runs:
        for stage, part in run.seconds.groupby("stage"):
            spent = part.sort_values("feature")["seconds"]
            rows.append({"job": run.job, "name": material.names[run.job], "stage": str(stage), "features": len(spent),
                         "mean": spent.mean(), "median": spent.median(), "total": spent.sum()})  # fmt: skip
    columns = ["job", "name", "stage", "features", "mean", "median", "total"]
    order = {job: place for place, job in enumerate(material.jobs)}
    return pd.DataFrame(rows, columns=columns).sort_values(
        ["job", "stage"], key=lambda column: column.map(order if column.name == "job" else _place), ignore_index=True
    )


def _place(stage: str) -> int:
    return STAGES.index(stage) if stage in STAGES else len(STAGES)


def estimate(material: Material) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """App. F per job: rows (method, what, flops); and, per job without an estimate, the letters that are unknown."""
    rows, lacking = [], {}
    for run in material.runs:
        letters = known(run, material)
        missing = [_LETTERS[letter] for letter, value in letters.items() if value is None]
        if missing:
            lacking[material.names[run.job]] = missing
            continue
        shape = flops.Shape(**letters)  # type: ignore[arg-type]  # none is None
        once, shown = flops.precompute(shape), flops.top_k(shape)
        for method, what, value in (
            ("Steering", "per feature", flops.steering(shape)), ("Top-k", "once, for the index", once),
            ("Top-k", "per feature", shown), ("Steering-informed Top-k", "once, for the index", once),
            ("Steering-informed Top-k", "per feature", shown),
        ):  # fmt: skip
            rows.append(
                {"job": run.job, "name": material.names[run.job], "method": method, "what": what, "flops": value}
            )
    return pd.DataFrame(rows, columns=["job", "name", "method", "what", "flops"]), lacking


def known(run: Run, material: Material) -> dict[str, float | int | None]:
    """The formula's letters as far as the job and its index say them, and the sizes given; nothing is guessed."""
    return {
        "parameters": material.sizes.parameters,
        "prompt_tokens": material.sizes.prompt_tokens,
        "width": run.width or None,
        "dict_size": run.dict_size or None,
        "image_tokens": run.patches,
        "explanation_tokens": _number(run.settings.get("max_new_tokens")),
        "top_k": _number(run.settings.get("top_k")),
        "images": run.explain_images,
    }


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A bar per stage; jobs below one another."""
    jobs = list(dict.fromkeys(data["job"]))
    drawn = style.figure(7.6, sum(0.3 * (data["job"] == job).sum() + 0.9 for job in jobs))
    for axis, job in zip(drawn.subplots(len(jobs), 1, sharex=True, squeeze=False)[:, 0], jobs, strict=True):
        part = data[data["job"] == job]
        axis.barh(range(len(part)), part["mean"], color="#9db8cc", height=0.7)
        axis.plot(part["median"], range(len(part)), "|", color=style.INK, markersize=11, markeredgewidth=1.6)
        for place, row in enumerate(part.to_dict(orient="records")):
            axis.annotate(f"{row['mean']:.2f} s", (max(row["mean"], row["median"]), place), xytext=(7, 0),
                          textcoords="offset points", va="center", fontsize=8.5)  # fmt: skip
        axis.set_yticks(range(len(part)), [style.plain(stage, 24) for stage in part["stage"]])
        axis.invert_yaxis()
        axis.margins(x=0.12)
        if len(jobs) > 1:
            axis.set_title(style.plain(part["name"].iloc[0]), fontsize=10, loc="left")
        style.clean(axis, "x")
    axis.set_xlabel("seconds per feature")
    return drawn
