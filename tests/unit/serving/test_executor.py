"""One batch and its mishaps: halving, blame, translation of faults."""

import weakref
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.serving.errors import DeviceLostError, InvalidInputError, OutOfMemoryError, ServingError
from services.serving.executor import run_batch
from services.serving.faults import Fault, fault_of, release_memory
from services.serving.images import decode
from services.serving.parameters import default_parameters
from services.serving.portions import Portions
from tests.unit.serving.toy import PICTURE, TOY, ToyModel, ToyResult, row

PARAMETERS = default_parameters(TOY)
DECODED = (decode(PICTURE),)


@pytest.fixture(autouse=True, scope="module")
def no_garbage_collection():
    """Collecting garbage beside torch takes most of a second; it has a test of its own."""
    with mock.patch("services.serving.portions.release_memory") as release:
        yield release


def rows_of(*prompts):
    return [row(prompt, images=DECODED) for prompt in prompts]


def texts(outcomes):
    return [outcome.text if isinstance(outcome, ToyResult) else type(outcome) for outcome in outcomes]


def test_results_come_in_the_order_of_the_rows():
    assert texts(run_batch(ToyModel(), rows_of("a", "b", "c"), [0, 0, 1], PARAMETERS)) == ["A", "B", "C"]


def test_out_of_memory_halves_the_batch_until_it_fits(no_garbage_collection):
    no_garbage_collection.reset_mock()
    model = ToyModel(capacity=2)
    assert texts(run_batch(model, rows_of(*"abcdefg"), [0, 0, 0, 1, 1, 1, 2], PARAMETERS)) == list("ABCDEFG")
    assert model.batches == [list("abcdefg"), list("abcd"), ["a", "b"], ["c", "d"], ["e", "f"], ["g"]]
    assert no_garbage_collection.call_count == 2


def test_what_fitted_is_remembered_for_the_next_batch():
    model, portions = ToyModel(capacity=2), Portions(8)
    run_batch(model, rows_of(*"abcd"), [0] * 4, PARAMETERS, portions)
    model.batches.clear()
    run_batch(model, rows_of(*"efgh"), [0] * 4, PARAMETERS, portions)
    assert model.batches == [["e", "f"], ["g", "h"]]


def test_memory_of_the_failed_batch_is_free_before_the_halves_run():
    class Block:
        pass

    class Hungry(ToyModel):
        def run(self, rows, parameters):
            block = Block()
            self.alive = [ref for ref in getattr(self, "blocks", []) if ref() is not None]
            self.blocks = [*getattr(self, "blocks", []), weakref.ref(block)]
            return super().run(rows, parameters)

    model = Hungry(capacity=1)
    assert texts(run_batch(model, rows_of("a", "b"), [0, 0], PARAMETERS)) == ["A", "B"]
    assert model.alive == []


def test_giving_memory_back_works_without_an_accelerator():
    release_memory()


def test_one_row_that_does_not_fit_costs_only_its_own_request_and_names_the_remedy():
    model = ToyModel(giant="g")
    outcomes = run_batch(model, rows_of(*"abgde"), [0, 0, 1, 2, 2], PARAMETERS)
    assert texts(outcomes) == ["A", "B", OutOfMemoryError, "D", "E"]
    assert outcomes[2].status.name == "RESOURCE_EXHAUSTED"
    assert "model 'toy': 1 row does not fit into the device's memory; lower images_per_pass" in str(outcomes[2])
    assert model.batches == [list("abgde"), list("abg"), ["a", "b"], ["g", "d"], ["g"], ["d"], ["e"]]


def test_one_row_that_does_not_fit_is_not_tried_again():
    model = ToyModel(capacity=0)
    (outcome,) = run_batch(model, rows_of("a"), [0], PARAMETERS)
    assert isinstance(outcome, OutOfMemoryError) and len(model.batches) == 1


