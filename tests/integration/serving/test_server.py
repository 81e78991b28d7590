"""The server over real gRPC: descriptions, every refusal with its status, limits, deadlines, drain."""

import asyncio
import threading
import urllib.request
from dataclasses import replace

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.serving import codec, wire
from services.serving.images import to_ppm
from services.serving.oip import SERVICE_NAME, pb
from services.serving.servicer import EXTENSIONS, PUSHBACK
from services.serving.spec import DataType
from tests.services import free_port
from tests.unit.serving.toy import PICTURE, TOY, WHOLE, ToyModel, WholeModel, WholeRow, expected, row

pytestmark = pytest.mark.integration


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_it_tells_what_it_serves(serve):
    async with serve() as toy:
        assert (await toy.stub.ServerLive(pb.ServerLiveRequest())).live
        assert (await toy.stub.ServerReady(pb.ServerReadyRequest())).ready
        about = await toy.stub.ServerMetadata(pb.ServerMetadataRequest())
        assert about.name == "steerscope-toy" and tuple(about.extensions) == EXTENSIONS
        for version, ready in (("", True), ("v1", True), ("v2", False)):
            assert (await toy.stub.ModelReady(pb.ModelReadyRequest(name="toy", version=version))).ready is ready
        metadata = await toy.stub.ModelMetadata(pb.ModelMetadataRequest(name="toy"))
        assert list(metadata.versions) == ["v1"]
        config = (await toy.stub.ModelConfig(pb.ModelConfigRequest(name="toy"))).config
        assert config.parameters["width"].string_value == "7"


async def test_it_answers_batched_and_whole_requests(serve):
    async with serve() as toy:
        rows = [row("a", vector=np.array([1, 2], np.float32)), row("b", vector=np.array([3, 4], np.float32))]
        response = await toy.stub.ModelInfer(codec.encode_request(TOY, rows))
        assert response.model_version == "v1"
        for result, one in zip(codec.decode_response(TOY, response), rows, strict=True):
            wanted = expected(one)
            np.testing.assert_array_equal(result.matrix, wanted.matrix)
            assert replace(result, matrix=None) == replace(wanted, matrix=None)
        whole = codec.encode_request(WHOLE, [WholeRow(("x",), np.arange(6))])
        (result,) = codec.decode_response(WHOLE, await toy.stub.ModelInfer(whole))
        assert result.ids.tolist() == [1, 3, 5]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (lambda r: setattr(r, "model_name", "none"), "NOT_FOUND", "unknown model 'none'; this service has toy, whole"),
        (lambda r: setattr(r, "model_version", "v2"), "NOT_FOUND", "model 'toy' has no version 'v2'; it is at 'v1'"),
        (lambda r: setattr(r.inputs[0], "datatype", "FP32"), "INVALID_ARGUMENT", "tensor PROMPT has datatype 'FP32'"),
        (lambda r: r.outputs.add(name="NOISE"), "INVALID_ARGUMENT", "output 'NOISE' is unknown"),
        (lambda r: codec.set_parameter(r.parameters["steps"], 99), "INVALID_ARGUMENT", "parameter 'steps' is 99"),
        (lambda r: prompt(r, b"an <image> here"), "INVALID_ARGUMENT", "row 1: the prompt holds the special token"),
        (lambda r: picture(r, b"GIF89a"), "INVALID_ARGUMENT", "tensor IMAGES, row 1: image cannot be read"),
        (lambda r: picture(r, PICTURE[:-1]), "INVALID_ARGUMENT", "tensor IMAGES, row 1: image is damaged"),
    ],
)
async def test_what_is_wrong_is_named(serve, change, status, message):
    async with serve() as toy:
        request = codec.encode_request(TOY, [row("a"), row("b")])
        await toy.stub.ModelInfer(request)
        change(request)
        error = await refusal(toy.stub.ModelInfer(request))
        assert error.code().name == status and message in error.details()


def prompt(request, text):
    request.raw_input_contents[0] = wire.pack(DataType.BYTES, wire.as_objects([b"a", text], (2,)))


def picture(request, data):
    request.raw_input_contents[1] = wire.pack(DataType.BYTES, wire.as_objects([PICTURE, data], (2,)))


async def test_other_methods_are_unimplemented(serve):
    async with serve() as toy:
        error = await refusal(toy.stub.RepositoryIndex(pb.RepositoryIndexRequest()))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in toy.stub.ModelStreamInfer(iter([pb.ModelInferRequest()])):
                pass
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_bytes_that_are_no_message_are_refused_in_words(serve):
    async with serve() as toy:
        error = await refusal(toy.channel.unary_unary(f"/{SERVICE_NAME}/ModelInfer")(b"\xff\xff"))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "the 2 bytes of the request are no inference.ModelInferRequest" in error.details()


