"""The rooms of the house: imports point downwards, importing is light, and __all__ is what there is.

`python tests/project/test_structure.py` prints what is counted here."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from house import House, is_abstract

import thalweg

ROOT = Path(thalweg.__file__).parent
# From top to bottom, as docs/architecture.md lists them. A room may import from itself, its row, and the rows below.
ROOMS = [
    ["thalweg"],  # the public names
    ["thalweg.cli"],
    ["thalweg.play"],
    ["thalweg.play.exports"],
    ["thalweg.play.training"],
    ["thalweg.play.exercises"],
    ["thalweg.play.requests"],
    ["thalweg.runs.reports"],
    ["thalweg.runs"],
    ["thalweg.sklearn"],
    ["thalweg.experiments.tuning"],
    ["thalweg.tabular"],
    ["thalweg.absent", "thalweg.backend", "thalweg.preprocessing", "thalweg.random", "thalweg.saving", "thalweg.utils"],
    ["thalweg.experiments"],
    ["thalweg.views"],
    ["thalweg.models"],
    ["thalweg.tracing"],
    ["thalweg.views.report", "thalweg.views.notebook"],
    ["thalweg.landscapes"],
    ["thalweg.doctor"],
    ["thalweg.recordings"],
    ["thalweg.callbacks", "thalweg.datasets"],
    ["thalweg.data.images"],
    ["thalweg.data"],
    ["thalweg.data.formats"],
    ["thalweg.data.notations"],
    ["thalweg.layers", "thalweg.layers.lookups", "thalweg.layers.numerical"],
    ["thalweg.activations", "thalweg.constraints", "thalweg.initializers", "thalweg.losses", "thalweg.metrics",
     "thalweg.optimizers", "thalweg.regularizers", "thalweg.schedules"],
    ["thalweg.ops"],
    ["thalweg.engine"],
    ["thalweg.engine.native"],
    ["thalweg.engine.native.runtime"],
    ["thalweg.engine.native.kernels", "thalweg.engine.native.kernels.generated",
     "thalweg.engine.native.kernels.images", "thalweg.engine.native.kernels.losses",
     "thalweg.engine.native.kernels.numerical", "thalweg.engine.native.kernels.rewritten",
     "thalweg.engine.native.kernels.updates"],
    ["thalweg.engine.native.linalg"],
    ["thalweg.engine.native.compiler"],
    ["thalweg.engine.native.passes"],
    ["thalweg.engine.native.layouts"],
    ["thalweg.engine.contract", "thalweg.engine.lanes"],
    ["thalweg.program"],
    ["thalweg.program.passes"],
    ["thalweg.program.instructions", "thalweg.program.instructions.images", "thalweg.program.instructions.losses",
     "thalweg.program.instructions.numerical", "thalweg.program.instructions.updates"],
    ["thalweg.program.formula"],
    ["thalweg.program.ir"],
    ["thalweg.views.web"],
    ["thalweg.words"],
    ["thalweg.support"],
    ["thalweg.errors", "thalweg.version"],
]  # fmt: skip
MOST_MODULES = 20  # in a room
MOST_LINES = 500  # in a file
# A name may stand once in each of these: a layer or loss …, its instruction, and its kernel. A pass of the native
# engine holds the instructions that it puts into a program.
ROLES = [
    ["layers", "ops", "activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers"],
    ["program.instructions", "engine.native.passes"],
    ["engine.native.kernels"],
]
# Still to be given a common base; a class that has one has to be taken out.
STILL_CONCRETE = {"thalweg.program.ir.instruction.Buffer"}
HOUSE = House(ROOT, ROOMS)
MODULES = HOUSE.modules


def build(folder, files, rooms=()):
    """The house of a small package `toy`: file → text."""
    for name, text in ({"__init__.py": ""} | files).items():
        path = folder / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return House(folder / "toy", [list(row) for row in rooms])


def misplaced(house):
    """Modules and folders without a place in the order, and places in the order without a module or folder."""
    named = {name for row in house.rooms for name in row}
    homeless = {m for m in house.modules if house.room(m) is None} | (set(house.folders) - named)
    return sorted(homeless), sorted(named - set(house.files) - set(house.folders))


def crowded(house, most=MOST_MODULES):
    return {folder: len(modules) for folder, modules in house.folders.items() if len(modules) > most}


def too_long(house, most=MOST_LINES):
    return {module for module, lines in house.lines().items() if lines > most}


def repeated(house):
    """The names that stand twice although their modules haven't the roles of one operation."""

    def role(module):
        below = module.partition(".")[2] + "."
        return next((n for n, rooms in enumerate(ROLES) if below.startswith(tuple(r + "." for r in rooms))), None)

    found = {name: [role(module) for module in modules] for name, modules in house.namesakes().items()}
    return {name for name, roles in found.items() if None in roles or len(set(roles)) < len(roles)}


def concrete(house):
    made = house.made()
    return {
        f"{kind.__module__}.{kind.__qualname__}"
        for kind, subclasses in house.classes().items()
        if not is_abstract(kind, subclasses, made)
    }


