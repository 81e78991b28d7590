"""The committed protobuf code is what `make protos` generates from the .proto files."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("protos/v1/results.proto", "protos/v1/jobs.proto")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    out = tmp_path_factory.mktemp("protos")
    options = ("-I.", f"--python_out={out}", f"--grpc_python_out={out}")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *SOURCES], cwd=ROOT, check=True)
    return out


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("suffix", ["_pb2.py", "_pb2_grpc.py"])
def test_generated_code_is_up_to_date(generated, source, suffix):
    name = source.removesuffix(".proto") + suffix
    assert (ROOT / name).read_text() == (generated / name).read_text(), "run `make protos`"
