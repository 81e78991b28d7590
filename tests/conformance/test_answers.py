"""Stock tritonclient sees servers that speak the protocol: readiness, descriptions, answers that match them."""

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio

from services.serving.describe import SERVICES, all_specs
from tests.conformance.samples import SAMPLES, TYPES, inputs_of

pytestmark = pytest.mark.conformance
each_model = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def fits(shape, wanted):
    return len(shape) == len(wanted) and all(want in (-1, have) for have, want in zip(shape, wanted, strict=True))


def test_every_served_model_has_a_sample():
    served = {(service, spec.name) for service, specs in all_specs().items() for spec in specs}
    assert {(sample.service, sample.model) for sample in SAMPLES} == served


@pytest.mark.parametrize("service", SERVICES)
def test_the_server_is_live_ready_and_says_what_it_can(stock, service):
    client = stock[service].client
    assert client.is_server_live() and client.is_server_ready()
    about = client.get_server_metadata(as_json=True)
    assert about["name"] == f"steerscope-{service}" and about["version"]
    assert {"model_configuration", "statistics"} <= set(about["extensions"])


@each_model
def test_the_model_is_ready_in_its_version_only(stock, sample):
    client = stock[sample.service].client
    (version,) = client.get_model_metadata(sample.model).versions
    assert len(version) == 12
    assert client.is_model_ready(sample.model) and client.is_model_ready(sample.model, version)
    assert not client.is_model_ready(sample.model, "0")


@each_model
def test_metadata_and_config_agree(stock, sample):
    client = stock[sample.service].client
    about, config = client.get_model_metadata(sample.model), client.get_model_config(sample.model).config
    assert config.name == about.name == sample.model
    for described, configured in ((about.inputs, config.input), (about.outputs, config.output)):
        assert [tensor.name for tensor in described] == [tensor.name for tensor in configured]
        for left, right in zip(described, configured, strict=True):
            shape = list(left.shape)
            if config.max_batch_size:
                assert shape.pop(0) == -1
            assert shape == list(right.dims)


@each_model
def test_an_answer_is_as_the_metadata_says(stock, sample):
    service = stock[sample.service]
    about = service.client.get_model_metadata(sample.model)
    result = service.infer(sample, request_id="r1")
    response = result.get_response()
    assert (response.id, response.model_version) == ("r1", about.versions[0])
    assert [output.name for output in response.outputs] == [output.name for output in about.outputs]
    for output, described in zip(response.outputs, about.outputs, strict=True):
        array = result.as_numpy(output.name)
        assert fits(array.shape, described.shape) and TYPES[array.dtype.name] == described.datatype == output.datatype
        if service.client.get_model_config(sample.model).config.max_batch_size:
            assert array.shape[0] == sample.rows
        if described.datatype == "FP32":
            assert np.isfinite(array).all()


@each_model
def test_named_outputs_alone_come_back(stock, sample):
    service = stock[sample.service]
    last = service.client.get_model_metadata(sample.model).outputs[-1].name
    result = service.infer(sample, outputs=[triton.InferRequestedOutput(last)])
    assert [output.name for output in result.get_response().outputs] == [last]


@each_model
async def test_the_aio_client_gets_the_same_answer(stock, sample):
    service = stock[sample.service]
    async with triton_aio.InferenceServerClient(service.target) as client:
        assert await client.is_server_ready() and await client.is_model_ready(sample.model)
        inputs = inputs_of(service.arrays(sample), triton_aio)
        other = await client.infer(sample.model, inputs, parameters=dict(sample.parameters), client_timeout=120)
    one = service.infer(sample)
    for output in one.get_response().outputs:
        left, right = one.as_numpy(output.name), other.as_numpy(output.name)
        if left.dtype == np.float32:
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(left, right)


@each_model
def test_statistics_count_what_was_asked(stock, sample):
    service = stock[sample.service]

    def counts():
        (stats,) = service.client.get_inference_statistics(sample.model).model_stats
        return np.array([stats.inference_count, stats.execution_count, stats.inference_stats.success.count])

    before = counts()
    service.infer(sample)
    assert (counts() - before >= [sample.rows, 1, 1]).all()
    every = service.client.get_inference_statistics().model_stats
    assert sample.model in {stats.name for stats in every}
