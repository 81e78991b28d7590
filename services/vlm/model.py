"""The two models of the vlm service: `explain` and `complete`."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from services.serving.errors import InvalidInputError
from services.serving.images import Picture, decode, to_ppm
from services.serving.model import Parameters, Resident, ServedModel
from services.serving.portions import Portions
from services.subject import Subject
from services.vlm.decoding import Decoded, GreedyDecoder
from services.vlm.prefixes import PrefixCache
from services.vlm.prompting import Prompter
from services.vlm.spec import COMPLETE, EXPLAIN, CompleteRow, ExplainRow, Explanation
from services.vlm.steering import Interventions, interventions

_WHITE = np.full((64, 64, 3), 255, np.uint8)


class Writer:
    """Prompts (and image features) to explanations; shared by both models."""

    def __init__(self, prompter: Prompter, decoder: GreedyDecoder, context: int) -> None:
        """`context` is the most tokens that the language model takes, prompt and answer together."""
        self.prompter, self._decoder, self._context = prompter, decoder, context

    def check(self, prompt: str, images: int, parameters: Parameters) -> None:
        """Raises InvalidInputError when prompt and answer do not fit into the model's context."""
        length, new = self.prompter.encode(prompt, images).length, int(parameters["max_new_tokens"])
        if length + new > self._context:
            raise InvalidInputError(
                f"PROMPT and IMAGES take {length} tokens and max_new_tokens is {new}; together they must not exceed "
                f"{self._context}: shorten the prompt, send fewer images or lower max_new_tokens"
            )

    def write(
        self, prompts: Sequence[str], images: int, seen: Mapping[str, Any], parameters: Parameters
    ) -> list[Explanation]:
        """One text per prompt; all have `images` images and the same number of tokens. `seen`: `Subject.handed`."""
        encoded = [self.prompter.encode(prompt, images) for prompt in prompts]
        tensors = {name: torch.cat([one.tensors[name] for one in encoded]) for name in encoded[0].tensors}
        return [
            self._explanation(decoded) for decoded in self._decoder(tensors, seen, int(parameters["max_new_tokens"]))
        ]

    def _explanation(self, decoded: Decoded) -> Explanation:
        text = self.prompter.decode(decoded.tokens)
        return Explanation(text, len(decoded.tokens), decoded.logprob, decoded.truncated)


class ExplainModel(ServedModel[ExplainRow, Explanation]):
    """What the model says about images while one feature of its encoder is steered (METHOD §5)."""

    spec = EXPLAIN

    def __init__(
        self,
        subject: Subject,
        prefixes: PrefixCache,
        writer: Writer,
        *,
        images_per_pass: int,
        version: str,
        facts: Mapping[str, str],
        resident: Resident | None = None,
    ) -> None:
        self.version, self.facts, self.resident = version, facts, resident
        self._subject, self._prefixes, self._writer = subject, prefixes, writer
        self._portions = Portions(images_per_pass)

    def bucket(self, row: ExplainRow, parameters: Parameters) -> Hashable:
        images = len(row.images)
        return images, self._writer.prompter.encode(row.prompt, images).length

    def run(self, rows: Sequence[ExplainRow], parameters: Parameters) -> list[Explanation]:
        images = len(rows[0].images)
        if not images:
            raise InvalidInputError("IMAGES is empty; send at least one image, or use the model `complete`")
        for row in rows:
            self._writer.check(row.prompt, images, parameters)
        steering = interventions(rows, self._subject.leading, self._subject.patches, self._subject.width)
        features = self._features([decode(image) for row in rows for image in row.images], steering)
        seen = self._subject.handed(features)
        return self._writer.write([row.prompt for row in rows], images, seen, parameters)

    def warm_up(self) -> Iterable[Sequence[ExplainRow]]:
        blank, still = decode(to_ppm(_WHITE)), np.zeros(self._subject.width, np.float32)
        for images in (1, 5):  # steering and the others
            yield [ExplainRow("describe", (blank,) * images, still, 1.0, "addition")]

    def special_tokens(self) -> frozenset[str]:
        return self._writer.prompter.special_tokens()

    def _features(self, pictures: Sequence[Picture], steering: Interventions | None) -> Tensor:
        """Image features for the language model, [images, tokens, d_lm], steered on the way."""

        def features_of(part: Sequence[int]) -> Tensor:
            images = slice(part[0], part[-1] + 1)
            h = self._prefixes.streams(pictures[images])
            if steering is not None:
                steering.apply(h, images)
            return self._subject.resume(h)

        features = torch.cat(list(self._portions.each(features_of, range(len(pictures)))))
        if steering is not None and not features.isfinite().all():
            raise InvalidInputError("ALPHA drives the encoder out of its numeric range; use a smaller one")
        return features


class CompleteModel(ServedModel[CompleteRow, Explanation]):
    """The language model alone."""

    spec = COMPLETE

    def __init__(
        self, writer: Writer, *, version: str, facts: Mapping[str, str], resident: Resident | None = None
    ) -> None:
        self.version, self.facts, self.resident = version, facts, resident
        self._writer = writer

    def bucket(self, row: CompleteRow, parameters: Parameters) -> Hashable:
        return self._writer.prompter.encode(row.prompt, 0).length

    def run(self, rows: Sequence[CompleteRow], parameters: Parameters) -> list[Explanation]:
        for row in rows:
            self._writer.check(row.prompt, 0, parameters)
        return self._writer.write([row.prompt for row in rows], 0, {}, parameters)

    def warm_up(self) -> Iterable[Sequence[CompleteRow]]:
        yield [CompleteRow("describe")]

    def special_tokens(self) -> frozenset[str]:
        return self._writer.prompter.special_tokens()
