"""The Open Inference Protocol's generated code. This is the only module that imports tritonclient's stubs.

Own stubs compiled from the protocol's .proto cannot live in one process with tritonclient's: both would register the
same messages in protobuf's global pool.
"""

from tritonclient.grpc import model_config_pb2 as config_pb
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

SERVICE_NAME: str = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

__all__ = ["SERVICE_NAME", "GRPCInferenceServiceStub", "config_pb", "pb"]
