"""What the vlm service must equal: transformers' own pipeline, one row at a time, with a forward hook on block N."""

from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from services.serving.images import pixels_of
from services.vlm.spec import CompleteRow, ExplainRow, Explanation
from tests.unit.subject.families import Family


class Reference:
    def __init__(self, vlm: Any, processor: Any, family: Family, layer: int) -> None:
        self.vlm, self.processor, self.family = vlm, processor, family
        self.block = family.block(vlm, layer)

    def inputs(self, row: ExplainRow | CompleteRow) -> Any:
        images = [pixels_of(image).copy() for image in getattr(row, "images", ())]
        content = [*({"type": "image", "image": image} for image in images), {"type": "text", "text": row.prompt}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            **{"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"},
            processor_kwargs=dict(self.family.squash) if images else {},
        )

    @contextmanager
    def steered(self, row: ExplainRow | CompleteRow):
        """Eq. 5 as a hook: h + α·direction, or α·direction, on all of the block's output or at the row's patches."""

        def hook(module, args, h):
            if row.direction is None or not row.alpha:
                return h
            change = row.alpha * torch.from_numpy(row.direction)
            steered = h + change if row.mode != "replacement" else change.expand_as(h)
            if row.positions is None:
                return steered
            h = h.clone()
            for image, patch in zip(*np.nonzero(row.positions), strict=True):
                token = self.family.leading + patch
                h[image, token] = steered[image, token]
            return h

        handle = self.block.register_forward_hook(hook) if isinstance(row, ExplainRow) else None
        try:
            yield
        finally:
            if handle is not None:
                handle.remove()

    def features(self, row: ExplainRow) -> torch.Tensor:
        with self.steered(row):
            return self.family.features(self.vlm, self.inputs(row)["pixel_values"])

    @torch.no_grad()
    def logits(self, row: ExplainRow) -> torch.Tensor:
        """Of all positions of the prompt, [1, t, vocabulary]."""
        with self.steered(row):
            logits: torch.Tensor = self.vlm(**self.inputs(row)).logits
        return logits

    @torch.no_grad()
    def write(self, row: ExplainRow | CompleteRow, max_new_tokens: int) -> Explanation:
        """`generate` with all logits kept, and the figures taken from them."""
        inputs = self.inputs(row)
        with self.steered(row):
            output = self.vlm.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                **{"do_sample": False, "return_dict_in_generate": True, "output_logits": True},
            )
        new = output.sequences[0, inputs["input_ids"].shape[1] :]
        logprobs = [logits[0].log_softmax(-1)[token].item() for logits, token in zip(output.logits, new, strict=True)]
        ended = int(new[-1]) in self.vlm.generation_config.eos_token_id
        words = new[:-1] if ended else new
        text = self.processor.tokenizer.decode(words, skip_special_tokens=True)
        return Explanation(text, len(words), sum(logprobs) / len(logprobs), not ended)
