"""The example notebook runs in a kernel of its own, and shows what it says: a tree, tables and frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.test_notebook import Tree

PATH = Path(__file__).parent.parent / "examples" / "profile_model.ipynb"
RESNET18 = 11_689_512  # parameters, as torchvision publishes them
CONV = 64 * 64 * 3 * 3 * 56 * 56


@pytest.fixture(scope="module")
def outputs() -> list[Any]:
    """Of each cell of code, what it shows."""
    notebook = nbformat.read(PATH, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is kept without what it prints"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def test_it_shows_what_it_says(outputs: list[Any]) -> None:
    assert [len(cell) for cell in outputs] == [1] * 6
    profiled, layer, compared, frame, share, memory = outputs
    assert f"{RESNET18:,}" in profiled[0]["data"]["text/plain"]
    assert len(Tree(profiled[0]["data"]["text/html"]).rows) == 1 + 68  # with the headings
    assert layer[0]["text"].startswith(f"{CONV:,} of 1,814,073,344 MACs")
    assert "mobilenet_v2" in compared[0]["data"]["text/html"]
    assert "layer4.1.conv2" in frame[0]["data"]["text/html"]
    assert share[0]["text"].startswith(f"{1 - 512_000 / 1_814_073_344:.2%} of the MACs")
    assert "<table>" in memory[0]["data"]["text/html"]


def test_all_of_it_is_small(outputs: list[Any]) -> None:
    assert sum(len(str(output)) for cell in outputs for output in cell) < 200_000
