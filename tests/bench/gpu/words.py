"""Tokenizers made on the spot: the models' ids and lengths, without their vocabularies."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertTokenizer, CLIPTokenizer, PreTrainedTokenizerFast, T5Tokenizer

from tests.unit.subject.tiny import SPECIAL, WORDS

ALPHABET = [chr(code) for code in range(ord("a"), ord("z") + 1)]


def gemma_words() -> Any:
    """A word is a token, as is a mark: a prompt is about as long as for the real tokenizer."""
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate((*SPECIAL, *WORDS))}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        **{"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"},
        extra_special_tokens={
            **{"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
            **{"sot_token": "<start_of_turn>", "eot_token": "<end_of_turn>"},
        },
    )


def clip_letters(context: int = 77) -> CLIPTokenizer:
    """Every letter is a token; CLIP pads its texts to 77 tokens anyway."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|pad|>", *letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="<|pad|>", model_max_length=context)


def t5_letters() -> T5Tokenizer:
    """Every letter is a token; the pipeline pads to its `max_sequence_length`."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in ALPHABET)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def bert_letters(folder: Path) -> BertTokenizer:
    """Every letter is a token: a text is some three times as long as for the real tokenizer."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *ALPHABET, *("##" + letter for letter in ALPHABET)]
    file = folder / "vocab.txt"
    file.write_text("\n".join(words), encoding="utf-8")
    return BertTokenizer(str(file))
