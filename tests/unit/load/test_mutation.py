"""The fuzzer's mutations: the same for the same seed, and many different ones."""

from random import Random

import pytest

from protos.v1 import jobs_pb2 as jobs
from services.serving.oip import pb
from tests.load.fuzz.cases import api_cases, api_requests, model_cases
from tests.load.fuzz.mutation import mutate_bytes, mutate_message


def infer_request():
    request = pb.ModelInferRequest(model_name="explain")
    request.inputs.add(name="PROMPT", datatype="BYTES").shape.extend([1, 1])
    request.raw_input_contents.append(b"\3\0\0\0abc")
    return request


def test_a_seed_gives_the_same_cases_and_another_one_others():
    def cases(seed):
        endless = model_cases(Random(seed), [infer_request()])
        return [next(endless) for _ in range(300)]

    assert cases(1) == cases(1) != cases(2)
    assert len({case.data for case in cases(1)}) > 200


def test_every_method_of_the_jobs_api_comes_up():
    valid = api_requests("0" * 12, "/images")
    assert set(valid) == {method.name for method in jobs.DESCRIPTOR.services_by_name["Jobs"].methods}
    endless = api_cases(Random(0), valid, dict.fromkeys(valid, 1.0))
    cases = [next(endless) for _ in range(500)]
    assert {case.method.rpartition("/")[2] for case in cases} == set(valid)
    assert {case.stream for case in cases} == {True, False}


@pytest.mark.parametrize("seed", range(40))
def test_mutations_hold_on_any_message_and_change_it(seed):
    rng, original = Random(seed), api_requests("0" * 12, "/images")["Submit"][0]
    changed = set()
    for _ in range(30):
        request = jobs.SubmitRequest()
        request.CopyFrom(original)
        mutate_message(rng, request)
        changed.add(request.SerializeToString(deterministic=True))
    assert len(changed) > 20


def test_mutated_bytes_are_cut_flipped_and_stretched():
    rng, data = Random(0), b"some bytes"
    made = {mutate_bytes(rng, data) for _ in range(300)}
    assert len(made) > 100
    assert any(len(one) < len(data) for one in made) and any(len(one) > len(data) for one in made)
    assert any(len(one) == len(data) and one != data for one in made)
