"""The rooms of the house: imports point downwards, importing is light, and __all__ is what there is.

`python tests/project/test_structure.py` prints what is counted here."""

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from house import House, is_abstract

import thalweg
import thalweg.data
import thalweg.sklearn
from thalweg.cli.main import HOMES
from thalweg.support.printing import lasting_streams

ROOT = Path(thalweg.__file__).parent
# From top to bottom, as docs/architecture.md lists them. A room may import from itself, its row, and the rows below.
ROOMS = [
    ["thalweg", "thalweg.__main__"],  # the public names, and the command
    ["thalweg.cli"],
    ["thalweg.play.pages"],
    ["thalweg.play.webassembly"],
    ["thalweg.play"],
    ["thalweg.serve"],
    ["thalweg.runs.reports"],
    ["thalweg.sklearn"],
    ["thalweg.runs.anywhere", "thalweg.runs.large", "thalweg.runs.forecasts"],
    ["thalweg.runs"],
    ["thalweg.experiments.tuning"],
    ["thalweg.series"],
    ["thalweg.tabular"],
    ["thalweg.tabular.forests"],
    ["thalweg.config"],
    ["thalweg.backend", "thalweg.distributed", "thalweg.preprocessing", "thalweg.random", "thalweg.saving",
     "thalweg.utils"],
    ["thalweg.experiments"],
    ["thalweg.views"],
    ["thalweg.applications"],
    ["thalweg.models", "thalweg.exchange"],  # load_model reads what other libraries have written
    ["thalweg.models.lengths", "thalweg.models.steps"],
    ["thalweg.export.onnx"],
    ["thalweg.export.html"],
    ["thalweg.export.c", "thalweg.export.js"],
    ["thalweg.export"],
    ["thalweg.tracing"],
    ["thalweg.views.report", "thalweg.views.notebook"],
    ["thalweg.views.insides"],
    ["thalweg.landscapes"],
    ["thalweg.doctor"],
    ["thalweg.recordings"],
    ["thalweg.callbacks", "thalweg.datasets"],
    ["thalweg.views.web"],
    ["thalweg.views.chart"],
    ["thalweg.data.images"],
    ["thalweg.data"],
    ["thalweg.data.formats"],
    ["thalweg.data.notations"],
    ["thalweg.layers", "thalweg.layers.attention", "thalweg.layers.lookups", "thalweg.layers.numerical",
     "thalweg.layers.products", "thalweg.layers.recurrent", "thalweg.layers.variables"],
    ["thalweg.activations", "thalweg.constraints", "thalweg.initializers", "thalweg.losses", "thalweg.metrics",
     "thalweg.optimizers", "thalweg.regularizers", "thalweg.schedules"],
    ["thalweg.batches"],
    ["thalweg.ops", "thalweg.ops.image"],
    ["thalweg.engine"],
    ["thalweg.engine.ranks"],
    ["thalweg.engine.native"],
    ["thalweg.engine.native.runtime"],
    ["thalweg.engine.native.kernels", "thalweg.engine.native.kernels.generated",
     "thalweg.engine.native.kernels.images", "thalweg.engine.native.kernels.losses",
     "thalweg.engine.native.kernels.numerical", "thalweg.engine.native.kernels.rewritten",
     "thalweg.engine.native.kernels.sequences", "thalweg.engine.native.kernels.updates"],
    ["thalweg.engine.native.linalg"],
    ["thalweg.engine.native.compiler"],
    ["thalweg.engine.native.language"],
    ["thalweg.engine.native.passes"],
    ["thalweg.engine.native.scheduling"],
    ["thalweg.engine.native.instructions", "thalweg.engine.native.instructions.images"],
    ["thalweg.engine.native.layouts"],
    ["thalweg.engine.jax"],
    ["thalweg.engine.reference"],
    ["thalweg.engine.execution"],
    ["thalweg.engine.contract", "thalweg.engine.lanes"],
    ["thalweg.program"],
    ["thalweg.program.interchange"],
    ["thalweg.program.loops"],
    ["thalweg.program.graphs.traced_program"],
    ["thalweg.program.passes"],
    ["thalweg.program.instructions", "thalweg.program.instructions.derived", "thalweg.program.instructions.images",
     "thalweg.program.instructions.losses", "thalweg.program.instructions.numerical",
     "thalweg.program.instructions.recurrence", "thalweg.program.instructions.updates"],
    ["thalweg.program.graphs"],
    ["thalweg.program.formula"],
    ["thalweg.program.ir"],
    ["thalweg.words"],
    ["thalweg.support"],
    ["thalweg.absent"],
    ["thalweg.errors", "thalweg.version"],
]  # fmt: skip
MOST_MODULES = 20  # in a room
MOST_LINES = 800  # in a file, which is one idea
# The lines that the package may have, docstrings and comments included. Whoever adds takes away as much; both numbers
# only ever fall. Where this is going: 100,000 of Python, 12,000 of JavaScript.
LIMITS = {"*.py": 120_300, "*.js": 14_400}
SLACK = 1_000  # so many lines less than the limit there may be
# Parts of the house, from top to bottom, with their rooms; rooms of one may import from it and from those below.
DISTRICTS = {
    "doors": ["thalweg", "thalweg.__main__", "cli", "export", "exchange", "play", "serve"],
    "tables": ["data", "datasets", "experiments", "runs", "series", "sklearn", "tabular"],
    "insight": ["doctor", "landscapes", "recordings", "tracing", "views"],
    "core": [
        "absent", "activations", "applications", "backend", "batches", "callbacks", "config", "constraints",
        "distributed", "engine", "errors", "initializers", "layers", "losses", "metrics", "models", "ops", "optimizers",
        "preprocessing", "program", "random", "regularizers", "saving", "schedules", "support", "utils", "version",
        "words",
    ],
}  # fmt: skip
# Arrows between rooms that climb into a district above, all of them inside functions, so that nothing is loaded.
CLIMBING = {
    ("models", "exchange"): "load_model reads other libraries' files, export writes files for them",
    ("models", "recordings"): "fit records what it is asked to",
    ("models", "doctor"): "a model's methods diagnose, trace, report and draw it",
    ("models", "tracing"): "",
    ("models", "views.notebook"): "",
    ("models", "views.report"): "",
    ("models", "views.web"): "",
    ("callbacks", "views.chart"): "a History draws itself in a notebook",
    ("callbacks", "views.web"): "",
    ("utils", "views"): "plot_model is one of Keras's helpers",
    ("runs.reports", "export"): "the report says what a model of eight bits would predict",
    ("sklearn", "exchange"): "an estimator's export",
}
# A name may stand once in each of these: a layer or loss …, its instruction, that instruction's native variants, and
# its kernel. A pass of the native engine holds the instructions that it puts into a program.
ROLES = [
    ["layers", "ops", "activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers"],
    ["program.instructions", "engine.native.passes"],
    ["engine.native.instructions"],
    ["engine.native.kernels"],
]
# How a machine computes is for an engine to say: words that the program's rooms don't use, but for another meaning.
MACHINE = r"(lane|kernel|cache|block|thread|phase|slice|core|register|scratch)s?|llvm|simd|native|vectori[sz]\w*"
OTHERWISE = {
    "kernel": ["instructions.convolution"],  # the weights of a convolution
    "phase": ["instructions.numerical.periodic"],  # of a wave
    "slice": ["builder", "stretches", "instructions.shapes", "ir.traceable", "passes.scanned"],  # of a sequence
    "lane": ["passes.draft"],  # a request says for how many of them a program is wanted; only an engine's passes ask
}
# Still to be given a common base; a class that has one has to be taken out.
STILL_CONCRETE = {
    "thalweg.program.ir.instruction.Buffer",
    "thalweg.program.ir.instruction.StepState",  # exports draw random numbers otherwise
    "thalweg.program.graphs.traced_program.Arrays",  # ONNX knows some arrays' elements
}
NATIVE = ".engine.native.instructions."  # whose classes are the native forms of instructions, which stay as they are
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


