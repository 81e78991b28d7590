"""Every fault that a stock client can make comes back with the status of SERVING §1 and words that name it."""

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from services.serving.describe import SERVICES
from tests.conformance.samples import JPEG, SAMPLES, TYPES, texts

pytestmark = pytest.mark.conformance
each_model = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def refused(status, *words):
    """Expects a refusal with that status whose message holds all words."""
    return pytest.raises(InferenceServerException, check=lambda error: matches(error, status, words))


def matches(error, status, words):
    assert error.status() == f"StatusCode.{status}", error
    assert all(word in error.message() for word in words), error.message()
    return True


def with_first_element(array, element):
    changed = array.copy()
    changed.reshape(-1)[0] = element
    return changed


@pytest.mark.parametrize("service", SERVICES)
def test_an_unknown_model(stock, service):
    client = stock[service].client
    one = triton.InferInput("X", [1], "FP32")
    one.set_data_from_numpy(np.zeros(1, np.float32))
    with refused("NOT_FOUND", "unknown model 'none'"):
        client.infer("none", [one])
    for question in (client.get_model_metadata, client.get_model_config, client.get_inference_statistics):
        with refused("NOT_FOUND", "unknown model 'none'"):
            question("none")


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_listed_is_unimplemented(stock, service):
    with refused("UNIMPLEMENTED"):
        stock[service].client.get_model_repository_index()


@each_model
def test_an_unknown_version(stock, sample):
    with refused("NOT_FOUND", "has no version '0'"):
        stock[sample.service].infer(sample, model_version="0")


@each_model
def test_a_wrong_datatype(stock, sample):
    service = stock[sample.service]
    for name, array in service.arrays(sample).items():
        wrong = np.zeros(array.shape, np.uint8)
        with refused("INVALID_ARGUMENT", f"tensor {name} has datatype 'UINT8'", TYPES[array.dtype.name]):
            service.infer(sample, service.arrays(sample) | {name: wrong})


@each_model
def test_a_wrong_shape(stock, sample):
    service = stock[sample.service]
    for name, array in service.arrays(sample).items():
        with refused("INVALID_ARGUMENT", f"tensor {name} has shape"):
            service.infer(sample, service.arrays(sample) | {name: array[..., None]})


@each_model
def test_a_missing_input(stock, sample):
    service = stock[sample.service]
    config = service.client.get_model_config(sample.model).config
    for name in [tensor.name for tensor in config.input if not tensor.optional]:
        arrays = service.arrays(sample)
        del arrays[name]
        with refused("INVALID_ARGUMENT", name if arrays else "missing"):
            service.infer(sample, arrays)


@each_model
def test_an_unknown_input_and_output(stock, sample):
    service = stock[sample.service]
    with refused("INVALID_ARGUMENT", "tensor 'NOISE' is unknown"):
        service.infer(sample, service.arrays(sample) | {"NOISE": np.zeros((2, 1), np.float32)})
    with refused("INVALID_ARGUMENT", "output 'NOISE' is unknown"):
        service.infer(sample, outputs=[triton.InferRequestedOutput("NOISE")])


@each_model
def test_an_unknown_parameter(stock, sample):
    with refused("INVALID_ARGUMENT", "parameter 'noise' is unknown"):
        stock[sample.service].infer(sample, parameters={"noise": 1})


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.parameter], ids=str)
def test_a_parameter_out_of_range(stock, sample):
    name, value = sample.parameter
    with refused("INVALID_ARGUMENT", f"parameter '{name}' is {value!r}"):
        stock[sample.service].infer(sample, parameters={name: value})


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.image], ids=str)
@pytest.mark.parametrize(("data", "word"), [(b"GIF89a no", "cannot be read"), (JPEG[:-20], "damaged or truncated")])
def test_a_bad_image(stock, sample, data, word):
    service = stock[sample.service]
    arrays = service.arrays(sample)
    arrays[sample.image] = with_first_element(arrays[sample.image], data)
    with refused("INVALID_ARGUMENT", f"tensor {sample.image}, row 0: image", word, "error id"):
        service.infer(sample, arrays)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.prompt], ids=str)
@pytest.mark.parametrize("token", ["<start_of_image>", "<image_soft_token>", "<eos>"])
def test_a_special_token_in_a_prompt(stock, sample, token):
    service = stock[sample.service]
    arrays = service.arrays(sample) | {sample.prompt: texts("fine", f"a {token} b")}
    with refused("INVALID_ARGUMENT", f"tensor {sample.prompt}, row 1: the prompt holds the special token '{token}'"):
        service.infer(sample, arrays)


@each_model
def test_a_batch_of_0_and_one_that_is_too_large(stock, sample):
    service = stock[sample.service]
    most = service.client.get_model_config(sample.model).config.max_batch_size
    if not most:  # there is no batch: the first dimension is the model's own
        return
    arrays = service.arrays(sample)
    with refused("INVALID_ARGUMENT", f"takes 1 to {most} per request"):
        service.infer(sample, {name: np.repeat(array[:1], most + 1, 0) for name, array in arrays.items()})
    with refused("INVALID_ARGUMENT", "no dimension may be 0"):
        service.infer(sample, {name: array[:0] for name, array in arrays.items()})


@each_model
def test_a_message_beyond_the_limit(stock, sample):
    service = stock[sample.service]
    large = np.array([[bytes(70 << 20)]], dtype=object)
    with refused("RESOURCE_EXHAUSTED", "larger than max"):
        service.infer(sample, {"NOISE": large})


@each_model
def test_a_deadline_that_passes(stock, sample):
    service = stock[sample.service]
    with refused("DEADLINE_EXCEEDED", "the deadline passed"):
        service.infer(sample, timeout=1)
    with refused("DEADLINE_EXCEEDED"):
        service.infer(sample, client_timeout=1e-4)
    service.infer(sample)
