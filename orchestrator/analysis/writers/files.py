"""A table as a file, in the format that its suffix names."""

from pathlib import Path

import pandas as pd

from orchestrator.analysis.writers.csv import to_csv

SUFFIXES = (".parquet", ".csv", ".jsonl")


def check_suffix(path: Path) -> None:
    """Raise ValueError unless the suffix names a format; also useful before long work."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path.name}: the suffix says the format and must be one of {', '.join(SUFFIXES)}")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write as .parquet, .jsonl or .csv (where no text is a formula, see `to_csv`). Raises ValueError likewise."""
    check_suffix(path)
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path, index=False)
        case ".csv":
            path.write_text(to_csv(frame), encoding="utf-8", newline="")
        case _:
            frame.to_json(path, orient="records", lines=True, force_ascii=False)
