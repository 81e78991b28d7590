"""`Removal`: how a rule would be taken out of the code, and who must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class StaleError(AssertionError):
    """The code has changed under a removal: give it the text that now stands for the rule."""


@dataclass(frozen=True)
class Removal:
    """`text`, which stands exactly once in `file`, gives way to `instead`; then one of the `tests` must fail."""

    rule: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]

    def applied(self, root: Path) -> str:
        """The file without the rule. Raises StaleError if it does not apply."""
        content = (root / self.file).read_text("utf-8")
        if content.count(self.text) != 1:
            raise StaleError(f"{self.rule}: {content.count(self.text)} times in {self.file}: {self.text!r}")
        return content.replace(self.text, self.instead)
