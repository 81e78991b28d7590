"""Messy answers are read as a person would read them, and never guessed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.labels.model import VALUES
from orchestrator.labels.parse import LONGEST_NAME, read_choice, read_name
from tests.unit.labels import answers

SUBJECT, ABSTRACTION = VALUES["subject"], VALUES["abstraction"]
LETTERS = st.characters(exclude_categories=["Cs"])
PHRASES = ["is", "the category", ":", "not", ",", ".", "\n", "because", "(", "**", "I", "an", "or", *SUBJECT]


@pytest.mark.parametrize(("raw", "value"), answers.SUBJECT)
def test_subjects(raw, value):
    assert read_choice(raw, SUBJECT) == value


@pytest.mark.parametrize(("raw", "value"), answers.ABSTRACTION)
def test_abstraction(raw, value):
    assert read_choice(raw, ABSTRACTION) == value


@pytest.mark.parametrize(("raw", "name"), answers.NAMES)
def test_names(raw, name):
    assert read_name(raw) == name


@given(st.text(LETTERS) | st.lists(st.sampled_from(PHRASES)).map(" ".join))
def test_whatever_comes_gives_a_value_that_was_said_or_none(raw):
    value = read_choice(raw, SUBJECT)
    assert value in ("", *SUBJECT)
    plain = "".join(c for c in unicodedata.normalize("NFKC", raw) if unicodedata.category(c)[0] != "C")
    assert value in plain.casefold()


@given(st.permutations(SUBJECT), st.sampled_from([" or ", "/", ", ", " and ", "\n", ". ", ": ", " - ", " ", "; "]))
def test_two_values_are_none(values, between):
    one, other, _ = values
    for raw in (f"{one}{between}{other}", f"{one}{between}{other}.", f"The answer is {one}{between}{other}"):
        assert read_choice(raw, SUBJECT) == ""


@given(
    st.sampled_from(SUBJECT),
    st.sampled_from(["", "**", '"', "`", "«", "「", "(", " ", "\n", "_"]),
    st.sampled_from(["", ".", "!", "。", "\n", " ", ";"]),
    st.sampled_from([str.upper, str.title, str.lower]),
)
def test_a_value_is_read_in_any_dress(value, before, after, case):
    close = {"«": "»", "「": "」", "(": ")"}.get(before, before)
    assert read_choice(f"{before}{case(value)}{close}{after}", SUBJECT) == value


@given(st.text(LETTERS))
def test_names_are_short_lines_without_surprises(raw):
    name = read_name(raw)
    assert len(name) <= LONGEST_NAME and name == name.strip()
    assert not any(unicodedata.category(letter)[0] == "C" for letter in name)
    assert not name or any(map(str.isalnum, name))
    assert read_name(name) in name
