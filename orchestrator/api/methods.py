"""The Jobs API's methods as gRPC wants them: as the generated code has it, but with a parser of our own."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from protos.v1 import jobs_pb2
from services.serving.parsing import parser

_KINDS = {  # whether requests and answers come in a stream
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
}
_SERVICE = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"]


def handler(servicer: Any) -> grpc.GenericRpcHandler:
    """All methods of the service; bytes that are no request reach them as `Malformed`."""
    methods = {}
    for method in _SERVICE.methods:
        methods[method.name] = _KINDS[method.client_streaming, method.server_streaming](
            getattr(servicer, method.name),
            request_deserializer=parser(GetMessageClass(method.input_type)),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(_SERVICE.full_name, methods)
