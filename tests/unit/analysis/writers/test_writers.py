"""Every writer against texts that try to break out, and against independent readers."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.analysis.writers import latex, markdown
from orchestrator.analysis.writers.csv import to_csv
from orchestrator.analysis.writers.text import one_line
from tests.unit.analysis.worlds import HOSTILE

TEXTS = st.text(max_size=30) | st.sampled_from(HOSTILE)


def test_csv_keeps_numbers_and_texts():
    table = pd.DataFrame(
        {"feature": [1, -2], "iou": [0.1 + 0.2, np.nan], "kept": [True, False], "text": ["a, b", 'say "x"']}
    )
    back = pd.read_csv(io.StringIO(to_csv(table)))
    pd.testing.assert_frame_equal(back, table)


def test_csv_never_begins_a_cell_with_a_formula_but_keeps_negative_numbers():
    table = pd.DataFrame({"text": HOSTILE, "n": [-1.5] * len(HOSTILE), "=cmd": [1] * len(HOSTILE)})
    back = pd.read_csv(io.StringIO(to_csv(table)), keep_default_na=False, dtype={"text": str})
    assert not [cell for cell in back["text"] if cell.lstrip().startswith(("=", "+", "-", "@"))]
    assert (back["n"] == -1.5).all()
    assert "'=cmd" in back.columns


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_csv_has_one_record_per_row_whatever_the_texts(texts):
    texts = [text.replace("\r", " ") for text in texts]  # Python's reader takes a bare CR for an end of line
    written = io.StringIO(to_csv(pd.DataFrame({"text": texts, "n": range(len(texts))})), newline="")
    back = pd.read_csv(written, dtype=str, keep_default_na=False, skip_blank_lines=False)
    assert back["n"].tolist() == [str(n) for n in range(len(texts))]


@pytest.mark.parametrize("text", HOSTILE)
def test_latex_has_no_command_of_the_text_and_balanced_braces(text):
    set_ = latex.escape(text)
    commands = set(re.findall(r"\\([a-zA-Z]+)", set_))
    assert commands <= {
        "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textquotedbl",
        "textasciigrave", "textquotesingle", "dagger", "geq", "leq", "alpha", "times", "pm", "dots",
    }  # fmt: skip
    bare = re.sub(r"\\[{}]", "", set_)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[%#&_~]", re.sub(r"\$[^$]*\$", "", set_))
    assert "\n" not in set_


def test_latex_table_is_booktabs():
    table = pd.DataFrame({"method": ["Top-k & co"], "IoU": [".516*†"]})
    assert latex.to_latex(table, "50 % of_all", "scores").splitlines() == [
        r"\begin{table}[t]", r"\centering", r"\caption{50 \% of\_all}", r"\label{tab:scores}", r"\begin{tabular}{lr}",
        r"\toprule", r"method & IoU \\", r"\midrule", r"Top-k \& co & .516*$^{\dagger}$ \\", r"\bottomrule",
        r"\end{tabular}", r"\end{table}",
    ]  # fmt: skip


def test_a_latex_table_wider_than_a_page_is_made_smaller():
    narrow = pd.DataFrame({"a": ["x" * 30], "b": ["1"]})
    wide = narrow.assign(c=["y" * 80])
    assert r"\resizebox" not in latex.to_latex(narrow, "c", "l")
    lines = latex.to_latex(wide, "c", "l").splitlines()
    at = lines.index(r"\resizebox{\linewidth}{!}{%")
    assert lines[at + 1] == r"\begin{tabular}{lrl}"
    assert lines[-3:] == [r"\end{tabular}", "}", r"\end{table}"]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_is_one_row_without_markup(text):
    table = markdown.to_markdown(pd.DataFrame({"text": [text], "n": ["1"]}), "caption")
    lines = table.splitlines()
    assert len(lines) == 5
    assert len(re.findall(r"(?<!\\)\|", lines[-1])) == 3
    assert "<" not in lines[-1] and "://" not in lines[-1]
    assert not re.search(r"(?<!\\)[*\[\]`_]", lines[-1])


@settings(deadline=None)
@given(st.text())
def test_one_line_is_one_line_and_keeps_the_direction(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not set(line) & {chr(code) for code in (0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0)}
    assert one_line(line) == line
