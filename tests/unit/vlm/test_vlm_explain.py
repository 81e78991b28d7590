"""`explain` against a plain hook on the untouched model, and rows in batches against rows alone."""

import numpy as np
import pytest
import torch

from services.serving.errors import InvalidInputError
from services.serving.images import decode, to_png, to_ppm
from services.vlm.decoding import GreedyDecoder
from services.vlm.spec import CompleteRow, ExplainRow
from services.vlm.steering import interventions
from tests.unit.subject import tiny

NEW = {"max_new_tokens": 12}
BLANK = decode(to_ppm(np.full((32, 32, 3), 255, np.uint8)))
PICTURES = [decode(to_png(tiny.picture(seed, 30, 24 + 8 * seed))) for seed in range(4)]
RNG = np.random.default_rng(0)
DIRECTIONS = RNG.normal(size=(6, tiny.WIDTH)).astype(np.float32)
SOME = RNG.random((3, tiny.PATCHES)) < 0.4


def steering(i: int, alpha: float = 4.0, mode: str = "addition") -> ExplainRow:
    return ExplainRow("describe the image .", (BLANK,), DIRECTIONS[i], alpha, mode)


ONE_IMAGE = [
    *(steering(i) for i in range(6)),
    *(steering(i, 3.0, "replacement") for i in range(3)),
    steering(0, -2.0),
    ExplainRow("describe the image .", (PICTURES[0],), DIRECTIONS[2], 5.0, "addition", SOME[:1]),
    ExplainRow("describe the image .", (PICTURES[0],), DIRECTIONS[2], 5.0, "replacement", SOME[:1]),
    ExplainRow("what is this ?", (PICTURES[0],)),
    ExplainRow("describe the image .", (BLANK,)),
    ExplainRow("what is this ?", (PICTURES[1],), DIRECTIONS[1], 3.0),
]
THREE = tuple(PICTURES[:3])
THREE_IMAGES = [
    ExplainRow("what is this ?", THREE),
    ExplainRow("what is this ?", THREE, DIRECTIONS[0], 4.0, "addition", SOME),
    ExplainRow("what is this ?", THREE, DIRECTIONS[0], 4.0, "replacement", SOME),
    ExplainRow("what is this ?", (PICTURES[1], BLANK, PICTURES[1]), DIRECTIONS[3], 6.0, "addition"),
]


def run_in_buckets(model, rows, parameters=NEW):
    """As the shell does: rows of one bucket together, results in the order of rows."""
    groups: dict = {}
    for i, row in enumerate(rows):
        groups.setdefault(model.bucket(row, parameters), []).append(i)
    results = {}
    for members in groups.values():
        results |= dict(zip(members, model.run([rows[i] for i in members], parameters), strict=True))
    return [results[i] for i in range(len(rows))]


def assert_same(result, expected):
    assert (result.text, result.tokens, result.truncated) == (expected.text, expected.tokens, expected.truncated)
    assert result.logprob == pytest.approx(expected.logprob, abs=1e-5)


@pytest.fixture(scope="module")
def expected(reference):
    return [reference.write(row, 12) for row in (*ONE_IMAGE, *THREE_IMAGES)]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_mixed_batch_equals_hooked_rows_alone(served, expected, attention):
    results = run_in_buckets(served(attention=attention)["explain"], [*ONE_IMAGE, *THREE_IMAGES])
    for result, one in zip(results, expected, strict=True):
        assert_same(result, one)


def test_the_rows_tell_the_cases_apart(expected):
    """The comparison above means something: texts differ, some end, some are cut."""
    assert len({one.text for one in expected}) >= 8
    assert len({one.truncated for one in expected}) == 2


@pytest.mark.parametrize("images_per_pass", [1, 2, 64])
def test_rows_do_not_influence_one_another(served, images_per_pass):
    model = served(images_per_pass=images_per_pass)["explain"]
    rows = [*ONE_IMAGE[5:], *THREE_IMAGES]
    for row, result in zip(rows, run_in_buckets(model, rows), strict=True):
        assert_same(model.run([row], NEW)[0], result)


STEERED = {
    "all, addition": THREE_IMAGES[3],
    "all, replacement": ExplainRow("what is this ?", THREE, DIRECTIONS[0], 4.0, "replacement"),
    "active, addition": THREE_IMAGES[1],
    "active, replacement": THREE_IMAGES[2],
}


