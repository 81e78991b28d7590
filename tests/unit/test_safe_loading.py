"""Nothing that is loaded may run code: no pickles, no code of a hub's repository. Held against the code."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.sae.autoencoder import CheckpointError
from services.sae.formats.reading import torch_state

ROOT = Path(__file__).parents[2]
FILES = [file for room in ("services", "orchestrator") for file in sorted((ROOT / room).rglob("*.py"))]


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """Calls whose text ends with `name`, such as `torch.load`."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and f".{ast.unparse(node.func)}".endswith(f".{name}"):
                yield file, node


def test_torch_loads_weights_only():
    found = list(calls("torch.load"))
    assert found
    for file, call in found:
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get("weights_only") == "True", f"{file}:{call.lineno}"


@pytest.mark.parametrize("name", ["pickle.load", "pickle.loads", "joblib.load", "eval", "exec", "os.system"])
def test_what_would_run_code_is_called_nowhere(name):
    found = [(file, call) for file, call in calls(name) if "." in name or isinstance(call.func, ast.Name)]
    assert not [f"{file}:{call.lineno}" for file, call in found]


def test_no_code_of_a_repository_is_trusted():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert ast.unparse(node.value) == "False", f"{file}:{node.value.lineno}"


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    file, mark = tmp_path / "ae.pt", tmp_path / "it ran"
    file.write_bytes(pickle.dumps({"encoder.weight": Bomb(mark)}))
    with pytest.raises(CheckpointError, match="weights_only"):
        torch_state(file)
    assert not mark.exists()
