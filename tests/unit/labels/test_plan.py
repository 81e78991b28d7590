"""Questions are checked before anything is stored, and cut into the job's items."""

import pytest

from orchestrator.labels.model import GRAMMAR, Question
from orchestrator.labels.plan import LabelPlanError
from services.serving.profile import ProfileError
from tests.unit.labels.examples import OWN, desk, make_plan, subject


@pytest.fixture
def deps(tmp_path):
    return desk(tmp_path).deps


def test_the_explainer_is_asked_with_prompts_and_version_of_now(deps):
    questions = subject(*(f"text {number}" for number in range(70)))
    plan = make_plan(deps, questions)
    assert (plan.source, plan.labeller, plan.models) == ("explainer", "", {"vlm.complete": "complete-v1"})
    assert plan.items() == ["0", "1", "2"]
    assert [one for item in plan.items() for one in plan.chunk(item, deps.store)] == questions
    assert set(plan.prompts) == {"subject", "abstraction", "cluster"}
    assert len(plan.model_dump_json()) < 4000  # the questions lie in the store: Redis holds the plan


def test_a_profile_with_its_own_labeller_needs_no_model(deps):
    deps.clients.vlm.models = {}
    plan = make_plan(deps, subject("red"), **{"class": OWN})
    assert (plan.source, plan.labeller, plan.models) == (GRAMMAR, OWN, {})


@pytest.mark.parametrize(
    ("questions", "told"),
    [
        ([], "label.questions: none given; ask"),
        ([Question("mood", "k", ("t",))], r"label.questions\[0\].kind: 'mood' is unknown; give one of subject"),
        ([Question("subject", "k", ())], r"label.questions\[0\].texts: has 0 texts; subject is asked of one"),
        ([*subject("a"), Question("abstraction", "k", ("t", "u"))], r"label.questions\[1\].texts: has 2 texts"),
        ([Question("cluster", "k", ())], r"label.questions\[0\].texts: has 0 texts; cluster is asked of at least one"),
        ([Question("cluster", "k", ("t", " \n"))], r"label.questions\[0\].texts: one is blank"),
        (subject("a", "b", "a"), r"label.questions\[2\].key: 'a' was given before for subject"),
    ],
)
def test_bad_questions(deps, questions, told):
    with pytest.raises(LabelPlanError, match=told):
        make_plan(deps, questions)


def test_one_key_may_serve_two_kinds(deps):
    assert make_plan(deps, [*subject("a"), Question("abstraction", "a", ("a",))]).count == 2


def test_prompts_of_ones_own(deps, tmp_path):
    for kind, text in (("subject", "S {text}"), ("abstraction", "A {text}"), ("cluster", "C {texts}")):
        (tmp_path / f"{kind}.txt").write_text(text)
    assert make_plan(deps, subject("a"), prompts=str(tmp_path)).prompts["cluster"] == "C {texts}"
    (tmp_path / "subject.txt").write_text("no place for the text")
    with pytest.raises(ProfileError, match=r"subject.txt must be there and say \{text\}"):
        make_plan(deps, subject("a"), prompts=str(tmp_path))
    with pytest.raises(ProfileError, match="max_new_tokens"):
        make_plan(deps, subject("a"), max_new_tokens=0)
