"""Questions to the real classes: a tiny Gemma 3 with random weights behind `vlm.complete`."""

from dataclasses import replace

import pytest

from orchestrator.labels.model import VALUES, Question
from services.vlm.loading import load
from services.vlm.settings import VlmSettings
from services.vlm.spec import CompleteRow
from tests.unit.labels.examples import Desk, desk, make_plan
from tests.unit.pipeline import fakes
from tests.unit.subject import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tiny.save(tmp_path_factory.mktemp("gemma3"))
    settings = VlmSettings(model=str(folder), layer=tiny.LAYER, device="cpu")
    return next(one for one in load(settings) if one.spec.name == "complete")


def served(model) -> fakes.FakeService:
    """Rows of one length at a time, as the shell hands them over."""

    def complete(rows, **parameters):
        return [model.run([row], parameters)[0] for row in rows]

    return fakes.FakeService({"complete": complete})


def test_whatever_a_language_model_says_becomes_a_label(model, tmp_path):
    one = desk(tmp_path)
    services = replace(one.services, vlm=served(model))
    here = Desk(replace(one.deps, clients=services), services)
    texts = ["red star", "a green ring on the image", "dots", "what is this ?"]
    kinds = ("subject", "abstraction")
    questions = [Question(kind, text, (text,)) for kind in kinds for text in texts]
    questions.append(Question("cluster", "0", tuple(texts)))
    plan = make_plan(here.deps, questions, max_new_tokens=8)
    labels = here.labels(here.run(plan, "0"))
    assert [(label.kind, label.key) for label in labels] == [(one.kind, one.key) for one in questions]
    for label, prompt in zip(labels, here.asked(), strict=True):
        (expected,) = model.run([CompleteRow(prompt)], {"max_new_tokens": 8})
        assert label.raw == expected.text and label.source == "explainer"
        allowed = VALUES.get(label.kind)
        assert label.outcome == "unreadable" if not label.value else allowed is None or label.value in allowed
    assert any(label.raw for label in labels)
    again = here.labels(here.run(make_plan(here.deps, questions[::-1], max_new_tokens=8), "0"))
    assert again == labels[::-1]
    assert len(here.asked()) == len(questions)  # all of it was kept
