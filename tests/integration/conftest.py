"""The stack that the integration tests share, and the main job on it."""

import pytest

from orchestrator.demo.anchors import anchor_texts, choose_features
from orchestrator.pipeline.defaults import SCORES
from orchestrator.pipeline.variants import METHODS
from protos.v1.jobs_pb2 import JobSpec
from tests.integration.stack import running_stack

FEATURES = 12


@pytest.fixture(scope="session")
def stack(tmp_path_factory, model_services):
    with running_stack(tmp_path_factory.mktemp("stack"), model_services) as running:
        yield running


@pytest.fixture(scope="session")
def main_spec(stack):
    """Twelve features, all methods and both anchors, all scores."""
    features = choose_features(stack.judge, FEATURES, seed=3)
    texts = anchor_texts(stack.judge, features, seed=3)
    return JobSpec(feature_ids=features, variants=[*METHODS], scores=SCORES, seed=3, texts=texts)


@pytest.fixture(scope="session")
def main_job(stack, main_spec):
    return stack.finish(stack.client.submit(main_spec, request_id="the-main-job"))