async def test_reflection_names_all_services(serve):
    async with serve() as toy:
        stub = reflection_pb2_grpc.ServerReflectionStub(toy.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for reply in stub.ServerReflectionInfo(iter([request])):
            names = {service.name for service in reply.list_services_response.service}
        assert {SERVICE_NAME, "grpc.health.v1.Health"} <= names


async def test_a_full_queue_pushes_back_and_then_recovers(serve):
    async with serve(max_queue_size=2) as toy:
        busy = await toy.occupy()
        queued = asyncio.ensure_future(toy.infer("queued"))
        await toy.until(lambda: toy.server._admission.requests == 2)
        error = await refusal(toy.infer("refused"))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "queue is full" in error.details()
        assert int(dict(error.trailing_metadata())[PUSHBACK]) >= 50
        toy.model.gate.set()
        await asyncio.gather(busy, queued)
        await toy.infer("taken")
        assert toy.model.batches[1:] == [["busy"], ["queued"], ["taken"]]


async def test_too_many_pixels_push_back_before_they_are_decoded(serve):
    async with serve(max_queue_pixels=1 << 20) as toy:
        busy = await toy.occupy()
        side = to_ppm(np.zeros((1000, 1000, 3), np.uint8))
        request = codec.encode_request(TOY, [row("big", images=(side,))])
        queued = asyncio.ensure_future(toy.stub.ModelInfer(request))
        await toy.until(lambda: toy.server._admission.pixels > 1_000_000)
        error = await refusal(toy.stub.ModelInfer(request))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "pixels are inside" in error.details()
        toy.model.gate.set()
        await asyncio.gather(busy, queued)


async def test_the_timeout_parameter_is_a_deadline_and_its_rows_are_never_computed(serve):
    async with serve() as toy:
        busy = await toy.occupy()
        request = codec.encode_request(TOY, [row("late")], {"timeout": 50_000})
        error = await refusal(toy.stub.ModelInfer(request))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and "deadline passed" in error.details()
        toy.model.gate.set()
        await busy
        assert toy.model.batches[1:] == [["busy"]]


async def test_the_grpc_deadline_takes_rows_out_of_the_queue(serve):
    async with serve() as toy:
        busy = await toy.occupy()
        error = await refusal(toy.infer("late", timeout=0.1))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await toy.until(lambda: toy.server._admission.requests == 1)
        toy.model.gate.set()
        await busy
        assert toy.model.batches[1:] == [["busy"]]


async def test_a_cancelled_call_leaves_the_queue_and_is_counted(serve):
    async with serve() as toy:
        busy = await toy.occupy()
        call = toy.infer("gone")
        await toy.until(lambda: toy.server._batcher.pending("toy") == 1)
        call.cancel()
        await toy.until(lambda: toy.server._admission.requests == 1)
        assert toy.server._batcher.pending("toy") == 0
        toy.model.gate.set()
        await busy
        assert toy.model.batches[1:] == [["busy"]]
        assert dict(toy.server._counters["toy"].failures) == {"CANCELED": 1}


async def test_out_of_memory_is_overload_with_a_pause(serve):
    async with serve(ToyModel(capacity=2, giant="giant")) as toy:
        response = await toy.infer(*"abcde")
        assert [result.text for result in codec.decode_response(TOY, response)] == list("ABCDE")
        error = await refusal(toy.infer("a", "giant"))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and PUSHBACK in dict(error.trailing_metadata())
        assert "1 row does not fit into the device's memory; lower images_per_pass" in error.details()
        await toy.infer("a")


async def test_internals_stay_inside(serve, caplog):
    async with serve(ToyModel(bad=KeyError("/secret/path"))) as toy:
        error = await refusal(toy.infer("bad"))
        assert error.code() is grpc.StatusCode.INTERNAL and "secret" not in error.details()
        assert error.details().rsplit("error id ", 1)[1].rstrip(")") in caplog.text


async def test_a_lost_device_answers_unavailable_and_tells_the_process(serve):
    async with serve() as toy:
        toy.model.faults.append(RuntimeError("CUDA error: device-side assert triggered"))
        error = await refusal(toy.infer("a"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.wait_for(toy.server.device_lost.wait(), 5)


async def test_an_answer_beyond_a_message_is_refused_in_words(serve):
    async with serve(max_message_bytes=1 << 20) as toy:
        rows = [row("a", vector=np.zeros(100_000, np.float32))] * 2
        error = await refusal(toy.stub.ModelInfer(codec.encode_request(TOY, rows)))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT and "ask for fewer rows" in error.details()


async def test_while_loading_it_lives_but_is_not_ready(serve):
    go = threading.Event()

    def slow(model):
        go.wait(10)
        return (model, WholeModel())

    async with serve(load=slow) as toy:
        assert (await toy.stub.ServerLive(pb.ServerLiveRequest())).live
        assert not (await toy.stub.ServerReady(pb.ServerReadyRequest())).ready
        assert not (await toy.stub.ModelReady(pb.ModelReadyRequest(name="toy"))).ready
        assert await toy.health() == "NOT_SERVING"
        assert (await refusal(toy.infer("a"))).code() is grpc.StatusCode.UNAVAILABLE
        go.set()
        await toy.until(lambda: toy.server._state.ready)
        assert await toy.health() == "SERVING" and toy.model.batches == [["warm"]]
        await toy.infer("a")


async def test_a_drain_finishes_what_is_inside_and_refuses_what_comes(serve):
    async with serve() as toy:
        busy = await toy.occupy()
        drain = asyncio.create_task(toy.server.drain())
        await asyncio.sleep(0.1)
        assert await toy.health() == "NOT_SERVING"
        assert not (await toy.stub.ServerReady(pb.ServerReadyRequest())).ready
        early = asyncio.ensure_future(toy.infer("early"))
        await asyncio.sleep(0.4)
        error = await refusal(toy.infer("late"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE and "is stopping" in error.details()
        assert not drain.done()
        toy.model.gate.set()
        assert await drain is True
        await asyncio.gather(busy, early)
        assert toy.model.batches[1:] == [["busy"], ["early"]]


async def test_a_drain_gives_up_on_what_does_not_finish(serve):
    async with serve(drain_wait_seconds=0, drain_timeout_seconds=0.1) as toy:
        busy = await toy.occupy()
        assert await toy.server.drain() is False
        await toy.server.stop()
        with pytest.raises(grpc.aio.AioRpcError):
            await busy


async def test_statistics_and_metrics_count_what_happened(serve):
    port = free_port()
    async with serve(metrics_port=port) as toy:
        await asyncio.gather(toy.infer("a", "b"), toy.infer("c"))
        await refusal(toy.infer("a", steps=99))
        request = pb.ModelStatisticsRequest(name="toy")
        (stats,) = (await toy.stub.ModelStatistics(request)).model_stats
        assert (stats.inference_count, stats.inference_stats.success.count) == (3, 2)
        assert stats.inference_stats.fail.count == 1 and stats.inference_stats.compute_infer.ns > 0
        assert stats.execution_count == sum(batch.compute_infer.count for batch in stats.batch_stats) >= 1
        assert len((await toy.stub.ModelStatistics(pb.ModelStatisticsRequest())).model_stats) == 2
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read())
    lines = dict(line.rsplit(" ", 1) for line in page.decode().splitlines() if not line.startswith("#"))
    assert float(lines['nv_inference_request_success{model="toy",version="v1"}']) == 2
    assert float(lines['nv_inference_count{model="toy",version="v1"}']) == 3
    assert float(lines['nv_inference_request_failure{model="toy",reason="OTHER",version="v1"}']) == 1
    assert float(lines['nv_inference_pending_request_count{model="toy",version="v1"}']) == 0
    assert float(lines['nv_inference_compute_infer_duration_us{model="toy",version="v1"}']) > 0
    assert float(lines['steerscope_batch_rows_sum{model="toy"}']) == 3
    assert float(lines['steerscope_request_stage_seconds_count{model="toy",stage="queue"}']) == 2
    assert float(lines["steerscope_inside_requests"]) == 0


async def test_an_idle_service_sleeps_and_serves_on(serve):
    port = free_port()

    def loaded():
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        return 'steerscope_model_loaded{model="toy"} 1.0' in page

    async with serve(idle_unload_seconds=0.1, metrics_port=port) as toy:
        assert await asyncio.to_thread(loaded)
        for prompt in "ab":
            await toy.until(lambda: toy.model.asleep)
            assert not await asyncio.to_thread(loaded)
            assert await toy.health() == "SERVING"
            assert (await toy.stub.ServerReady(pb.ServerReadyRequest())).ready
            (result,) = codec.decode_response(TOY, await toy.infer(prompt))
            assert result.text == prompt.upper()


async def test_a_stuck_batch_shows_while_the_server_stays_alive(serve):
    port = free_port()
    async with serve(metrics_port=port) as toy:
        busy = await toy.occupy()
        await asyncio.sleep(0.2)
        assert (await toy.stub.ServerLive(pb.ServerLiveRequest(), timeout=5)).live
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read())
        (line,) = [one for one in page.decode().splitlines() if one.startswith("steerscope_running_batch_seconds")]
        assert 0.2 <= float(line.split()[1]) < 60
        toy.model.gate.set()
        await busy
        assert toy.server._batcher.running_seconds() == 0


async def test_concurrent_requests_never_cross(serve):
    async with serve() as toy:
        prompts = [[f"{i}-{j}" for j in range(1 + i % 8)] for i in range(60)]
        calls = [toy.infer(*own, steps=1 + i % 2, priority=1 + i % 2) for i, own in enumerate(prompts)]
        for own, response in zip(prompts, await asyncio.gather(*calls), strict=True):
            assert [result.text for result in codec.decode_response(TOY, response)] == [p.upper() for p in own]
        assert len(toy.model.batches) < 60