@pytest.mark.parametrize("row", STEERED.values(), ids=STEERED.keys())
def test_steered_features_and_logits_are_the_hooks(served, reference, monkeypatch, row):
    model = served()["explain"]
    seen = {}
    monkeypatch.setattr(model._writer, "write", lambda prompts, images, handed, parameters: seen.update(handed))
    model.run([row], NEW)
    features = torch.stack(list(seen["mm_encoder_outputs"]["image"].pooler_output))
    torch.testing.assert_close(features, reference.features(row), rtol=0, atol=1e-5)
    text = {name: tensor for name, tensor in reference.inputs(row).items() if name != "pixel_values"}
    with torch.no_grad():
        logits = model._subject.vlm(**text, **seen).logits
    torch.testing.assert_close(logits, reference.logits(row), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["addition", "replacement"])
def test_alpha_zero_is_no_intervention(served, mode):
    plain, zero = (
        ExplainRow("what is this ?", THREE),
        ExplainRow("what is this ?", THREE, DIRECTIONS[0], 0.0, mode, SOME),
    )
    model = served()["explain"]
    together = model.run([plain, zero, THREE_IMAGES[1]], NEW)  # beside a row that does steer
    assert_same(together[0], together[1])
    assert abs(together[0].logprob - together[2].logprob) > 1e-3
    assert_same(model.run([zero], NEW)[0], together[1])


def test_no_positions_means_every_token_and_all_patches_means_no_other(served, reference):
    everywhere = np.ones((1, tiny.PATCHES), bool)
    row = steering(1)
    marked = ExplainRow(row.prompt, row.images, row.direction, row.alpha, row.mode, everywhere)
    unset = ExplainRow(row.prompt, row.images, row.direction, row.alpha)
    first, second, third = served()["explain"].run([row, marked, unset], NEW)
    assert_same(first, third)
    assert_same(first, reference.write(row, 12))
    assert_same(second, reference.write(marked, 12))
    alike = reference.features(marked).sub(reference.features(row)).abs().max() < 1e-6
    assert alike == (reference.family.leading == 0)  # CLS makes the difference


@pytest.mark.parametrize("mode", ["addition", "replacement"])
def test_one_patch_is_one_token(reference, mode):
    """Patch p of POSITIONS changes token c + p of the stream and nothing else; the first and the last patch too."""
    leading = reference.family.leading
    for patch in (0, 5, tiny.PATCHES - 1):
        only = np.arange(tiny.PATCHES)[None] == patch
        row = ExplainRow("what is this ?", (BLANK,), DIRECTIONS[0], 2.0, mode, only)
        h = torch.randn(1, leading + tiny.PATCHES, tiny.WIDTH)
        changed = h.clone()
        interventions([row], leading, tiny.PATCHES, tiny.WIDTH).apply(changed, slice(0, 1))
        change = 2 * torch.from_numpy(DIRECTIONS[0])
        h[0, leading + patch] = change if mode == "replacement" else h[0, leading + patch] + change
        torch.testing.assert_close(changed, h)


def test_no_position_is_no_intervention(served):
    nowhere = np.zeros((1, tiny.PATCHES), bool)
    row = ExplainRow("describe the image .", (BLANK,), DIRECTIONS[0], 9.0, "replacement", nowhere)
    untouched, same = served()["explain"].run([ExplainRow("describe the image .", (BLANK,)), row], NEW)
    assert_same(untouched, same)


def test_max_new_tokens_cuts(served, reference):
    model = served()["explain"]
    for limit in (1, 3):
        for row, result in zip(ONE_IMAGE[:4], model.run(ONE_IMAGE[:4], {"max_new_tokens": limit}), strict=True):
            assert_same(result, reference.write(row, limit))
            assert result.tokens <= limit


def test_an_empty_answer_is_an_answer(served, reference, monkeypatch):
    """A first token that ends: no words, and the log-probability of ending."""
    model = served()["explain"]
    first = int(reference.vlm.generate(**reference.inputs(ONE_IMAGE[0]), max_new_tokens=1, do_sample=False)[0, -1])
    monkeypatch.setattr(model._writer._decoder, "_ends", torch.tensor([first]))
    plain = ExplainRow("describe the image .", (BLANK,))
    (result,) = model.run([plain], NEW)
    assert (result.text, result.tokens, result.truncated) == ("", 0, False)
    assert result.logprob == pytest.approx(reference.write(plain, 1).logprob, abs=1e-5)


