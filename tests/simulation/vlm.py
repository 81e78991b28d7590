"""The simulated vlm service: texts of a few words."""

from collections.abc import Sequence
from typing import Any

from services.serving.errors import InvalidInputError
from services.serving.model import Parameters, ServedModel
from services.vlm.spec import COMPLETE, EXPLAIN, CompleteRow, ExplainRow, Explanation
from tests.simulation.content import generator
from tests.simulation.model import GRID, LAYER, PATCHES, SUBJECT, WIDTH, SimulatedModel
from tests.simulation.settings import SimulatedSettings

_WORDS = (
    ("red", "blue", "green", "yellow", "grey", "black", "white", "orange"),
    ("striped", "dotted", "smooth", "woven", "furry", "wet", "shiny", "torn"),
    ("circle", "dog", "wheel", "leaf", "window", "sign", "face", "boat"),
    ("", "on grass", "at night", "in a corner", "near water", "under a roof"),
)
_ONE_EMPTY_IN = 50  # models sometimes say nothing
_SPECIAL = frozenset({"<eos>", "<start_of_image>", "<image_soft_token>"})


def load(settings: SimulatedSettings) -> Sequence[ServedModel[Any, Any]]:
    """`explain` and `complete`."""
    return SimulatedExplain(settings), SimulatedComplete(settings)


def told(most: int, *content: Any) -> Explanation:
    """What the model says of this content in at most `most` words."""
    rng = generator(*content)
    words = " ".join(str(rng.choice(column)) for column in _WORDS).split()
    if rng.integers(_ONE_EMPTY_IN) == 0:
        words = []
    return Explanation(" ".join(words[:most]), min(len(words), most), -float(rng.random()), len(words) > most)


class SimulatedExplain(SimulatedModel[ExplainRow, Explanation]):
    """Explanations that depend on everything that a row holds."""

    spec = EXPLAIN

    def __init__(self, settings: SimulatedSettings) -> None:
        grid = "{}x{}".format(*GRID)
        facts = {"layer": str(LAYER), "activation_dim": str(WIDTH), "grid": grid, "subject_digest": SUBJECT}
        super().__init__(settings, facts)

    def answer(self, row: ExplainRow, parameters: Parameters) -> Explanation:
        if row.direction is not None and row.direction.shape != (WIDTH,):
            raise InvalidInputError(f"DIRECTION has {row.direction.size} elements; the subject's width is {WIDTH}")
        if row.positions is not None and row.positions.shape != (len(row.images), PATCHES):
            wanted = [len(row.images), PATCHES]
            raise InvalidInputError(f"POSITIONS has shape {list(row.positions.shape)}; it must be {wanted}")
        if row.mode not in (None, "addition", "replacement"):
            raise InvalidInputError(f"MODE is {row.mode!r}; it must be addition or replacement")
        content = (row.prompt, *row.images, row.direction, row.alpha, row.mode, row.positions)
        return told(int(parameters["max_new_tokens"]), *content)

    def special_tokens(self) -> frozenset[str]:
        return _SPECIAL


class SimulatedComplete(SimulatedModel[CompleteRow, Explanation]):
    """Texts that depend on the prompt."""

    spec = COMPLETE

    def answer(self, row: CompleteRow, parameters: Parameters) -> Explanation:
        return told(int(parameters["max_new_tokens"]), row.prompt)

    def special_tokens(self) -> frozenset[str]:
        return _SPECIAL
