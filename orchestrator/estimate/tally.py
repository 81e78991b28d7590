"""What a rehearsed feature asked of the services, and what the cache spared it."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Asked:
    """Of one model, over all rehearsed features. `guessed` rows hang on texts that are not known yet: features whose
    explanations turn out alike need fewer."""

    calls: int = 0
    rows: int = 0
    guessed: int = 0
    guessed_calls: int = 0
    cached: int = 0  # rows that the cache had

    @property
    def cached_share(self) -> float:
        """Of all rows that were looked up."""
        total = self.rows + self.cached
        return self.cached / total if total else 0.0


@dataclass
class Tally:
    """By `service.model`; the parts of a feature add from several threads."""

    asked: defaultdict[str, Asked] = field(default_factory=lambda: defaultdict(Asked))
    features: int = 0  # that were rehearsed
    unknown_texts: int = 0  # explanations that are still to be made
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, model: str, rows: int, *, guessed: bool) -> None:
        """A call that would be made."""
        with self._lock:
            one = self.asked[model]
            one.calls += 1
            one.rows += rows
            if guessed:
                one.guessed += rows
                one.guessed_calls += 1

    def spare(self, model: str, rows: int) -> None:
        """Rows that were found in the cache."""
        with self._lock:
            self.asked[model].cached += rows

    def name_text(self) -> str:
        """A text that stands for one that is not known; no two are alike."""
        with self._lock:
            self.unknown_texts += 1
            return f"{MARK}{self.unknown_texts}"


MARK = "\ue000rehearsal "  # of a private use area: no model says this