def lines_of(house, kind):
    """The lines of all files of a kind, such as *.py."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in house.root.rglob(kind))


def district(room, districts):
    """The district of a room: that of its folder, or of the folder above."""
    own = [d for d, rooms in districts.items() for r in rooms if room in (r, f"thalweg.{r}")]
    return own[0] if own else district(room.rpartition(".")[0], districts) if "." in room else None


def climbing(house, districts):
    """The arrows between rooms of which the second is in a district above the first's."""
    order = list(districts)

    def floor(room):
        return order.index(district(room, districts))

    own = f"{house.root.name}."
    return {tuple(r.removeprefix(own) for r in pair) for pair in house.arrows() if floor(pair[0]) > floor(pair[1])}


def repeated(house):
    """The names that stand twice although their modules haven't the roles of one operation."""

    def role(module):
        below = module.partition(".")[2] + "."
        return next((n for n, rooms in enumerate(ROLES) if below.startswith(tuple(r + "." for r in rooms))), None)

    found = {name: [role(module) for module in modules] for name, modules in house.namesakes().items()}
    return {name for name, roles in found.items() if None in roles or len(set(roles)) < len(roles)}


def machine_words(house):
    """The lines of the program's rooms with a word of machines, other than decorators and their imports."""
    for module, path in house.files.items():
        below = module.partition(".program.")[2]
        if below.startswith(("graphs.", "loops.")):  # of which code for a machine is made
            continue
        for line in path.read_text(encoding="utf-8").splitlines() if below else ():
            for found in re.finditer(rf"(?i)(?<![\w@])({MACHINE})(?!\w)", "" if "from functools" in line else line):
                word = found[0].lower().removesuffix("s")
                if below not in OTHERWISE.get(word, ()):
                    yield f"{below}: {word} in {line.strip()!r}"