def test_the_rooms_are_those_that_exist():
    assert misplaced(HOUSE) == ([], []), "without a place in ROOMS, and in ROOMS without a folder"


def test_a_room_too_many_or_too_few_would_be_found(tmp_path):
    house = build(tmp_path, {"a.py": "", "b/c.py": "", "b/d/e.py": ""}, [["toy", "toy.b"], ["toy.attic"]])
    assert misplaced(house) == (["toy.a", "toy.b.d"], ["toy.attic"])


def test_imports_point_downwards():
    assert HOUSE.upwards() == []


def test_an_import_of_a_room_above_would_be_found(tmp_path):
    files = {"layers/a.py": "import toy.program.b", "program/b.py": "def f():\n    from ..layers import a"}
    house = build(tmp_path, files, [["toy"], ["toy.layers"], ["toy.program"]])
    assert house.upwards() == [("toy.program.b", "toy.layers.a", False)]
    assert house.arrows() == {("toy.layers", "toy.program"), ("toy.program", "toy.layers")}


def test_the_imports_of_a_module_are_found(tmp_path):
    house = build(
        tmp_path,
        {
            "a.py": "from toy.b import c\nfrom .b.c import x\nimport os\n",
            "b/__init__.py": "from . import c\nfrom ..a import y\n",
            "b/c.py": "if TYPE_CHECKING:\n    from toy import a\n\ndef f():\n    import toy.b.d\n",
            "b/d.py": "",
        },
    )
    assert house.imports("toy.a") == {("toy.b.c", True)}
    assert house.imports("toy.b") == {("toy.b.c", True), ("toy.a", True)}
    assert house.imports("toy.b.c") == {("toy.b.d", False)}


def test_no_circles():
    assert HOUSE.circles() == []


def test_a_circle_would_be_found(tmp_path):
    files = {"a.py": "import toy.b", "b.py": "def f():\n    import toy.c", "c.py": "import toy.a, toy.d", "d.py": ""}
    assert build(tmp_path, files).circles() == [["toy.a", "toy.b", "toy.c"]]
    assert build(tmp_path, files | {"b.py": ""}).circles() == []


def test_rooms_and_files_are_small():
    assert crowded(HOUSE) == {}
    assert too_long(HOUSE) == set()


def test_a_large_room_or_file_would_be_found(tmp_path):
    house = build(tmp_path, {"b/c.py": "x = 1\n" * 3, "b/d.py": ""})
    assert crowded(house, 1) == {"toy.b": 2}
    assert too_long(house, 2) == {"toy.b.c"}


def test_a_name_stands_once():
    assert repeated(HOUSE) == set(), "a name may stand twice only as a layer, its instruction and its kernel"


def test_a_name_that_stands_twice_would_be_found(tmp_path):
    roles = ("layers/a.py", "program/instructions/a.py", "engine/native/kernels/linear/a.py")
    assert repeated(build(tmp_path, dict.fromkeys(roles, ""))) == set()
    assert repeated(build(tmp_path, {"losses/a.py": ""})) == {"a"}  # beside a layer
    assert repeated(build(tmp_path, {"data/b.py": "", "layers/b.py": ""})) == {"a", "b"}


def test_classes_are_abstract_or_final():
    assert concrete(HOUSE) == STILL_CONCRETE, "can be used by themselves, and are subclassed: give them a common base"


def test_a_concrete_class_with_a_subclass_would_be_found(tmp_path, monkeypatch):
    house = build(
        tmp_path,
        {
            "kinds.py": """
class Shape:
    def area(self): raise NotImplementedError
    def turned(self): raise NotImplementedError
class Square(Shape):
    def area(self): return 1.0
class Tilted(Square): pass
class Named:
    'Base of what has a name.'
class Person(Named): pass
class Made:
    'Base of what is made all the same.'
class Chair(Made): pass
made = Made()
"""
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert concrete(house) == {"toy.kinds.Square", "toy.kinds.Made"}


HEAVY = {
    "numba",
    "llvmlite",
    "duckdb",
    "sklearn",
    "rich",
    "pandas",
    "polars",
    "narwhals",
    "optuna",
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


def report(house):
    lines, circles, namesakes = house.lines(), house.circles(), house.namesakes()
    print(f"{len(house.files)} modules, {sum(lines.values())} lines, in {len(house.folders)} folders")
    for folder, modules in sorted(house.folders.items()):
        print(f"  {len(modules):3} {folder}")
    print(f"{len(house.arrows())} arrows between rooms; imports of a room above: {len(house.upwards())}")
    for module, imported, top in house.upwards():
        print(f"  {module} → {imported}{'' if top else ', inside a function'}")
    print(f"{len(circles)} circles, of {[len(circle) for circle in circles]} modules")
    for circle in circles:
        print("  " + " ".join(circle))
    print(f"{len(namesakes)} names that stand twice or more; not one operation: {sorted(repeated(house))}")
    print(f"Files above {MOST_LINES} lines: {sorted(too_long(house))}")
    print(f"Classes that are neither abstract nor final: {sorted(concrete(house))}")


if __name__ == "__main__":
    report(HOUSE)
