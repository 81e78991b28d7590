"""Studies as files: `tables/NAME.csv|tex|md` and `figures/NAME.png|svg`."""

from collections.abc import Iterable
from pathlib import Path

from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.study import Outcome, Study
from orchestrator.analysis.writers.csv import to_csv
from orchestrator.analysis.writers.latex import to_latex
from orchestrator.analysis.writers.markdown import to_markdown

TABLES, FIGURES = "tables", "figures"


def write_studies(outcomes: Iterable[Outcome], folder: Path) -> list[Path]:
    """Write every table and figure that was made; what was not leaves no file. The paths written."""
    written: list[Path] = []
    for study in outcomes:
        if isinstance(study, Study):
            written += _tables(study, folder / TABLES)
            if study.figure is not None:
                written += style.save(study.figure, folder / FIGURES, study.heading.key)
    return written


def _tables(study: Study, folder: Path) -> list[Path]:
    """A table without a form for people has its CSV only."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for table in study.tables:
        forms = {"csv": to_csv(table.data)}
        if not table.shown.empty:
            forms |= {
                "tex": to_latex(table.shown, table.caption, table.name),
                "md": to_markdown(table.shown, table.caption),
            }
        for suffix, text in forms.items():
            path = folder / f"{table.name}.{suffix}"
            path.write_text(text, encoding="utf-8", newline="")
            paths.append(path)
    return paths
