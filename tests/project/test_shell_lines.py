"""Every shell line of the READMEs and pages runs, with what the install lines above it bring, and prints what it shows.

Lines are those of blocks marked `sh` or `console`, and of the README's and the tour's inline code. Those of a page (of
the tour, a section) run one after the other, in a folder with small data under the names there; one that an earlier
page has isn't run again. Packages that no `pip install` above a line brings can't be imported, though this environment
has them. What can't be run stands in NOT_RUN, with the reason; test_site.py runs the console blocks of pages that say
`worked`.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pytest
from test_packages import PROJECT, foreign, installed_by
from test_site import load, worked

import thalweg as keras

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
TOUR = "docs/tour.md"
FIRST = ["README.md", TOUR]
INLINE_TOO = (*FIRST, "README.zh-TW.md")  # the code in their sentences is run, too
PAGES = list(
    dict.fromkeys([*FIRST, "CONTRIBUTING.md", *(path.relative_to(ROOT).as_posix() for path in worked.written())])
)
TOKEN = re.compile(
    r"^##+ (?P<heading>[^\n]*)$|"
    r"(?P<not_run><!-- not run -->\n+)?^(?P<margin> *)```(?P<kind>\w*)\n(?P<block>.*?)^(?P=margin)```$|"
    r"`(?P<inline>(?:[^`\n]|\n(?!\n))+)`",
    re.DOTALL | re.MULTILINE,
)
NOT_RUN = {  # how a line begins, and why it isn't run here
    "git clone": "the repository's address is for its reader to fill in",
    "pip ": "installs from an index; test_an_install_line_names_what_there_is looks at it",
    "make ": "CI runs them; test_make_knows_every_target looks for them",
    ".venv/bin/": "what `make` has made, in a checkout",
    "mpiexec ": "several processes: tests/models/test_ranks.py, where mpi4py and an MPI are",
    "module load": "a cluster's",
    "srun ": "a cluster's",
    "thalweg tune adult.parquet --target income --trials 500 --storage": "a PostgreSQL server on another machine",
}
SMALL = "--trials 1 --folds 2 --seeds 1"
SHORTER = {  # searches and trainings; those that say no number of epochs, and show no output, have two
    "--time-limit 60": f"--time-limit 600 {SMALL}",
    "--trials 300": SMALL,
    "--trials 10": SMALL,
    "--epochs 12": "--epochs 2",
    "--epochs 30": "--epochs 2",
}
NEEDED = {"play": "play", "serve": "serve", "filters": "plot", "features": "plot", "tune": "tune"}  # command: extra
OPERATORS = {"|", ">", "&&", "||"}
PRINTED = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
ONE_NETWORK = "examples/penguins.csv --target target --members 1 --no-trees"
RUNS = {"penguins": ONE_NETWORK, "penguins-2": ONE_NETWORK}  # what a page doesn't train itself
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
del sys.argv[0]
if sys.argv[0] == "thalweg":
    from thalweg.cli.main import main
    main()
elif sys.argv[0] == "-m":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Line(NamedTuple):
    """A command of a page, the extras brought above it, what is shown below it, and whether test_site.py runs it."""

    text: str
    section: str
    brought: frozenset[str]
    shown: str | None
    worked: bool

    @property
    def reason(self) -> str | None:
        """Why it isn't run here."""
        return next((reason for begin, reason in NOT_RUN.items() if self.text.startswith(begin)), None)


def extras(line):
    """Those that a line with `pip install` names."""
    return tuple(next(iter(re.findall(r"(?:\.|thalweg)\[([\w,-]+)\]", line)), "").split(",")) if "[" in line else ()


def commands(kind, block):
    """(command, what is shown below it) of a block; of a session's, after "$ "."""
    if kind == "console":
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.replace("\\\n", " ").partition("\n")
            yield command, shown
    else:
        yield from ((line, None) for line in block.replace("\\\n", " ").splitlines())


