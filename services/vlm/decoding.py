"""Greedy decoding with log-probabilities, for a batch of equally long prompts (so nothing is padded).

`generate` of transformers would do, but to report log-probabilities it keeps all logits (64 rows × 100 steps ×
262,144 words: 6.7 GB), and it computes finished rows on to the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from services.subject import home_of


@dataclass(frozen=True)
class Decoded:
    """Generated tokens without the end token; mean log-probability over them and the end token; whether cut."""

    tokens: list[int]
    logprob: float
    truncated: bool


class GreedyDecoder:
    """Takes the most likely token until a row ends; a row that has ended leaves the batch."""

    def __init__(self, vlm: Any) -> None:
        """Raises ValueError when the checkpoint does not say how a text ends."""
        self._vlm = vlm
        ends = vlm.generation_config.eos_token_id
        if ends is None:
            raise ValueError("the checkpoint names no eos_token_id; add it to generation_config.json")
        self._ends = torch.tensor(ends if isinstance(ends, list) else [ends])

    @torch.no_grad()
    def __call__(self, prompts: Mapping[str, Tensor], seen: Mapping[str, Any], max_new_tokens: int) -> list[Decoded]:
        """One result per row of `prompts` (tensors [b, t]); `seen` stands for all rows' images (`Subject.handed`)."""
        cache = DynamicCache(config=self._vlm.config.get_text_config())
        inputs = {name: tensor.to(home_of(self._vlm)) for name, tensor in prompts.items()}
        logits = self._forward(cache, **inputs, **seen)
        count, device = logits.shape[0], logits.device
        ends = self._ends.to(device)
        tokens = torch.zeros(count, max_new_tokens, dtype=torch.long, device=device)
        logprobs = torch.zeros(count, max_new_tokens, device=device)
        ended = torch.zeros(count, dtype=torch.bool, device=device)
        steps = torch.zeros(count, dtype=torch.long, device=device)
        active = torch.arange(count, device=device)
        for step in range(max_new_tokens):
            best, token = logits.max(-1)
            tokens[active, step], logprobs[active, step] = token, best - logits.logsumexp(-1)
            steps[active] = step + 1
            going = ~torch.isin(token, ends)
            ended[active] = ~going
            if step + 1 == max_new_tokens or not going.any():
                break
            if not going.all():
                active, token = active[going], token[going]
                cache.batch_select_indices(going.nonzero().flatten().cpu())  # its layers may lie on several devices
            logits = self._forward(cache, input_ids=token[:, None])
        return [
            Decoded(row[: n - end], float(mean), not end)
            for row, n, end, mean in zip(
                tokens.tolist(), steps.tolist(), ended.tolist(), (logprobs.sum(1) / steps).tolist(), strict=True
            )
        ]

    def _forward(self, cache: DynamicCache, **inputs: Any) -> Tensor:
        """Logits of the last position, float32 [b, vocabulary]."""
        output = self._vlm(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits: Tensor = output.logits[:, -1].float()
        return logits