def test_a_bad_row_among_rows_that_do_not_fit_together_costs_only_its_own_request():
    model = ToyModel(capacity=2, bad=InvalidInputError("no"))
    outcomes = run_batch(model, rows_of("a", "bad", "c", "d", "e"), [0, 1, 1, 2, 2], PARAMETERS)
    assert texts(outcomes) == ["A", InvalidInputError, "C", "D", "E"]


@pytest.mark.parametrize("bad", [InvalidInputError("prompt too odd"), ZeroDivisionError("inside")])
def test_a_bad_row_costs_only_its_own_request(bad):
    model = ToyModel(bad=bad)
    outcomes = run_batch(model, rows_of("a", "b", "bad", "c", "d"), [0, 0, 1, 1, 2], PARAMETERS)
    assert [isinstance(outcome, ServingError) for outcome in outcomes] == [False, False, True, True, False]
    assert model.batches[1:] == [["a", "b"], ["bad", "c"], ["d"]]


def test_a_bad_row_alone_is_not_run_twice():
    model = ToyModel(bad=InvalidInputError("prompt too odd"))
    outcomes = run_batch(model, rows_of("a", "bad"), [0, 0], PARAMETERS)
    assert [str(outcome) for outcome in outcomes] == ["prompt too odd"] * 2 and len(model.batches) == 1


def test_internals_go_to_the_log_and_the_caller_gets_an_id(caplog):
    model = ToyModel(bad=KeyError("secret path"))
    (outcome,) = run_batch(model, rows_of("bad"), [0], PARAMETERS)
    assert type(outcome) is ServingError and "secret" not in str(outcome)
    reference = str(outcome).rsplit("error id ", 1)[1].rstrip(")")
    assert reference in caplog.text and "secret path" in caplog.text


def test_a_lost_device_fails_all_rows_at_once():
    model = ToyModel(faults=[RuntimeError("CUDA error: an illegal memory access was encountered")])
    outcomes = run_batch(model, rows_of("a", "b"), [0, 1], PARAMETERS)
    assert [type(outcome) for outcome in outcomes] == [DeviceLostError] * 2 and len(model.batches) == 1


def test_a_model_that_loses_rows_is_an_internal_error():
    model = ToyModel()
    model.run = lambda rows, parameters: []
    assert type(run_batch(model, rows_of("a"), [0], PARAMETERS)[0]) is ServingError


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "bad"]), st.integers(0, 2)), min_size=1, max_size=8),
    st.integers(1, 8),
)
def test_every_row_gets_its_own_result_or_an_error(drawn, capacity):
    drawn = sorted(drawn, key=lambda item: item[1])
    prompts, owners = [prompt for prompt, _ in drawn], [owner for _, owner in drawn]
    model = ToyModel(capacity=capacity, bad=InvalidInputError("no"))
    outcomes = run_batch(model, rows_of(*prompts), owners, PARAMETERS)
    for prompt, owner, outcome in zip(prompts, owners, outcomes, strict=True):
        own = [p for p, o in drawn if o == owner]
        if isinstance(outcome, InvalidInputError):
            assert "bad" in own
        elif isinstance(outcome, ToyResult):
            assert outcome.text == prompt.upper() and prompt != "bad"
        else:
            raise AssertionError(outcome)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OutOfMemoryError("a portion inside"), Fault.OUT_OF_MEMORY),
        (MemoryError(), Fault.OUT_OF_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), Fault.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: out of memory"), Fault.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), Fault.OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), Fault.OUT_OF_MEMORY),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), Fault.DEVICE_LOST),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), Fault.DEVICE_LOST),
        (RuntimeError("shape '[2, 3]' is invalid for input of size 5"), Fault.INTERNAL),
        (ValueError("CUDA error: only said so"), Fault.INTERNAL),
    ],
)
def test_faults_are_told_apart(error, fault):
    assert fault_of(error) is fault


def test_torch_really_says_so_when_memory_is_out():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert fault_of(caught.value) is Fault.OUT_OF_MEMORY
