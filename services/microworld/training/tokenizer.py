"""A word-level `CLIPTokenizer` over the world's fixed vocabulary, built without any chance.

The `tokenizers` trainer breaks ties differently from run to run; the merges here come from counts with ties in
alphabetical order, so that the same words give the same ids everywhere. Words outside the vocabulary still encode,
as smaller pieces.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from services.microworld.world.vocabulary import WORDS

PAD, BOS, EOS = "<|pad|>", "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
Pair = tuple[str, str]


def clip_tokenizer(max_length: int = 16, words: Iterable[str] = WORDS) -> CLIPTokenizer:
    """The tokenizer of the generator and of the detector.

    Every word of `words` is one token. The pad id is 0, which neither BOS nor EOS may share: OWL-ViT masks out texts
    that begin with id 0. BOS and EOS are the two highest ids: CLIP text models pool at the highest id.
    """
    merges = list(_merges(tuple(sorted({word for word in words if word.isalpha()}))))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [PAD, *alphabet, *(letter + WORD_END for letter in alphabet), *(a + b for a, b in merges), BOS, EOS]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(
        vocab=vocabulary, merges=merges, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=max_length
    )


@cache
def _merges(words: tuple[str, ...]) -> tuple[Pair, ...]:
    """Byte-pair merges, the most frequent pair first (ties: alphabetical), until each word is one token."""
    pieces = {word: [*word[:-1], word[-1] + WORD_END] for word in words}
    merges: list[Pair] = []
    while counts := Counter(pair for parts in pieces.values() for pair in pairwise(parts)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        pieces = {word: _merged(parts, best) for word, parts in pieces.items()}
    return tuple(merges)


def _merged(parts: list[str], pair: Pair) -> list[str]:
    """`parts` with every neighbouring `pair` joined, from the left."""
    joined: list[str] = []
    for part in parts:
        # A piece just joined is longer than the pair's first half, so it cannot be taken for it.
        if joined and (joined[-1], part) == pair:
            joined[-1] += part
        else:
            joined.append(part)
    return joined