def lines(page):
    """All of a page's, in their order. A checkout is installed with the extra `jit`, as the README says."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section, brought, found = page, frozenset(["jit"]), []
    for token in TOKEN.finditer(text):
        if token["heading"] and page == TOUR:
            section = f"{page}: {re.sub(r' *{:.*', '', token['heading'])}"
        if token["kind"] in ("sh", "console"):
            ours = list(commands(token["kind"], token["block"]))
        elif re.match(r"(python|thalweg|make)\s" if page in INLINE_TOO else r"pip install.*'\.", token["inline"] or ""):
            ours = [(" ".join(token["inline"].split()), None)]
        else:
            continue
        by_site = token["kind"] == "console" and "<!-- worked -->" in text and not token["not_run"]
        for line, shown in ours:
            if command := re.sub(r"(^|\s)#.*", "", line).strip():
                if command.startswith("pip install"):
                    brought |= {*extras(command)}
                found.append(Line(command, section, brought, shown, by_site))
    return found


LINES = [line for page in PAGES for line in lines(page)]
HERE = {}  # section: what is run in it
for line in LINES:
    before = {one.text for ours in HERE.values() for one in ours}
    if not (line.worked or line.reason or (line.text in before and line.shown is None)):
        HERE.setdefault(line.section, []).append(line)


# --- how a line is run -----------------------------------------------------------------------------------------------


@functools.cache
def hidden(brought):
    """The packages that nothing brings; thalweg itself is a checkout."""
    return set(installed()) - installed_by("jit", *brought) - {"thalweg"}


installed = functools.cache(metadata.packages_distributions)


def prepared(brought):
    """What begins a command without the packages that weren't brought, and its environment."""
    code = f"HIDDEN = {hidden(frozenset(brought))!r}\n{HIDING}"
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    width = {"COLUMNS": str(worked.COLUMNS), "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)}
    return [sys.executable, "-c", code], environment | width


def run(line, brought, folder):
    """One command in a folder, until it ends; one with pipes, or of another program, by the shell."""
    call, environment = prepared(brought)
    program, _, rest = line.partition(" ")
    ours = {"thalweg": [*call, "thalweg"], "python": call}.get(program)
    shell = ours is None or bool(OPERATORS & set(shlex.shlex(line, posix=True, punctuation_chars=True)))
    whole = f"{shlex.join(ours or [program])} {rest}" if shell else [*ours, *shlex.split(rest)]
    return subprocess.run(whole, shell=shell, cwd=folder, env=environment, **PRINTED)


@contextmanager
def serving(words, brought, folder):
    """A server that a line begins, which doesn't end by itself: its address, and what it has printed in the end."""
    call, environment = prepared(brought)
    if "--port" in words:
        at = words.index("--port")
        words = words[:at] + words[at + 2 :]
    words = [word.replace("0.0.0.0", "127.0.0.1") for word in words]  # not to all of the network
    free = ["--no-open"] if words[1] == "play" else ["--port", "0"]
    with subprocess.Popen([*call, *words, *free], cwd=folder, env=environment, **PRINTED) as server:
        printed = []
        try:
            for text in server.stdout:
                printed.append(text)
                if found := re.search(r"http://\S+", text):
                    break
            else:
                pytest.fail(f"{shlex.join(words)}\n{''.join(printed)}")
            health = "" if words[1] == "play" else "/v2/health/live"
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(found[0] + health) as answer:
                assert answer.status == 200
            yield found[0], printed
        finally:
            server.terminate()
            printed += server.stdout


# --- the folder ------------------------------------------------------------------------------------------------------


def strokes(random, kind):
    """A light stroke on black, across or down, a picture of 28 × 28 pixels in one of ten classes."""
    picture = random.integers(0, 40, (28, 28))
    at = 4 + 2 * kind
    picture[at : at + 3] = 255
    return (picture if kind % 2 else picture.T).astype(np.uint8)


def sales(first, days):
    """Two shops' rows of as many days."""
    rows = ["day,shop,sold"]
    for number in range(first, first + days):
        day = np.datetime64("2025-01-01") + number
        rows += [
            f"{day},{shop},{size + 3 * (number % 7) + number % 3}" for shop, size in (("north", 20), ("south", 50))
        ]
    return "\n".join(rows) + "\n"


@pytest.fixture
def folder(tmp_path):
    """Penguins, series, little images and pictures, under the names of the pages."""
    image = pytest.importorskip("PIL.Image")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("keras"))
    random = np.random.default_rng(0)
    x, y = np.stack([strokes(random, number % 10) for number in range(60)]), np.arange(60) % 10
    for name in ("mnist.npz", "fashion_mnist.npz"):
        np.savez(tmp_path / name, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    for number, pixels in enumerate(x[:14]):
        kind = tmp_path / "photos" / ("cats", "dogs")[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(kind / f"{number}.png")
    (tmp_path / "scans").mkdir()
    for number, pixels in enumerate(x[24:27], start=1):
        image.fromarray(255 - pixels).save(tmp_path / "scans" / f"{number}.png")
    image.fromarray(x[24]).save(tmp_path / "picture.png")
    (tmp_path / "net.yaml").write_text(NET, encoding="utf-8")
    (tmp_path / "sales.csv").write_text(sales(0, 80), encoding="utf-8")
    (tmp_path / "newer.csv").write_text(sales(60, 40), encoding="utf-8")
    (tmp_path / "token").write_text("a-token-of-some-length\n", encoding="utf-8")
    penguins = "SELECT * EXCLUDE target, target AS income FROM 'examples/penguins.csv'"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        duckdb.sql(f"COPY ({penguins}) TO 'adult.parquet'")
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Runs to copy, each trained once, quickly."""

    made = {}

    def of(source, folder):
        if source not in made:
            made[source] = tmp_path_factory.mktemp("trained") / "run"
            out = shlex.quote(str(made[source]))
            done = run(f"thalweg train {source} --epochs 2 --no-report --out {out}", ("images",), folder)
            assert done.returncode == 0, done.stdout
        return made[source]

    return of


# --- lines that run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", HERE)
def test_every_line_runs_and_prints_what_is_shown(section, folder, trained):
    if sys.platform == "win32" and any(line.shown is not None for line in HERE[section]):
        pytest.skip("the commands are those of a POSIX shell, such as head")
    for program in {line.text.split()[0] for line in HERE[section]} - {"python", "thalweg"}:
        if not shutil.which(program):
            pytest.skip(f"there is no {program} here")
    address, began = "", []
    with ExitStack() as server:
        for line in HERE[section]:
            text = functools.reduce(lambda told, pair: told.replace(*pair), SHORTER.items(), line.text)
            if re.match("thalweg (train|compare) ", text) and "--epochs" not in text and line.shown is None:
                text += " --epochs 2"
            for name in RUNS.keys() & set(re.findall(r"runs/([\w-]+)", text)):
                if not (place := folder / "runs" / name).exists():
                    shutil.copytree(trained(RUNS[name], folder), place)
            if "digits.keras" in text:
                convnet().export(folder / "digits.keras")
            words = shlex.split(text)
            if words[1] in ("play", "serve") and "--static" not in words:
                server.close()
                address, printed = server.enter_context(serving(words, line.brought, folder))
                began.append((line, printed))
                continue
            done = run(text.replace("localhost:8000", address), line.brought, folder)
            assert done.returncode == 0, f"{text}\n{done.stdout}"
            if line.shown is not None:
                assert worked.same_words(line.shown, done.stdout), f"{text} now prints\n{done.stdout}"
    for line, printed in began:
        if line.shown is not None:
            assert worked.same_words(line.shown, "".join(printed)), f"{line.text} now prints\n{''.join(printed)}"


def convnet():
    """Keras's simple convnet for MNIST."""
    network = [keras.Input((28, 28, 1))]
    for filters in (32, 64):
        network += [keras.layers.Conv2D(filters, 3, activation="relu"), keras.layers.MaxPooling2D()]
    network += [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential(network)


def test_lines_are_found_and_each_is_run_somewhere():
    texts = [line.text for line in LINES]
    for one in (
        "thalweg train examples/penguins.csv --target target",
        "thalweg filters runs/mnist --epochs",
        "thalweg train sales.csv --target sold --time day --group shop --horizon 14",
        "thalweg play --static site",
        "thalweg tune adult.parquet --target income --time-limit 60",
        "make demo",
    ):
        assert one in texts
    ran = {line.text for ours in HERE.values() for line in ours}
    for line in LINES:
        assert line.worked or line.reason or line.text in ran, line
    (edges,) = (line for line in LINES if line.text == "python examples/edges.py")
    assert {"images", "plot"} <= edges.brought


def test_what_is_not_run_or_shortened_is_still_there():
    for begin in NOT_RUN:
        assert any(line.text.startswith(begin) for line in LINES), begin
    for long in SHORTER:
        assert any(long in line.text for ours in HERE.values() for line in ours), long


def test_no_command_stands_in_another_kind_of_block():
    command = re.compile(r"^(\$ |(pip|thalweg|python|make|curl|git) [\w'-])", re.MULTILINE)
    for page in PAGES:
        for token in TOKEN.finditer((ROOT / page).read_text(encoding="utf-8")):
            if token["kind"] in ("", "text", "bash", "shell"):
                assert not command.search(token["block"]), f"{page}: {token['block']}"


def test_a_commands_page_says_which_extra_it_needs():
    for line in LINES:
        program, command, *_ = [*shlex.split(line.text), ""]
        if program == "thalweg" and "static" not in line.text and command in NEEDED:
            assert NEEDED[command] in line.brought, f"{line.section}: {line.text}"


# --- lines that are looked at ----------------------------------------------------------------------------------------

ALL_PAGES = [*PAGES, "README.zh-TW.md", *(worked.twin(ROOT / page).relative_to(ROOT).as_posix() for page in PAGES)]
INLINE = [
    (page, " ".join(token["inline"].split()))
    for page in ALL_PAGES
    if (ROOT / page).exists()
    for token in TOKEN.finditer((ROOT / page).read_text(encoding="utf-8"))
    if token["inline"]
]
MENTIONED = [*INLINE, *((line.section, line.text) for line in LINES)]


def mentioned(program):
    """(page, what follows) of all that begins so, in blocks and in sentences."""
    found = [(page, line.removeprefix(program).strip()) for page, line in MENTIONED if line.startswith(f"{program} ")]
    assert len(found) > 2, program
    return found


def test_both_readmes_have_the_same_lines():
    ours, theirs = ([line.text for line in lines(name)] for name in ("README.md", "README.zh-TW.md"))
    assert ours == theirs


def test_make_knows_every_target():
    targets = {rest.split()[0] for _, rest in mentioned("make")}
    assert {"demo", "test", "bench", "docs", "wheels", "parity"} <= targets
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_an_install_line_names_what_there_is():
    """An extra of pyproject.toml's; nothing is published, so thalweg is the checkout, a wheel's file, or installed."""
    for page, rest in mentioned("pip"):
        assert set(extras(rest)) - {""} <= {*PROJECT["optional-dependencies"], "cuda13"}, f"{page}: {rest}"
    for line in LINES:
        if "pip install" in line.text and "thalweg[" in line.text:
            assert "--find-links" in line.text, line


def test_a_command_has_the_options_that_are_named():
    known = load(ROOT / "docs" / "reference" / "commands.py").commands()
    for page, rest in mentioned("thalweg"):
        command, *words = rest.split()
        if command in known:
            have = {option for parameter in known[command].params for option in parameter.opts}
            assert {re.sub(r"=.*", "", word) for word in words if word.startswith("--")} <= have, f"{page}: {rest}"
        else:
            assert command in ("--help", "--version", "COMMAND", "…"), f"{page}: {rest}"


def test_programs_that_are_named_are_there():
    """Those of the repository; a reader's own (train.py, penguins.py) are not."""
    for page, rest in mentioned("python"):
        first, second, *_ = [*rest.split(), ""]
        if first == "-m":
            sys.path.insert(0, str(ROOT))
            assert util.find_spec(second), f"{page}: {rest}"
        elif re.match(r"\w+/", first):
            assert (ROOT / first).exists(), f"{page}: {rest}"
    for page, rest in mentioned("pytest"):
        assert all((ROOT / word).exists() for word in rest.split() if "/" in word), f"{page}: {rest}"


# --- examples --------------------------------------------------------------------------------------------------------


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
    line = f"python examples/{path.name}"
    if any(line == other.text for ours in HERE.values() for other in ours):
        pytest.skip("a page's line: test_every_line_runs_and_prints_what_is_shown")
    done = run(line, extras(next(iter(re.findall(r"pip install .*", text)), "")), folder)
    assert done.returncode == 0, done.stdout


def test_a_package_that_was_not_brought_is_not_there(tmp_path):
    """The control."""
    (tmp_path / "program.py").write_text("import pandas, thalweg\n")
    assert "No module named 'pandas'" in run("python program.py", (), tmp_path).stdout
    assert run("python program.py", ("dev",), tmp_path).returncode == 0
    assert set(PROJECT["optional-dependencies"]) >= {"images", "plot"}
