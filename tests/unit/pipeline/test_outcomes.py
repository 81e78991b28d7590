"""A score has a value exactly when its outcome gives one."""

import pytest

from orchestrator.pipeline.outcomes import Scored, ScoreOutcome

WITH_VALUE = {ScoreOutcome.OK, ScoreOutcome.NO_DETECTION}


@pytest.mark.parametrize("outcome", list(ScoreOutcome))
def test_values_go_with_outcomes(outcome: ScoreOutcome):
    value = 0.5 if outcome in WITH_VALUE else None
    assert Scored(outcome, value).to_proto().HasField("value") == (outcome in WITH_VALUE)
    with pytest.raises(ValueError, match=outcome):
        Scored(outcome, None if value else 0.5)


def test_a_score_is_finite():
    with pytest.raises(ValueError, match="finite"):
        Scored(ScoreOutcome.OK, float("nan"))
