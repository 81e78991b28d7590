"""The served model `generate`."""

from collections.abc import Iterable, Sequence

from services.generator.backend import Backend
from services.generator.spec import GENERATE, Generated, GenerateRow
from services.serving.errors import InvalidInputError
from services.serving.images import to_ppm
from services.serving.model import Parameters, ServedModel


class GenerateModel(ServedModel[GenerateRow, Generated]):
    """Draws the rows of a batch with a backend."""

    spec = GENERATE
    memory_advice = "take a smaller size, bfloat16 as dtype, t5 = false, or offload = model"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.version = backend.version
        self.facts = backend.facts
        self.resident = backend.resident

    def run(self, rows: Sequence[GenerateRow], parameters: Parameters) -> Sequence[Generated]:
        for row in rows:
            if row.seed < 0:
                raise InvalidInputError(f"SEED is {row.seed}; it must lie in 0 ≤ seed < 2^63")
        images = self._backend.draw(
            [row.prompt for row in rows],
            [row.seed for row in rows],
            int(parameters["steps"]),
            float(parameters["guidance"]),
        )
        return [Generated(to_ppm(pixels)) for pixels in images]

    def warm_up(self) -> Iterable[Sequence[GenerateRow]]:
        prompt = self._backend.warm_up_prompt
        return () if prompt is None else ([GenerateRow(prompt, seed=0)],)
