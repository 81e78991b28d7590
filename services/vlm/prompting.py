"""Prompts to tokens and back, through the checkpoint's own processor and chat template."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

_REMEMBERED = 1024  # prompts; a job has a handful, labelling has one per text


@dataclass(frozen=True)
class PromptTokens:
    """A prompt behind n images: every tensor is [1, length] (`input_ids`, and `token_type_ids` where there are any)."""

    tensors: Mapping[str, Tensor]
    length: int


class Prompter:
    """Renders the chat template and remembers the result. Safe to use from several threads."""

    def __init__(self, processor: Any, options: Mapping[str, Any]) -> None:
        """`options`: what makes the processor squash an image to one square (`Subject.processor_options`)."""
        self._processor, self._options = processor, dict(options)
        self._lock = threading.Lock()  # tokenizers written in Rust fail when two threads set their padding
        self.encode = lru_cache(_REMEMBERED)(self._encode)

    def _encode(self, prompt: str, images: int) -> PromptTokens:
        """The user's turn of `images` images followed by `prompt`, and the opening of the model's turn."""
        blank = np.zeros((32, 32, 3), np.uint8)  # stands in for any image: only their number shows in the tokens
        content = [{"type": "image", "image": blank} for _ in range(images)] + [{"type": "text", "text": prompt}]
        with self._lock:
            encoded = self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs=self._options if images else {},
            )
        shape = encoded["input_ids"].shape
        tensors = {
            name: tensor
            for name, tensor in encoded.items()
            if isinstance(tensor, Tensor) and tensor.shape == shape and name != "attention_mask"  # nothing is padded
        }
        return PromptTokens(tensors, shape[1])

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of generated tokens, special ones left out."""
        with self._lock:
            text: str = self._processor.tokenizer.decode(
                torch.tensor(tokens, dtype=torch.long), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        return text

    def special_tokens(self) -> frozenset[str]:
        """What a prompt must not contain: turns, image placeholders, begin and end."""
        tokenizer = self._processor.tokenizer
        added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        return frozenset(added | set(tokenizer.all_special_tokens))
