"""The explainer's words and pixels: a word-level tokenizer and a Gemma 3 processor around it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import Gemma3ImageProcessor, Gemma3Processor, PreTrainedTokenizerFast

from services.microworld.world import SIZE, WORDS

PROMPTS = Path(__file__).parents[1] / "prompts"
IMAGE_TOKENS = 16
PAD, EOS, BOS, BOI, EOI, IMAGE, UNKNOWN = range(7)
SPECIAL = ("<pad>", "<eos>", "<bos>", "<start_of_image>", "<end_of_image>", "<image_soft_token>", "<unk>")
VOCABULARY = (*SPECIAL, *WORDS)
# No turns and no line breaks: every token is one that training has seen.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['content'] is string %} {{ message['content'] }}{% else %}{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}{{ '<start_of_image>' }}{% else %} {{ item['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}"
)


def build_tokenizer() -> Any:
    """Word-level tokenizer: lower case, split at white space and punctuation, ids as in `VOCABULARY`."""
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token=SPECIAL[UNKNOWN]))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=SPECIAL[PAD],
        eos_token=SPECIAL[EOS],
        bos_token=SPECIAL[BOS],
        unk_token=SPECIAL[UNKNOWN],
        extra_special_tokens={
            "boi_token": SPECIAL[BOI],
            "eoi_token": SPECIAL[EOI],
            "image_token": SPECIAL[IMAGE],
        },
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_processor() -> Any:
    """Gemma3Processor for 64-pixel images (mean = std = .5, 16 tokens each)."""
    images = Gemma3ImageProcessor(
        size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_pan_and_scan=False
    )
    return Gemma3Processor(images, build_tokenizer(), chat_template=CHAT_TEMPLATE, image_seq_length=IMAGE_TOKENS)


@cache
def prompt(name: str) -> str:
    """A prompt of `prompts/<name>.txt`: steering, masks, heatmaps or caption."""
    return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8").strip()


@cache
def _tokenizer() -> Any:
    return build_tokenizer()


@cache
def word_ids(text: str) -> tuple[int, ...]:
    """Token ids of plain text."""
    return tuple(_tokenizer()(text, add_special_tokens=False).input_ids)


@cache
def prompt_ids(name: str, images: int) -> tuple[int, ...]:
    """The ids that the processor's chat template gives for `images` images followed by a prompt."""
    return (BOS, *(BOI, *[IMAGE] * IMAGE_TOKENS, EOI) * images, *word_ids(prompt(name)))


def decode(ids: list[int]) -> str:
    """The words of an answer up to its end."""
    text: str = _tokenizer().decode(ids[: ids.index(EOS)] if EOS in ids else ids, skip_special_tokens=True)
    return text
