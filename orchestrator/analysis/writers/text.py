"""What all writers do to a text first."""

import unicodedata
from collections.abc import Iterable

_DANGEROUS = {"Cc", "Cs", "Co"}  # controls, halves of pairs, private use
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])


def one_line(text: str) -> str:
    """Without line breaks, control characters and marks that turn the direction of what follows."""
    spaced = "".join(" " if char in "\t\r\n\v\f\x85\u2028\u2029" else char for char in text.translate(_BIDI))
    return " ".join("".join(char for char in spaced if unicodedata.category(char) not in _DANGEROUS).split())


def holds_words(column: Iterable[object]) -> bool:
    """Whether a cell has three letters or more: such a column is set to the left, one of figures to the right."""
    return any(sum(char.isalpha() for char in str(cell)) >= 3 for cell in column)
