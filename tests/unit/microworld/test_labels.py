"""Labels of the microworld follow from its words."""

import random

import pytest

from services.microworld.labels import MicroworldLabeller
from services.microworld.world import all_concepts, attributes

ask = MicroworldLabeller().answer


@pytest.mark.parametrize(
    ("text", "subject", "abstraction"),
    [
        ("red color", "background", "low-level"),
        ("a horizontal stripes texture", "background", "low-level"),
        ("Blue dots texture", "background", "high-level"),
        ("star shape", "object", "high-level"),
        ("red stars", "object", "high-level"),
        ("ring pattern", "background", "high-level"),
        ("blank area", "background", "low-level"),
        ("an animal on a background", "other", "other"),
        ("", "other", "other"),
        ("<script>", "other", "other"),
    ],
)
def test_what_a_text_is_about(text, subject, abstraction):
    assert (ask("subject", [text]), ask("abstraction", [text])) == (subject, abstraction)


def test_every_concept_of_the_world_has_a_label():
    for concept in all_concepts():
        one_family = len(attributes(concept.text)) <= 1 and "shape" not in concept.attributes
        assert ask("abstraction", [concept.text]) == ("low-level" if one_family else "high-level"), concept
        assert ask("subject", [concept.text]) == ("object" if concept.kind in ("shape", "colshape") else "background")


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["red star", "red ring", "red color"], "red color"),
        (["red star", "red star shape", "blue star"], "red star"),
        (["blue star pattern", "star pattern", "green star pattern"], "star pattern"),
        (["blue dots texture", "green dots texture", "red stripes"], "dots texture"),
        (["star", "ring", "cross", "circle", "dots"], "various shapes"),
        (["red color", "star", "?", "!", ".", "red"], "red, mixed"),
        (["nothing", "known"], ""),
    ],
)
def test_a_cluster_is_named_by_what_its_members_share(texts, name):
    assert ask("cluster", texts) == name
    random.Random(0).shuffle(texts)
    assert ask("cluster", texts) == name  # their order says nothing


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="kind: 'mood'"):
        ask("mood", ["red"])
