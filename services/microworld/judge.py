"""The judge: what the features of the shipped SAE are truly about, and what a text says they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.microworld.world import attributes

TRUTH = Path(__file__).parent / "weights" / "sae" / "truth.json"


class MicroworldJudge:
    """Truth of features by attribute families (color, shape, texture), measured on scenes that nothing else uses.

    An attribute is true of a feature if at least 70 % of its activation mass lies on patches that show it.
    """

    def __init__(self, truth: Path | None = None) -> None:
        """Read `truth.json`, by default that of the shipped SAE."""
        stored: dict[str, Any] = json.loads((truth or TRUTH).read_text(encoding="utf-8"))
        self._features = {int(feature): record for feature, record in stored["features"].items()}

    def interpretable(self) -> list[int]:
        """The features that have at least one true attribute, ascending."""
        return sorted(i for i, record in self._features.items() if record["attributes"])

    def truth_texts(self) -> dict[int, str]:
        """A text made from the true attributes of every interpretable feature, e.g. "red star pattern"."""
        return {i: str(self._features[i]["text"]) for i in self.interpretable()}

    def true_attributes(self, feature: int) -> dict[str, str]:
        """The true attributes per family; empty where a feature is not interpretable.

        Raises:
            KeyError: the SAE has no such feature.
        """
        if feature not in self._features:
            raise KeyError(f"feature: {feature} is not one of the SAE's {len(self._features)} features")
        return dict(self._features[feature]["attributes"])

    def attributes(self, text: str) -> dict[str, str]:
        """What a text names per family, only the families that it names: {"color": "red", "shape": "star"}."""
        return attributes(text)
