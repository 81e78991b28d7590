"""CSV that a spreadsheet shows and never executes."""

import csv
import io
import math

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # also as full-width characters


def to_csv(table: pd.DataFrame) -> str:
    """UTF-8 text with a header line; numbers in full precision, no value as nothing.

    A text that a spreadsheet would take for a formula gets an apostrophe before it; numbers never do.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_safe(str(name)) for name in table.columns])
    for row in table.itertuples(index=False, name=None):
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue()


def _cell(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return _safe(value)
    return repr(float(value)) if isinstance(value, float) else str(value)


def _safe(text: str) -> str:
    text = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) else text
