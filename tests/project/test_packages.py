"""The tests run with what the `dev` extra installs: nothing imports more, and what a test lacks is run later."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = ("tests", "thalweg", "wheels", "docs", "examples")
OWN = {"thalweg", "benchmarks", "wheels"}
TESTS = ROOT / "tests"
LOOKED_IN = (TESTS, TESTS / "tables")  # by pytest, for imports
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
CONFTEST = Path(__file__).parents[1].joinpath("conftest.py").read_text(encoding="utf-8")


def normal(distribution):
    return re.sub(r"[-_.]+", "-", distribution).lower()


def requirements(*extras):
    """What `pip install '.[extras]'` asks for, with that of the extras that these name."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    wanted = [Requirement(line) for line in lines]
    inner = {extra for requirement in wanted if requirement.name == PROJECT["name"] for extra in requirement.extras}
    return [
        *(requirement for requirement in wanted if requirement.name != PROJECT["name"]),
        *(Requirement(line) for extra in sorted(inner) for line in PROJECT["optional-dependencies"][extra]),
    ]


@cache
def installed_by(*extras):
    """What can be imported after `pip install '.[extras]'`: the packages that these need, and all those need."""
    waiting = requirements(*extras)
    found = set()
    while waiting:
        wanted = waiting.pop()
        name = normal(wanted.name)
        if name in found:
            continue
        found.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needed = [Requirement(line) for line in lines]
        given = wanted.extras or {""}
        waiting += [r for r in needed if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in given)]
    held = metadata.packages_distributions()
    return {module for module, names in held.items() if found & {normal(name) for name in names}}


@cache
def imports(text):
    """What a module of this text imports: (package, line, whether as soon as the file is imported)."""

    def visit(node, top):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr) or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
                continue
            names = [alias.name for alias in child.names] if isinstance(child, ast.Import) else []
            if isinstance(child, ast.ImportFrom) and not child.level:
                names = [child.module]
            yield from ((name.partition(".")[0], child.lineno, top) for name in names)
            yield from visit(child, top and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))

    return list(visit(ast.parse(text), True))


@cache
def modules_in(folder):
    """The names by which files beside each other import each other."""
    return {path.stem for path in folder.glob("*.py")}


def foreign(path, known):
    """The imports in a file of what isn't known."""
    there = OWN.union(sys.stdlib_module_names, known, *map(modules_in, (path.parent, *LOOKED_IN)))
    return [found for found in imports(path.read_text(encoding="utf-8")) if found[0] not in there]


def faults(path, known):
    """Imports of what the `dev` extra lacks: none at the top of a file, in tests only beside an importorskip."""
    text = path.read_text(encoding="utf-8")
    skips = set(re.findall(r"importorskip\(\s*\"(\w+)", text))
    found = []
    for package, line, top in foreign(path, known):
        asked = package in skips or not path.name.startswith("test_") or "MissingPackageError" in text
        if top or not asked:
            found.append(f"{path.relative_to(path.parent.parent)}:{line} imports {package}")
    return found


def test_nothing_imports_what_the_dev_extra_lacks():
    known = installed_by("dev")
    assert [fault for path in FILES for fault in faults(path, known)] == []
    assert len(FILES) > 1000


def test_what_an_extra_brings_is_imported_where_it_is_used():
    """But by the compiler, whose modules are imported where they are used."""
    paths, known = (ROOT / "thalweg").rglob("*.py"), installed_by()
    assert {"numpy", "scipy", "sklearn"} <= known
    found = {
        (path.relative_to(ROOT).parts[1:3], package)
        for path in paths
        for package, _, top in foreign(path, known)
        if top
    }
    assert found == {(("engine", "native"), "llvmlite")}


def test_a_wrong_import_would_be_found(tmp_path):
    known = installed_by("dev")
    assert {"numpy", "scipy", "sklearn", "PIL", "yaml", "matplotlib", "pytest"} <= known
    assert not {"torch", "keras", "jax", "tensorboard", "tensorboardX", "skimage"} & known
    (tmp_path / "t").mkdir()
    helper, test = (tmp_path / "t" / name for name in ("helper.py", "test_it.py"))
    helper.write_text("import numpy\nimport jax.numpy\n")
    assert faults(helper, known) == ["t/helper.py:2 imports jax"]
    helper.write_text("def f():\n    import jax\n")
    assert faults(helper, known) == []
    test.write_text("import helper\ndef test():\n    import jax\n")
    assert faults(test, known) == ["t/test_it.py:3 imports jax"]
    test.write_text('import pytest\ndef test():\n    pytest.importorskip("jax")\n    import jax\n')
    assert faults(test, known) == []


# --- `pytest --skipped` ----------------------------------------------------------------------------------------------

TEST = """
import pytest

def test_always():
    pass

def test_sometimes():
    pytest.importorskip("not_yet_there")

@pytest.fixture
def package():
    return pytest.importorskip("not_yet_there")

def test_by_fixture(package):
    assert package.ANSWER == 42

def test_for_another_reason():
    pytest.skip("no data")
"""
MODULE = """
import pytest
pytest.importorskip("not_yet_there")

def test_whole_file():
    pass
"""


def ran(folder, *options):
    """(exit code, the names of the tests that passed, the output) of pytest in a folder."""
    paths = map(str, (folder / "packages", *LOOKED_IN))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTEST_ADDOPTS": ""}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # to load all takes longer than these tests
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "--doctest-modules", "-v", *options, "."]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    passed = re.findall(r"::(test_\w+)[^\n]* PASSED|PASSED [^\n]*::(test_\w+)", done.stdout)
    return done.returncode, sorted(one or other for one, other in passed), done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_what_was_skipped_runs_once_its_package_is_there(tmp_path, options):
    (tmp_path / "packages").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name, text in {"conftest.py": CONFTEST, "test_some.py": TEST, "test_all.py": MODULE}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert ran(tmp_path, *options)[:2] == (0, ["test_always"])
    (tmp_path / "test_nothing_waits_here.py").write_text("raise AssertionError\n")
    code, passed, output = ran(tmp_path, "--skipped", *options)  # too early
    assert (code, passed) == (1, [])
    assert output.count("STILL SKIPPED") == 3
    (tmp_path / "packages" / "not_yet_there.py").write_text("ANSWER = 42\n")
    later = ["test_by_fixture", "test_sometimes", "test_whole_file"]
    assert ran(tmp_path, "--skipped", *options)[:2] == (0, later)
    assert ran(tmp_path, "--skipped", *options)[:2] == (pytest.ExitCode.NO_TESTS_COLLECTED, [])  # nothing waits
