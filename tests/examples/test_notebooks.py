"""The notebooks run from the first cell to the last, and are committed without what they print."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

WITH_FORMULAS = ("1_first_network",)

nbformat = pytest.importorskip("nbformat")


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == ["1_first_network", "2_a_table", "3_a_look_inside"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_output(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.filterwarnings("ignore")  # Jupyter's own, of its event loop and sockets
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.jit] * (path.stem in WITH_FORMULAS)) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_a_notebook_runs(path, monkeypatch, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(FOLDER)}}).execute()
    printed = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert len(printed) > 4
    assert not [output for output in printed if output.output_type == "error" or output.get("name") == "stderr"]
