"""The word-level CLIP tokenizer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from services.microworld.training.tokenizer import clip_tokenizer
from services.microworld.world import WORDS, all_concepts

TOKENIZER = clip_tokenizer(16)


@pytest.fixture
def tokenizer() -> CLIPTokenizer:
    return TOKENIZER


def test_every_word_of_the_world_is_one_token(tokenizer):
    assert [word for word in WORDS if len(tokenizer(word).input_ids) != 3] == []
    assert len({tokenizer(word).input_ids[1] for word in WORDS}) == len(WORDS)


def test_special_ids_sit_where_clip_and_owl_need_them(tokenizer):
    assert tokenizer.pad_token_id == 0
    assert {tokenizer.bos_token_id, tokenizer.eos_token_id} == {len(tokenizer) - 2, len(tokenizer) - 1}
    assert tokenizer.eos_token_id == len(tokenizer) - 1  # text models pool at the highest id
    assert tokenizer.eos_token_id != 2  # which CLIPTextConfig reads as "an old config"


def test_ids_depend_on_the_set_of_words_only():
    words = ["red", "star", "ring", "green", "purple"]
    one, two = clip_tokenizer(words=words), clip_tokenizer(words=[*reversed(words), "red"])
    assert one.get_vocab() == two.get_vocab()
    assert one("green ring").input_ids == two("green ring").input_ids


def test_saved_and_loaded_it_gives_the_same_ids(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = CLIPTokenizer.from_pretrained(tmp_path)
    texts = [*(concept.text for concept in all_concepts()), "Zebra, 12!", ""]
    assert loaded(texts).input_ids == tokenizer(texts).input_ids
    assert (loaded.model_max_length, loaded.pad_token_id) == (16, 0)


@given(text=st.text(max_size=200))
def test_any_text_encodes_between_bos_and_eos(text):
    ids = TOKENIZER(text, padding="max_length", truncation=True).input_ids
    assert len(ids) == 16
    assert ids[0] == TOKENIZER.bos_token_id
    assert TOKENIZER.eos_token_id in ids


def test_concepts_decode_to_their_text(tokenizer):
    for concept in all_concepts():
        ids = tokenizer(concept.text).input_ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == concept.text
