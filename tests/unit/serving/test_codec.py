"""The codec: rows → request → rows and results → response → results lose nothing; every breach is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.serving import codec
from services.serving.errors import InvalidInputError, shortened
from services.serving.oip import pb
from tests.unit.serving.toy import TOY, WHOLE, ToyResult, ToyRow, WholeResult, WholeRow

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


def vectors(size):
    return arrays.arrays(np.float32, size, elements=floats)


@st.composite
def toy_rows(draw):
    n, m, p = draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    with_vector, with_mask, with_mode = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    return [
        ToyRow(
            prompt=draw(st.text(max_size=20)),
            images=tuple(draw(st.binary(max_size=30)) for _ in range(n)),
            vector=draw(vectors(m)) if with_vector else None,
            factor=draw(floats),
            mask=draw(arrays.arrays(np.bool_, (p, 2))) if with_mask else None,
            mode=draw(st.text(max_size=5)) if with_mode else None,
        )
        for _ in range(draw(st.integers(1, 8)))
    ]


def same(left, right):
    for name, value in vars(left).items():
        other = vars(right)[name]
        assert (value is None) == (other is None), name
        if value is not None:
            np.testing.assert_array_equal(value, other, err_msg=name)
            assert np.asarray(value).dtype.kind == np.asarray(other).dtype.kind, name


@given(toy_rows())
def test_requests_come_back_as_they_were(rows):
    request = pb.ModelInferRequest.FromString(codec.encode_request(TOY, rows).SerializeToString())
    decoded = codec.decode_request(TOY, request)
    assert len(decoded) == len(rows)
    for left, right in zip(rows, decoded, strict=True):
        same(left, right)
        assert isinstance(right.prompt, str) and isinstance(right.factor, float)
        assert all(isinstance(image, bytes) for image in right.images)


@given(st.integers(1, 8), st.integers(0, 4), st.data())
def test_responses_come_back_as_they_were(count, width, data):
    results = [
        ToyResult(
            text=data.draw(st.text(max_size=9)),
            total=data.draw(floats),
            pixels=data.draw(st.integers(-(2**63), 2**63 - 1)),
            flag=data.draw(st.booleans()),
            matrix=data.draw(vectors((2, width))),
            blob=data.draw(st.binary(max_size=9)),
        )
        for _ in range(count)
    ]
    request = pb.ModelInferRequest(id="7")
    response = codec.encode_response(TOY, results, request, "v9")
    assert (response.id, response.model_version, response.model_name) == ("7", "v9", "toy")
    for left, right in zip(results, codec.decode_response(TOY, response), strict=True):
        same(left, right)
        assert isinstance(right.flag, bool) and isinstance(right.pixels, int)


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6), arrays.arrays(np.int64, st.integers(1, 9)))
def test_without_batching_a_request_is_one_row(names, ids):
    row = WholeRow(tuple(names), ids)
    decoded = codec.decode_request(WHOLE, codec.encode_request(WHOLE, [row]))
    assert len(decoded) == 1
    same(row, decoded[0])
    result = WholeResult(ids.astype(np.int32), np.packbits(ids > 0))
    same(result, codec.decode_response(WHOLE, codec.encode_response(WHOLE, [result], pb.ModelInferRequest(), ""))[0])


def test_rows_without_an_optional_tensor_take_its_default_beside_rows_that_have_it():
    vector, mask = np.array([1, 2], np.float32), np.zeros((3, 2), bool)
    rows = [ToyRow("a", (b"x",)), ToyRow("b", (b"y",), vector, 2.0, mask, "odd")]
    first, second = codec.decode_request(TOY, codec.encode_request(TOY, rows))
    same(first, ToyRow("a", (b"x",), np.zeros(2, np.float32), 1.0, np.ones((3, 2), bool), "plain"))
    same(second, rows[1])


def test_typed_contents_are_read_like_raw_ones():
    request = pb.ModelInferRequest(model_name="toy")
    request.inputs.add(name="PROMPT", datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append("é".encode())
    request.inputs.add(name="IMAGES", datatype="BYTES", shape=[1, 2]).contents.bytes_contents.extend([b"p", b"q"])
    request.inputs.add(name="VECTOR", datatype="FP32", shape=[1, 2]).contents.fp32_contents.extend([1.5, 2])
    request.inputs.add(name="MASK", datatype="BOOL", shape=[1, 1, 2]).contents.bool_contents.extend([True, False])
    (row,) = codec.decode_request(TOY, request)
    same(row, ToyRow("é", (b"p", b"q"), np.array([1.5, 2], np.float32), None, np.array([[True, False]])))


def test_typed_contents_that_do_not_fit_are_refused():
    response = pb.ModelInferResponse()
    response.outputs.add(name="IDS", datatype="INT32", shape=[1]).contents.int_contents.append(1)
    response.outputs.add(name="BITS", datatype="UINT8", shape=[1]).contents.uint_contents.append(300)
    with pytest.raises(InvalidInputError, match=r"BITS.*does not fit into UINT8"):
        codec.decode_response(WHOLE, response)


ROW = ToyRow("a", (b"x",), np.array([1, 2], np.float32), 1.0)


NAMELESS = ToyRow(None, (b"x",), ROW.vector, 1.0)  # type: ignore[arg-type]


def request_of(*rows):
    return codec.encode_request(TOY, rows)


def changed(change):
    request = request_of(ROW)
    change(request)
    return request


def tensor(request, name):
    return next(i for i, tensor in enumerate(request.inputs) if tensor.name == name)


def raw(name, value):
    def change(request):
        request.raw_input_contents[tensor(request, name)] = value

    return change


def reshape(name, *shape):
    def change(request):
        request.inputs[tensor(request, name)].shape[:] = shape

    return change


def dtype(name, value):
    def change(request):
        request.inputs[tensor(request, name)].datatype = value

    return change


BREACHES = {
    "tensor 'NOISE' is unknown": lambda r: setattr(r.inputs[0], "name", "NOISE"),
    "tensor IMAGES is given twice": lambda r: setattr(r.inputs[0], "name", "IMAGES"),
    "tensor PROMPT is missing": lambda r: (r.inputs.pop(0), r.raw_input_contents.pop(0)),
    "4 tensors came with 3 raw contents": lambda r: r.raw_input_contents.pop(),
    "tensor VECTOR has datatype 'INT32'; it must be FP32": dtype("VECTOR", "INT32"),
    r"tensor VECTOR has shape \[2\]; it must be \[-1, -1\]": reshape("VECTOR", 2),
    r"tensor VECTOR has shape \[1, -2\]": reshape("VECTOR", 1, -2),
    r"tensor FACTOR has dimensions \[2\]; the model's are \[1\]": reshape("FACTOR", 1, 2),
    "all tensors must have one batch size": reshape("VECTOR", 2, 1),
    r"no dimension may be 0": lambda r: (reshape("VECTOR", 1, 0)(r), raw("VECTOR", b"")(r)),
    r"VECTOR: shape \[1, 2\] of FP32 takes 8 bytes, but 7": raw("VECTOR", b"1234567"),
    "tensor VECTOR holds NaN or infinity": raw("VECTOR", np.array([1, np.inf], np.float32).tobytes()),
    "tensor FACTOR holds NaN": raw("FACTOR", np.array([np.nan], np.float32).tobytes()),
    "tensor PROMPT: the shape asks for 1 elements, but 0": raw("PROMPT", b""),
    "tensor PROMPT: the shape asks for 1 elements, but more than 1": raw("PROMPT", b"\0\0\0\0" * 5),
    "tensor PROMPT: the last element's 4-byte length is cut off": raw("PROMPT", b"\1\0"),
    "tensor PROMPT: element 0 is longer than": raw("PROMPT", b"\xff\xff\xff\xffab"),
    "tensor PROMPT: a text is not UTF-8": raw("PROMPT", b"\1\0\0\0\xff"),
    "tensor PROMPT: a text is longer than 65536 bytes": raw("PROMPT", b"\1\0\1\0" + b"a" * 65537),
    "tensor VECTOR: parameter 'shared_memory_region' is not supported": lambda r: codec.set_parameter(
        r.inputs[tensor(r, "VECTOR")].parameters["shared_memory_region"], "x"
    ),
}


@pytest.mark.parametrize("rule", BREACHES)
def test_a_breach_is_refused_with_the_rule(rule):
    with pytest.raises(InvalidInputError, match=rule):
        codec.decode_request(TOY, changed(BREACHES[rule]))


def test_bool_bytes_other_than_0_and_1_are_refused():
    request = request_of(replace(ROW, mask=np.ones((1, 2), bool)))
    raw("MASK", b"\1\2")(request)
    with pytest.raises(InvalidInputError, match="BOOL elements must be 0 or 1"):
        codec.decode_request(TOY, request)


def test_more_rows_than_the_model_takes_are_refused():
    with pytest.raises(InvalidInputError, match="9 rows; model 'toy' takes 1 to 8"):
        codec.decode_request(TOY, request_of(*[ROW] * 9))


def test_a_request_gets_the_outputs_that_it_names_in_its_order():
    request = pb.ModelInferRequest()
    for name in ("FLAG", "TEXT"):
        request.outputs.add(name=name)
    result = ToyResult("T", 1.0, 2, True, np.zeros((2, 1), np.float32), b"")
    response = codec.encode_response(TOY, [result], request, "v")
    assert [output.name for output in response.outputs] == ["FLAG", "TEXT"]
    with pytest.raises(InvalidInputError, match="lacks output TOTAL"):
        codec.decode_response(TOY, response)


def test_unknown_outputs_and_outputs_with_parameters_are_refused():
    request = pb.ModelInferRequest()
    request.outputs.add(name="NOISE")
    with pytest.raises(InvalidInputError, match="output 'NOISE' is unknown"):
        codec.requested_outputs(TOY, request)
    request = pb.ModelInferRequest()
    codec.set_parameter(request.outputs.add(name="TEXT").parameters["classification"], 3)
    with pytest.raises(InvalidInputError, match="parameter 'classification' is not supported"):
        codec.requested_outputs(TOY, request)


@pytest.mark.parametrize(
    ("rows", "error", "rule"),
    [
        ([ROW, replace(ROW, images=(b"x", b"y"))], ValueError, "IMAGES: shapes differ"),
        ([replace(ROW, mask=np.ones((2, 3), bool))], ValueError, r"MASK has dimensions \[2, 3\]"),
        ([NAMELESS], TypeError, "PROMPT is None in all"),
        ([ROW, NAMELESS], TypeError, "PROMPT is None in one"),
        ([replace(ROW, vector=np.array(["a"]))], TypeError, "VECTOR takes FP32"),
    ],
)
def test_the_client_cannot_send_rows_that_break_the_spec(rows, error, rule):
    with pytest.raises(error, match=rule):
        codec.encode_request(TOY, rows)


def test_a_message_is_cut_to_what_a_status_can_carry():
    assert shortened("a" * 2500) == "a" * 2500
    assert shortened("é" * 2500) == "é" * 1250 + " …"
