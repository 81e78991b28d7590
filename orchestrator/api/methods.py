"""The Jobs API's methods as gRPC wants them: as the generated code has it, but with a parser of our own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from protos.v1 import jobs_pb2
from services.serving.parsing import Malformed, parser

_SERVICE = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"]


def handler(servicer: Any) -> grpc.GenericRpcHandler:
    """All methods of the service; bytes that are no request end as INVALID_ARGUMENT."""
    methods = {}
    for method in _SERVICE.methods:
        kind = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        methods[method.name] = kind(
            _refusing(getattr(servicer, method.name)),
            request_deserializer=parser(GetMessageClass(method.input_type)),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(_SERVICE.full_name, methods)


def _refusing(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @functools.wraps(method)
    def call(request: Any, context: Any) -> Any:
        if isinstance(request, Malformed):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, request.rule)
        return method(request, context)

    return call
