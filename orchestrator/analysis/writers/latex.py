"""LaTeX with booktabs, as it goes into a paper."""

import pandas as pd

from orchestrator.analysis.writers.text import holds_words, one_line

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "'": "{'}",
    "[": "{[}", "]": "{]}", "-": "{-}", "*": "{*}", "?": "{?}", "!": "{!}", ",": "{,}",
    "†": r"$^{\dagger}$", "–": "--", "—": "---", "−": "$-$", "≥": r"$\geq$", "≤": r"$\leq$", "α": r"$\alpha$",
    "×": r"$\times$", "±": r"$\pm$", "…": r"\dots{}", "’": "'", "“": "``", "”": "''",
}  # fmt: skip
_PAGE, _GAP = 90, 2  # letters: of a line of text of 6.5 inches in 10 point, and between columns
_KEPT = "-*,?!'"  # harmless alone: braces only break ligatures (`--`, `,,`, ?` and !`)


def to_latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A `table` of strings, words left and numbers right; needs \\usepackage{booktabs} and {textcomp}.

    One that is wider than a page is made smaller until it fits, for which {graphicx} is needed.
    Characters that pdfLaTeX does not know (other scripts) stay as they are: LuaLaTeX or XeLaTeX sets them.
    """
    texts = [[escape(str(cell)) for cell in row] for row in table.itertuples(index=False, name=None)]
    words = (column == 0 or holds_words(table.iloc[:, column]) for column in range(table.shape[1]))
    aligned = "".join("l" if one else "r" for one in words)
    before, after = ([r"\resizebox{\linewidth}{!}{%"], ["}"]) if _width(table) > _PAGE else ([], [])
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{tab:{label}}}",
        *before,
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        " & ".join(escape(str(name)) for name in table.columns) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in texts),
        r"\bottomrule",
        r"\end{tabular}",
        *after,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _width(table: pd.DataFrame) -> int:
    """In letters: the longest of every column, and the space between two."""
    columns = ([str(name), *table.iloc[:, place].astype(str)] for place, name in enumerate(table.columns))
    return sum(max(map(len, column)) + _GAP for column in columns)


def escape(text: str) -> str:
    """A text that LaTeX sets as it reads, and never runs."""
    line = one_line(text)
    out = []
    for place, char in enumerate(line):
        alone = char in _KEPT and line[place + 1 : place + 2] not in (char, "`")
        out.append(char if alone else _SPECIAL.get(char, char))
    return "".join(out)
