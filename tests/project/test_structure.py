"""The rooms of the house: imports point downwards, importing is light, and __all__ is what there is."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import thalweg

ROOT = Path(thalweg.__file__).parent
# From top to bottom, as docs/architecture.md lists them. A room may import from itself and from the rooms below.
ROOMS = [
    ["thalweg.cli"],
    ["thalweg.runs"],
    ["thalweg.tabular"],
    ["thalweg"],  # the public names
    ["thalweg.experiments"],
    ["thalweg.views"],
    ["thalweg.models"],
    ["thalweg.callbacks", "thalweg.utils"],
    ["thalweg.data"],
    ["thalweg.layers"],
    ["thalweg.activations", "thalweg.constraints", "thalweg.initializers", "thalweg.losses", "thalweg.metrics",
     "thalweg.optimizers", "thalweg.regularizers", "thalweg.schedules"],
    ["thalweg.engine"],
    ["thalweg.engine.native"],
    ["thalweg.engine.native.runtime"],
    ["thalweg.engine.native.kernels"],
    ["thalweg.engine.native.linalg"],
    ["thalweg.engine.native.compiler"],
    ["thalweg.engine.native.passes"],
    ["thalweg.engine.native.layouts"],
    ["thalweg.engine.contract", "thalweg.engine.lanes"],
    ["thalweg.program"],
    ["thalweg.program.passes"],
    ["thalweg.program.instructions"],
    ["thalweg.program.formula"],
    ["thalweg.program.ir"],
    ["thalweg.support"],
    ["thalweg.errors", "thalweg.version"],
]  # fmt: skip
# Imports inside functions that point upwards: only where a description is turned into what it describes.
UPWARDS_INSIDE_FUNCTIONS = {}
MODULES = sorted(".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in ROOT.rglob("*.py"))
MODULES = [name.removesuffix(".__init__") for name in MODULES]


def floor(module):
    """The number of the room, counted from the top; the longest name that fits decides."""
    fitting = [
        (len(name), number)
        for number, room in enumerate(ROOMS)
        for name in room
        if module == name or (name != "thalweg" and module.startswith(name + "."))
    ]
    return max(fitting)[1] if fitting else None


def imports(module):
    """(imported thalweg module, whether at the top of the file); imports for type checking don't count."""
    path = ROOT.parent.joinpath(*module.split("."))
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
    package = module if path.is_dir() else module.rpartition(".")[0]

    def visit(node, top):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    base = ".".join([*package.split(".")[: len(package.split(".")) - child.level + 1], base]).strip(".")
                for alias in child.names:
                    whole = f"{base}.{alias.name}"
                    yield (whole if whole in MODULES else base), top
            inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from visit(child, top and not inner)

    return {(name, top) for name, top in visit(tree, True) if name.split(".")[0] == "thalweg"}


def test_every_module_has_a_room():
    homeless = [module for module in MODULES if floor(module) is None]
    assert not homeless, f"give these modules a place in ROOMS: {homeless}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module):
    for imported, top in imports(module):
        upwards = floor(imported) < floor(module)
        if upwards and not top:
            upwards = (module, imported) not in UPWARDS_INSIDE_FUNCTIONS
        assert not upwards, f"{module} imports {imported}, which is above it"


def test_the_order_would_notice_a_wrong_import(monkeypatch):
    monkeypatch.setattr(f"{__name__}.imports", lambda module: {("thalweg.layers.core", True)})
    with pytest.raises(AssertionError, match=r"thalweg.program.instructions.linear imports thalweg.layers.core"):
        test_imports_point_downwards("thalweg.program.instructions.linear")
    test_imports_point_downwards("thalweg.models.sequential")


def test_the_imports_of_a_module_are_found():
    found = imports("thalweg.engine.native.kernels.losses.elementwise_losses")
    assert ("thalweg.engine.native.kernels.activations", True) in found
    assert ("thalweg.engine.reference", False) in imports("thalweg.losses.loss")  # inside a function
    assert ("thalweg.engine.native.compiler.llvm", True) in imports(
        "thalweg.engine.native.linalg.gemm"
    )  # a relative import
    assert "thalweg.models.sequential" not in {
        name for name, _ in imports("thalweg.callbacks")
    }  # for type checking only


HEAVY = {
    "numba",
    "llvmlite",
    "duckdb",
    "sklearn",
    "rich",
    "pandas",
    "polars",
    "narwhals",
    "safetensors",
    "sympy",
    "matplotlib",
    "PIL",
    "yaml",
    "tensorboardX",
    "typer",
    "torch",
}


def loaded(code):
    """The heavy modules that a fresh Python has loaded after the code."""
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return HEAVY & {name.split(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


def test_importing_is_light():
    assert loaded("import thalweg") == set()
    assert loaded("import thalweg.data") == set()
    assert loaded("import numba") >= {"numba", "llvmlite"}  # the control: such a module would be seen


def test_the_reference_engine_needs_no_compiler():
    code = """
from thalweg import Sequential, layers
model = Sequential([layers.Input((2,)), layers.Dense(1)], engine="reference")
model.compile("adam", "mse")
model.fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], verbose=0)
model.predict([[0.0, 1.0]])
"""
    assert loaded(code) == set()


def test_all_is_the_public_names():
    public = {name for name in vars(thalweg) if not name.startswith("_")}
    submodules = {name.split(".")[1] for name in MODULES if name.count(".")}
    offered = set(thalweg.__all__) - {"__version__"}
    assert set(thalweg.__all__) >= {"__version__"}
    assert offered <= public
    # A submodule that something has imported is an attribute too; only those in __all__ are meant.
    assert public - submodules == offered - submodules
    assert len(thalweg.__all__) == len(set(thalweg.__all__))
    assert sorted(thalweg.__all__) == thalweg.__all__


@pytest.mark.parametrize("module", [m for m in MODULES if "__main__" not in m])
def test_every_name_in_a_modules_all_exists(module):
    try:
        loaded_module = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        pytest.skip(f"{missing.name} isn't installed")
    for name in getattr(loaded_module, "__all__", ()):
        assert hasattr(loaded_module, name)
    assert loaded_module.__doc__ or not Path(str(loaded_module.__file__)).read_text(encoding="utf-8").strip()


def test_type_hints_are_shipped():
    assert (ROOT / "py.typed").exists()
