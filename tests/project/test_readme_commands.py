"""Every command in the READMEs and in the tour runs with what the install line above it brings.

The commands run one after the other in a folder with small data under the names there; packages that the last
`pip install` before a command doesn't bring can't be imported, though this environment has them.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from test_packages import PROJECT, foreign, installed_by

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LINE = re.compile(r"```sh\n(.*?)```|```.*?```|`((?:python|thalweg|make|pip)\s[^`]*)`", re.DOTALL)
NET = """
- Conv2D: {filters: 32, kernel_size: 3, activation: relu}
- Conv2D: {filters: 4, kernel_size: 3, strides: 4}
- Flatten
"""
HIDING = """
import runpy, sys

class Finder:
    "One of the import system's, to which some packages aren't there."
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Finder, sys.meta_path)
sys.argv = ARGUMENTS
if sys.argv[0] == "thalweg":
    from thalweg.cli.main import main
    main()
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def extras(line):
    """Those that a line with `pip install` names."""
    return tuple(re.search(r"pip install '?(?:\.|thalweg)(?:\[([\w,]+)\])?", line)[1].split(",")) if "[" in line else ()


def commands(name):
    """(command, extras installed before it), each once, in the order of a README, then of the tour."""
    found, brought = [], None
    tour = "docs/tour.zh.md" if "zh" in name else "docs/tour.md"
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in (name, tour))
    for block, inline in LINE.findall(text):
        for line in (re.sub(r"\s#.*", "", line).strip() for line in (block or " ".join(inline.split())).splitlines()):
            if line.startswith("pip install"):
                brought = (*(brought or ()), *extras(line))
                continue
            if not line or line in dict(found):
                continue
            found.append((line, brought))
    return found


COMMANDS = commands("README.md")


def prepared(arguments, brought):
    """What runs one command without the packages that weren't brought, and its environment."""
    hidden = set(metadata.packages_distributions()) - installed_by("jit", *brought) - {"thalweg"}  # a checkout
    code = f"HIDDEN = {hidden!r}\nARGUMENTS = {arguments!r}\n{HIDING}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return [sys.executable, "-c", code], environment


def run(arguments, brought, folder):
    """One command in a folder, until it ends."""
    call, environment = prepared(arguments, brought)
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True)


def serves(arguments, brought, folder):
    """Whether the live page, which doesn't end by itself, says where it is and answers there."""
    call, environment = prepared([*arguments, "--no-open"], brought)
    with subprocess.Popen(call, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = next((found[0] for line in server.stdout if (found := re.search(r"http://\S+", line))), None)
            return address is not None and urllib.request.urlopen(address).status == 200
        finally:
            server.terminate()


@pytest.fixture
def folder(tmp_path):
    """Penguins, little images and pictures under the names of the READMEs and the tour."""
    image = pytest.importorskip("PIL.Image")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    random = np.random.default_rng(0)
    x, y = random.integers(0, 256, (80, 28, 28)).astype(np.uint8), np.arange(80) % 10
    for name in ("mnist.npz", "fashion_mnist.npz"):
        np.savez(tmp_path / name, x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    for number, pixels in enumerate(x[:24]):
        kind = tmp_path / "photos" / ("cats", "dogs")[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(kind / f"{number}.png")
    image.fromarray(x[24]).save(tmp_path / "picture.png")
    (tmp_path / "net.yaml").write_text(NET, encoding="utf-8")
    return tmp_path


def test_both_readmes_have_the_same_commands():
    assert commands("README.zh-TW.md") == COMMANDS
    lines = [line for line, _ in COMMANDS]
    for one in (
        "thalweg train examples/penguins.csv --target target",
        "thalweg filters runs/mnist --epochs",
        "make demo",
    ):
        assert one in lines
    assert {"images", "plot"} <= set(dict(COMMANDS)["python examples/edges.py"])


def test_every_command_runs_with_what_the_install_line_brings(folder):
    for line, brought in COMMANDS:
        program, *words = shlex.split(line)
        if program == "make":
            continue
        if words[0] == "play":
            assert serves([program, *words], brought, folder), line
            continue
        done = run(words if program == "python" else [program, *words], brought, folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_make_knows_every_target():
    targets = [line.split()[1] for line, _ in COMMANDS if line.startswith("make ")]
    assert {"demo", "test", "bench", "docs"} <= set(targets)
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_imports_what_its_install_line_brings(path):
    text = path.read_text(encoding="utf-8")
    line = re.search(r"pip install .*", text)
    assert foreign(path, installed_by(*(extras(line[0]) if line else ()))) == []
    assert f"python examples/{path.name}" in text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_without_data_of_the_users_runs(path, folder):
    text = path.read_text(encoding="utf-8")
    if f"python examples/{path.name} " in text:
        pytest.skip("it needs a file that the user has")  # center_loss: tests/losses/test_center_loss.py
    done = run([f"examples/{path.name}"], extras(next(iter(re.findall(r"pip install .*", text)), "")), folder)
    assert done.returncode == 0, done.stderr


def test_a_package_that_was_not_brought_is_not_there(tmp_path):
    """The control."""
    (tmp_path / "program.py").write_text("import pandas, thalweg\n")
    assert "No module named 'pandas'" in run(["program.py"], (), tmp_path).stderr
    assert run(["program.py"], ("dev",), tmp_path).returncode == 0
    assert set(PROJECT["optional-dependencies"]) >= {"images", "plot"}
