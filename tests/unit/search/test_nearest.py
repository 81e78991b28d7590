"""The nearest explanations, against a plain loop over all rows."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.search.corpus import Corpus, distinct_texts, explained
from orchestrator.search.nearest import Wish, nearest
from protos.v1.results_pb2 import FeatureResult, Score, VariantResult

TEXTS = ["a dog", "a cat", "red", "blue", "sky", " "]
VARIANTS = ["steering", "topk_masks", "mine"]
RNG = np.random.default_rng(0)
VECTORS = {text: (v / np.linalg.norm(v)).astype(np.float32) for text in TEXTS for v in [RNG.normal(size=8)]}


def corpus(job, results):
    rows = tuple(row for result in results for row in explained(result))
    texts = distinct_texts(rows)
    vectors = np.stack([VECTORS[text] for text in texts]) if texts else np.zeros((0, 0), np.float32)
    return Corpus(job, rows, texts, vectors)


def result(feature, *variants):
    made = []
    for name, outcome, text, iou in variants:
        scores = {} if iou is None else {"iou": Score(value=iou, outcome="ok")}
        made.append(VariantResult(variant=name, outcome=outcome, text=text, scores=scores))
    return FeatureResult(feature=feature, variants=made)


def plain(query, jobs, wish):
    """Every hit, best first, by loops: {(job, feature, text): variants}."""
    found = {}
    for order, (job, results) in enumerate(jobs):
        for one in results:
            for variant in one.variants:
                text = variant.text.strip()
                iou = variant.scores["iou"].value if "iou" in variant.scores else None
                least = wish.min_scores.get("iou")
                if not text or variant.outcome not in wish.outcomes:
                    continue
                if (wish.variants and variant.variant not in wish.variants) or (
                    least is not None and (iou is None or iou < least)
                ):
                    continue
                cosine = round(math.fsum(a * b for a, b in zip(VECTORS[text].tolist(), query.tolist(), strict=True)), 9)
                found.setdefault((-cosine, order, one.feature, job, text), []).append(variant.variant)
    return sorted(found.items(), key=lambda item: item[0][:3])


variant = st.tuples(
    st.sampled_from(VARIANTS),
    st.sampled_from(["ok", "ok", "replaced", "empty"]),
    st.sampled_from(TEXTS),
    st.sampled_from([None, 0.1, 0.3, 0.9]),
)
feature_variants = st.lists(variant, max_size=3, unique_by=lambda one: one[0])
wishes = st.builds(
    Wish,
    st.sampled_from([(), ("steering",), ("steering", "mine")]),
    st.sampled_from([("ok",), ("ok", "replaced")]),
    st.sampled_from([{}, {"iou": 0.3}, {"iou": 0.95}]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(feature_variants, max_size=6), max_size=3), wishes, st.integers(1, 8), st.sampled_from(TEXTS))
def test_hits_are_those_of_a_plain_loop(jobs, wish, limit, asked):
    made = [
        (f"job{number}", [result(feature, *variants) for feature, variants in enumerate(features)])
        for number, features in enumerate(jobs)
    ]
    query = VECTORS[asked]
    hits, matched = nearest(query, [corpus(*one) for one in made], wish, limit)
    expected = plain(query, made, wish)
    assert matched == len(expected)
    told = [((hit.job, hit.feature, hit.text), [row.variant for row in hit.rows]) for hit in hits]
    assert told == [((job, feature, text), names) for (_, _, feature, job, text), names in expected[:limit]]
    np.testing.assert_allclose([hit.cosine for hit in hits], [-key[0] for key, _ in expected[:limit]], atol=1e-6)


def test_a_text_that_variants_share_is_one_hit_and_of_each_feature_its_own():
    results = [
        result(7, ("steering", "ok", "a dog", 0.5), ("topk_masks", "ok", " a dog\n", 0.7), ("mine", "ok", "sky", None)),
        result(3, ("steering", "ok", "a dog", 0.2)),
    ]
    hits, matched = nearest(VECTORS["a dog"], [corpus("job", results)], Wish(), 2)
    assert [(hit.feature, hit.text, [row.variant for row in hit.rows]) for hit in hits] == [
        (3, "a dog", ["steering"]),
        (7, "a dog", ["steering", "topk_masks"]),
    ]
    assert hits[0].cosine == pytest.approx(1) and matched == 3
    (only,), _ = nearest(VECTORS["a dog"], [corpus("job", results)], Wish(min_scores={"iou": 0.6}), 9)
    assert [row.variant for row in only.rows] == ["topk_masks"]


def test_what_says_nothing_never_matches():
    results = [result(1, ("steering", "ok", "  ", 0.9), ("mine", "empty", "", None))]
    assert nearest(VECTORS["sky"], [corpus("job", results)], Wish(outcomes=("ok", "empty")), 9) == ([], 0)


def test_the_order_of_the_records_changes_nothing():
    results = [result(f, ("steering", "ok", TEXTS[f % 5], 0.5), ("mine", "ok", TEXTS[f % 3], 0.1)) for f in range(40)]
    first = nearest(VECTORS["sky"], [corpus("job", results)], Wish(), 15)
    random.Random(1).shuffle(results)
    again = nearest(VECTORS["sky"], [corpus("job", results)], Wish(), 15)
    strip = [[(hit.feature, hit.text, hit.rows) for hit in hits] for hits, _ in (first, again)]
    assert strip[0] == strip[1]
