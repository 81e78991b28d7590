"""What a spec looks like from outside: ModelMetadata, ModelConfig, and the table in the README.

`python -m services.serving.describe` prints the table.
"""

import importlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from services.serving.oip import config_pb, pb
from services.serving.parameters import Priority
from services.serving.settings import ServiceSettings
from services.serving.spec import DataType, ModelSpec, ParameterSpec, TensorSpec

PLATFORM = "steerscope"
SERVICES = ("vlm", "sae", "generator", "segmenter", "clip")
_CONFIG_TYPES = {DataType.BYTES: "TYPE_STRING"}


def metadata(spec: ModelSpec[Any, Any], version: str) -> Any:
    """The ModelMetadataResponse; shapes begin with the batch dimension where the model has one."""
    return pb.ModelMetadataResponse(
        name=spec.name,
        versions=[version],
        platform=PLATFORM,
        inputs=[_metadata(spec, tensor) for tensor in spec.inputs],
        outputs=[_metadata(spec, tensor) for tensor in spec.outputs],
    )


def config(spec: ModelSpec[Any, Any], facts: Mapping[str, str], settings: ServiceSettings) -> Any:
    """The ModelConfig; `facts` travel as its parameters, shapes leave the batch dimension out."""
    policy = config_pb.ModelQueuePolicy(allow_timeout_override=True, max_queue_size=settings.max_queue_size)
    batching = config_pb.ModelDynamicBatching(
        max_queue_delay_microseconds=settings.max_queue_delay_microseconds,
        priority_levels=len(Priority),
        default_priority_level=Priority.BULK,
        default_queue_policy=policy,
    )
    return config_pb.ModelConfig(
        name=spec.name,
        platform=PLATFORM,
        max_batch_size=spec.max_batch_size,
        input=[
            config_pb.ModelInput(
                name=tensor.name, data_type=_config_type(tensor), dims=tensor.wire_dims, optional=tensor.optional
            )
            for tensor in spec.inputs
        ],
        output=[
            config_pb.ModelOutput(name=tensor.name, data_type=_config_type(tensor), dims=tensor.wire_dims)
            for tensor in spec.outputs
        ],
        dynamic_batching=batching if spec.batched else None,
        parameters={name: config_pb.ModelParameter(string_value=value) for name, value in facts.items()},
    )


def table(services: Mapping[str, Iterable[ModelSpec[Any, Any]]]) -> str:
    """A Markdown table of all models with their tensors and parameters."""
    lines = ["| service | model | inputs | outputs | parameters | batch |", "|---|---|---|---|---|---|"]
    for service, specs in services.items():
        for spec in specs:
            cells = (
                service,
                f"`{spec.name}`: {spec.doc}",
                "<br>".join(_cell(tensor) for tensor in spec.inputs),
                "<br>".join(_cell(tensor) for tensor in spec.outputs),
                "<br>".join(_parameter(parameter) for parameter in spec.parameters) or "–",
                f"≤ {spec.max_batch_size}" if spec.batched else "one row",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def all_specs() -> dict[str, tuple[ModelSpec[Any, Any], ...]]:
    """The specs of the five services."""
    return {service: importlib.import_module(f"services.{service}.spec").SPECS for service in SERVICES}


def _metadata(spec: ModelSpec[Any, Any], tensor: TensorSpec) -> Any:
    shape = (-1, *tensor.wire_dims) if spec.batched else tensor.wire_dims
    return pb.ModelMetadataResponse.TensorMetadata(name=tensor.name, datatype=tensor.dtype.value, shape=shape)


def _config_type(tensor: TensorSpec) -> int:
    return int(config_pb.DataType.Value(_CONFIG_TYPES.get(tensor.dtype, f"TYPE_{tensor.dtype}")))


def _cell(tensor: TensorSpec) -> str:
    dims = ", ".join("?" if dim < 0 else str(dim) for dim in tensor.dims)
    optional = ", optional" if tensor.optional else ""
    return f"`{tensor.name}` {tensor.dtype} [{dims}]{optional}: {tensor.doc}"


def _parameter(parameter: ParameterSpec) -> str:
    if parameter.choices:
        allowed = " or ".join(parameter.choices)
    elif parameter.low is None and parameter.high is None:
        allowed = type(parameter.default).__name__
    else:
        allowed = f"{parameter.low} to {parameter.high}"
    return f"`{parameter.name}` = {parameter.default} ({allowed}): {parameter.doc}"


if __name__ == "__main__":
    sys.stdout.write(table(all_specs()))