def test_buckets_follow_images_and_prompt_length(served):
    model = served()["explain"]
    alike = ExplainRow("what the image .", (PICTURES[3],))
    assert model.bucket(alike, NEW) == model.bucket(ONE_IMAGE[0], NEW)
    others = [ExplainRow("what is", (BLANK,)), ExplainRow("describe the image .", (BLANK, BLANK))]
    assert len({model.bucket(row, NEW) for row in (*others, alike)}) == 3


def test_prompts_of_one_bucket_share_a_batch(served, reference):
    rows = [ExplainRow("describe the image .", (BLANK,)), ExplainRow("what the image .", (PICTURES[3],))]
    for row, result in zip(rows, served()["explain"].run(rows, NEW), strict=True):
        assert_same(result, reference.write(row, 12))


def test_complete_equals_generate(served, reference):
    rows = [CompleteRow("what is this ?"), CompleteRow("red star a ."), CompleteRow("the ring is blue .")]
    for row, result in zip(rows, run_in_buckets(served()["complete"], rows), strict=True):
        assert_same(result, reference.write(row, 12))


def bad(**changes) -> ExplainRow:
    row = {"prompt": "what is this ?", "images": (BLANK,), "direction": DIRECTIONS[0], "alpha": 1.0, **changes}
    return ExplainRow(**row)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (bad(direction=np.ones(31, np.float32)), r"DIRECTION has shape \[31\]; it must be \[32\]"),
        (bad(direction=np.ones((1, 32), np.float32)), r"DIRECTION has shape \[1, 32\]"),
        (bad(direction=np.full(32, np.nan, np.float32)), "DIRECTION and ALPHA must be finite"),
        (bad(alpha=float("inf")), "DIRECTION and ALPHA must be finite"),
        (bad(alpha=None), "DIRECTION is given without ALPHA"),
        (bad(direction=None), "ALPHA is given without DIRECTION"),
        (bad(mode="subtraction"), "MODE is 'subtraction'; give one of addition, replacement"),
        (bad(positions=np.ones((1, 17), bool)), r"POSITIONS has shape \[1, 17\]; it must be \[1, 16\]"),
        (bad(positions=np.ones((2, 16), bool)), r"POSITIONS has shape \[2, 16\]; it must be \[1, 16\]"),
        (bad(images=()), "IMAGES is empty; send at least one image, or use the model `complete`"),
        (bad(alpha=1e38), "ALPHA drives the encoder out of its numeric range; use a smaller one"),
        (bad(prompt="red " * 250), r"PROMPT and IMAGES take \d+ tokens and max_new_tokens is 12; .* exceed 256"),
    ],
)
def test_bad_rows_are_refused(served, row, message):
    with pytest.raises(InvalidInputError, match=message):
        served()["explain"].run([row], NEW)


def test_special_tokens_and_warm_up(served, family):
    models = served()
    assert family.special <= models["explain"].special_tokens()
    assert "red" not in models["explain"].special_tokens()
    assert models["complete"].special_tokens() == models["explain"].special_tokens()
    for model in models.values():
        batches = list(model.warm_up())
        assert batches
        for rows in batches:
            assert len(model.run(rows, NEW)) == len(rows)


def test_bfloat16_runs_and_stays_near(served):
    """Half precision may choose other words, but the odds of the first must be about the same."""
    one = {"max_new_tokens": 1}
    exact = run_in_buckets(served()["explain"], [*ONE_IMAGE, *THREE_IMAGES], one)
    rough = run_in_buckets(served(dtype="bfloat16")["explain"], [*ONE_IMAGE, *THREE_IMAGES], one)
    differences = [abs(a.logprob - b.logprob) for a, b in zip(exact, rough, strict=True)]
    assert np.median(differences) < 0.05
    assert max(differences) < 0.5


def test_a_model_without_an_end_is_refused(reference, monkeypatch):
    monkeypatch.setattr(reference.vlm.generation_config, "eos_token_id", None)
    with pytest.raises(ValueError, match="names no eos_token_id"):
        GreedyDecoder(reference.vlm)


def test_facts_and_versions(served):
    models = served()
    facts = models["explain"].facts
    assert (facts["layer"], facts["activation_dim"], facts["grid"]) == ("1", "32", "4x4")
    other = served(dtype="bfloat16")
    assert other["explain"].facts == facts
    assert other["explain"].version != models["explain"].version
    assert models["explain"].version != models["complete"].version
