"""The notebook of the docs runs from its first cell to its last, on a stack like the one that its reader starts."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def notebook(stack):
    found = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    where = {"STEERSCOPE_API": stack.stack.addresses.api, "STEERSCOPE_HOME": str(stack.stack.home)}
    client = NotebookClient(found, timeout=600, resources={"metadata": {"path": str(ROOT)}})
    return client.execute(env=os.environ | where | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"})


def outputs(notebook):
    """What the code cells printed or showed, as text."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    told = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in found]
    return "\n".join(told)


def test_it_tells_explanations_scores_and_the_nearest(notebook):
    told = outputs(notebook)
    for wanted in ("'segmenter'", "steering@0.5", "informed_masks", "feature 44 is done", "'done': 6"):
        assert wanted in told, told
    for column in ("synthetic_activation", "iou_low", "mean_rank"):
        assert column in told
    assert not [out for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "error"]


def test_it_shows_the_images_under_their_heatmaps(notebook):
    pictures = [
        out["data"]["image/png"]
        for cell in notebook.cells
        for out in cell.get("outputs", [])
        if "image/png" in out.get("data", {})
    ]
    assert len(pictures) == 1 and len(pictures[0]) > 20_000


def test_it_is_kept_without_outputs():
    kept = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in kept.cells)