def is_variant(kind, of):
    """Whether a class is the native form of an instruction that has a use of its own."""
    native, neutral = (c.__module__.partition(".")[2] for c in (kind, of))
    return native.startswith("engine.native.instructions.") and neutral.startswith("program.instructions.")


def concrete(house):
    """The classes that can be used by themselves and have subclasses, other than native variants."""
    made = house.made()
    return {
        f"{kind.__module__}.{kind.__qualname__}"
        for kind, every in house.classes().items()
        if (subclasses := [c for c in every if not is_variant(c, kind)]) and not is_abstract(kind, subclasses, made)
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
    assert house.upwards() == [("toy.program.b", "toy.layers.a", "function")]
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
    assert house.imports("toy.a") == {("toy.b.c", "top")}
    assert house.imports("toy.b") == {("toy.b.c", "top"), ("toy.a", "top")}
    assert house.imports("toy.b.c") == {("toy.a", "types"), ("toy.b.d", "function")}


def test_no_circles():
    assert HOUSE.circles() == []


def test_a_circle_would_be_found(tmp_path):
    files = {"a.py": "import toy.b", "b.py": "def f():\n    import toy.c", "c.py": "import toy.a, toy.d", "d.py": ""}
    assert build(tmp_path, files).circles() == [["toy.a", "toy.b", "toy.c"]]
    assert build(tmp_path, files | {"b.py": ""}).circles() == []


def test_an_import_for_types_alone_counts(tmp_path):
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy.layers.a import A\n"
    files = {"layers/a.py": "import toy.program.b", "program/b.py": typed}
    house = build(tmp_path, files, [["toy"], ["toy.layers"], ["toy.program"]])
    assert house.circles() == [["toy.layers.a", "toy.program.b"]]
    assert house.upwards() == [("toy.program.b", "toy.layers.a", "types")]


def test_rooms_and_files_are_small():
    assert crowded(HOUSE) == {}
    assert too_long(HOUSE) == set()


def test_a_large_room_or_file_would_be_found(tmp_path):
    house = build(tmp_path, {"b/c.py": "x = 1\n" * 3, "b/d.py": ""})
    assert crowded(house, 1) == {"toy.b": 2}
    assert too_long(house, 2) == {"toy.b.c"}


@pytest.mark.parametrize("kind", LIMITS)
def test_the_package_keeps_to_its_limit(kind):
    lines = lines_of(HOUSE, kind)
    assert LIMITS[kind] - SLACK < lines <= LIMITS[kind], "take away what is added; fewer lines lower the limit"


def test_lines_are_counted_by_kind(tmp_path):
    house = build(tmp_path, {"b/c.py": "x = 1\n" * 3, "b/d.js": "let x = 1;\nlet y = 2;\n", "e.js": "f();"})
    assert [lines_of(house, kind) for kind in ("*.py", "*.js", "*.css")] == [3, 3, 0]


def test_districts_hold_every_room_and_import_downwards():
    assert {room for row in ROOMS for room in row if district(room, DISTRICTS) is None} == set()
    assert climbing(HOUSE, DISTRICTS) == CLIMBING.keys(), "arrows that climb, and those that are listed"


def test_an_arrow_that_climbs_would_be_found(tmp_path):
    files = {
        "high/a.py": "import toy.low.b",
        "low/b.py": "def f():\n    import toy.high.attic.c",
        "high/attic/c.py": "",
    }
    house = build(tmp_path, files, [["toy.high"], ["toy.low"], ["toy.high.attic"]])
    districts = {"up": ["toy.high"], "down": ["toy.low"]}
    assert climbing(house, districts) == {("low", "high.attic")}
    assert district("toy.high.attic", districts) == "up"
    assert district("toy.cellar", districts) is None


def test_every_folder_of_tests_belongs_to_a_district_or_to_the_whole():
    makefile = (ROOT.parent / "Makefile").read_text(encoding="utf-8")
    named = [re.search(rf"^{name.upper()} := (.*)$", makefile, re.MULTILINE)[1].split() for name in DISTRICTS]
    whole = ["examples", "golden", "notebooks", "parity", "project", "tables"]
    folders = {path.name for path in (ROOT.parent / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert sorted(folder for some in (*named, whole) for folder in some) == sorted(folders)


def test_lines_of_code_are_counted(tmp_path):
    text = '"""A text."""\n\nx = 1  # why\n# why not\n\n\n'
    text += 'def f():\n    """Another,\n    longer."""\n    return """a\nb"""\n'
    house = build(tmp_path, {"b/c.py": text, "b/d.py": "y = 2\n"}, [["toy"], ["toy.b"]])
    assert house.code() == {"toy": 0, "toy.b.c": 4, "toy.b.d": 1}
    assert house.by_room(house.code()) == {"toy": 0, "toy.b": 5}
    assert house.by_room(house.lines()) == {"toy": 0, "toy.b": 12}


def test_a_name_stands_once():
    assert repeated(HOUSE) == set(), "a name may stand twice only as a layer, its instruction and its kernel"


def test_a_name_that_stands_twice_would_be_found(tmp_path):
    roles = ("layers/a.py", "program/instructions/a.py", "engine/native/kernels/linear/a.py")
    assert repeated(build(tmp_path, dict.fromkeys(roles, ""))) == set()
    assert repeated(build(tmp_path, {"losses/a.py": ""})) == {"a"}  # beside a layer
    assert repeated(build(tmp_path, {"data/b.py": "", "layers/b.py": ""})) == {"a", "b"}


def test_a_program_knows_no_machine():
    assert list(machine_words(HOUSE)) == []


def test_a_word_of_machines_would_be_found(tmp_path):
    text = "from functools import cache\n@cache\ndef f():\n    'For all Lanes.'\nkernel_of = phases = 1\n"
    files = {"program/a.py": text, "program/builder.py": "x = slice(3)\n", "engine/a.py": text}
    found = list(machine_words(build(tmp_path, files)))
    assert found == ["a: lane in \"'For all Lanes.'\"", "a: phase in 'kernel_of = phases = 1'"]


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
""",
            "program/instructions/add.py": "class Add: pass\nclass Twice: pass\n",
            "engine/native/instructions/add.py": """
from toy.program.instructions.add import Add, Twice
class NativeAdd(Add): pass
class NativeTwice(Twice): pass
""",
            "ops/twice.py": "from toy.program.instructions.add import Twice\nclass Thrice(Twice): pass\n",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert concrete(house) == {"toy.kinds.Square", "toy.kinds.Made", "toy.program.instructions.add.Twice"}


HEAVY = {
    "llvmlite",
    "duckdb",
    "sklearn",
    "rich",
    "pandas",
    "polars",
    "narwhals",
    "optuna",
    "safetensors",
    "matplotlib",
    "PIL",
    "yaml",
    "tensorboardX",
    "typer",
    "torch",
    "jax",
}


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT.parent)}


def loaded(code, watched=None):
    """Which of the modules a fresh Python has loaded after the code; of the heavy packages, if none are given."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, env=environment()
    )
    names = set(json.loads(result.stdout.splitlines()[-1]))
    return HEAVY & {name.split(".")[0] for name in names} if watched is None else watched & names


def test_importing_is_light():
    assert loaded("from thalweg import *") == set()
    assert loaded("import thalweg.data") == set()
    assert loaded("import duckdb") == {"duckdb"}  # the control: such a module would be seen


def test_a_command_begins_without_scikit_learn():
    """Which takes longer to import than a table's prediction: only a forecaster, a tree or the doctor needs it."""
    assert loaded(f"import {', '.join({*HOMES.values()})}") <= {"typer", "rich", "duckdb"}


def test_the_reference_engine_needs_no_compiler():
    code = """
from thalweg import Sequential, layers
model = Sequential([layers.Input((2,)), layers.Dense(1)], engine="reference")
model.compile("adam", "mse")
model.fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], verbose=0)
model.predict([[0.0, 1.0]])
"""
    assert loaded(code) == set()
    assert loaded(code, {"numpy.ma", "thalweg.doctor", "thalweg.tabular", "thalweg.data.tables"}) == set()


def test_the_command_begins_with_next_to_nothing():
    """Ctrl-C is answered from then on, so everything else is imported inside the command."""
    code = (
        "import sys; old = {*sys.modules}; import thalweg.__main__; print(*{*sys.modules} - old); print(*dir(thalweg))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    modules, names = (set(line.split()) for line in done.stdout.splitlines())
    ours = {name for name in modules if name.startswith("thalweg")}
    assert ours == {
        "thalweg",
        *(f"thalweg.{name}" for name in ("__main__", "absent", "errors", "support", "support.lazily", "version")),
    }
    assert "numpy" not in modules
    assert set(thalweg.__all__) <= names


@pytest.mark.parametrize("package", [thalweg, thalweg.data, thalweg.models, thalweg.sklearn])
def test_all_is_what_is_imported_when_it_is_asked_for(package):
    """The names for type checkers, those of `dir`, and those that are imported in the end are the same."""
    typed = {
        alias.name
        for node in ast.parse(Path(package.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.If)
        for line in node.body
        for alias in line.names
    }
    assert sorted(package.__all__) == package.__all__ == dir(package)
    assert typed == set(package.__all__) - {"__version__"}
    submodules = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == package.__name__}
    for name in package.__all__:
        assert inspect.ismodule(getattr(package, name)) == (name in submodules), name
    with pytest.raises(AttributeError, match="has no attribute 'attic'"):
        package.attic  # noqa: B018


def test_importing_loads_what_is_asked_for():
    rooms = {"numpy", "thalweg.layers", "thalweg.data.tables", "thalweg.runs", "thalweg.tabular", "thalweg.experiments"}
    assert loaded("import thalweg", rooms) == set()
    assert loaded("from thalweg import Sequential, layers", rooms) == {"numpy", "thalweg.layers"}
    assert loaded("from thalweg import tune", rooms) == rooms - {"thalweg.runs"}  # the control


def test_a_network_is_imported_without_what_few_need():
    line = "from thalweg import Sequential, layers"
    rooms = ("doctor", "tracing", "recordings", "views", "engine.native.passes", "engine.native.instructions")
    seldom = {f"thalweg.{room}" for room in rooms}
    assert loaded(line, {*seldom, "numpy.random", "zipfile"}) == set()
    assert loaded("import thalweg.doctor", seldom) >= {"thalweg.doctor", "thalweg.recordings"}  # the control
    assert loaded("import thalweg.cli.main", {"numpy", "rich", "asyncio", "thalweg.runs", "thalweg.layers"}) == set()


def test_threads_may_ask_for_different_names_at_once():
    code = """
import threading, thalweg
start, failed = threading.Barrier(4), []

def ask(names):
    start.wait()
    thing = thalweg
    try:
        for name in names.split("."):
            thing = getattr(thing, name)
    except BaseException as error:
        failed.append(repr(error))

wanted = ("Sequential", "layers.Dense", "load_model", "optimizers.Adam")
threads = [threading.Thread(target=ask, args=(names,)) for names in wanted]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(failed)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=120)
        assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


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


WHERE = {"top": "", "function": ", inside a function", "types": ", for a type"}


def report(house):
    lines, code, circles, namesakes = house.lines(), house.code(), house.circles(), house.namesakes()
    print(f"{len(house.files)} modules in {len(house.folders)} folders")
    for kind, limit in LIMITS.items():
        print(f"{lines_of(house, kind):,} lines of {kind}, at most {limit:,}")
    print(f"{sum(code.values()):,} of Python are code; lines and code by district and room:")
    of_lines, of_code = house.by_room(lines), house.by_room(code)
    for name in DISTRICTS:
        rooms = [room for room in of_lines if district(room, DISTRICTS) == name]
        print(f"  {sum(of_lines[r] for r in rooms):7,} {sum(of_code[r] for r in rooms):7,} {name}")
        for room in rooms:
            print(f"  {of_lines[room]:7,} {of_code[room]:7,}   {room}")
    print(f"{len(house.arrows())} arrows between rooms; imports of a room above: {len(house.upwards())}")
    for module, imported, where in house.upwards():
        print(f"  {module} → {imported}{WHERE[where]}")
    for pair, why in CLIMBING.items():
        print(f"  {' → '.join(pair)}, into a district above{why and f': {why}'}")
    print(f"{len(circles)} circles, of {[len(circle) for circle in circles]} modules")
    for circle in circles:
        print("  " + " ".join(circle))
    print(f"{len(namesakes)} names that stand twice or more; not one operation: {sorted(repeated(house))}")
    print(f"Files above {MOST_LINES} lines: {sorted(too_long(house))}")
    print(f"Classes that are neither abstract nor final: {sorted(concrete(house))}")


if __name__ == "__main__":
    with lasting_streams(ends=True):
        report(HOUSE)
