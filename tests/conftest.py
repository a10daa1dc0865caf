"""What all tests share: Keras and a compiler, where they are installed, how much is tried, and `pytest --skipped`.

Tests of random examples ask `amounts.py` how many: `make test` tries few, `make soak` all.

`--skipped` runs the tests that were skipped for want of a package, once it is there. A test that lacks one is
remembered until it has run; `make parity` installs PyTorch, Keras, JAX, onnxruntime, TensorBoard and MPI, and runs what
is remembered, `make pages` Playwright for the tests in a browser. A test that is skipped again is then a failure:
nothing is left that no run has run.

`--release` makes failures of what may wait until a release, as a sentence without its Chinese; otherwise it is listed.
"""

import doctest
import io
import os
import re
import signal
import sys
import zlib
from contextlib import contextmanager, redirect_stderr, redirect_stdout

if "PYTEST_XDIST_WORKER" in os.environ:  # every core has one: more threads of BLAS or OpenMP would spin for each other
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import amounts
import jit
import pytest

KEY = "thalweg/skipped"  # in pytest's cache folder
COMPILER = "llvmlite"
LACKING = ("could not import", "is not on the PATH")  # why a test is skipped that has to run later
WAITING = "until a release: "  # why a test is skipped that has found what a release may not have

amounts.register()


class Skipped:
    """The ids of tests, and of modules that skip themselves, that lack a package."""

    def __init__(self, config):
        self.config = config
        self.waiting = set(config.cache.get(KEY, []))
        self.modules = {config.rootpath / module(nodeid) for nodeid in self.waiting}
        self.only = config.getoption("skipped")
        self.reasons = {}  # those of this run

    def pytest_collectreport(self, report):
        if report.skipped and any(reason in str(report.longrepr) for reason in LACKING):
            self.waiting.add(report.nodeid)
            self.reasons[report.nodeid] = report.longrepr[2]

    def pytest_runtest_logreport(self, report):
        self.pytest_collectreport(report)
        if report.nodeid not in self.reasons:  # a test that was skipped passes its teardown
            self.waiting -= {report.nodeid, module(report.nodeid)}

    def pytest_ignore_collect(self, collection_path):
        """The modules that nothing waits in aren't imported."""
        return (self.only and collection_path.suffix == ".py" and collection_path not in self.modules) or None

    def pytest_collection_modifyitems(self, config, items):
        if self.only:
            others = [i for i in items if not {i.nodeid, module(i.nodeid)} & self.waiting]
            config.hook.pytest_deselected(items=others)
            items[:] = [i for i in items if i not in set(others)]

    def pytest_sessionfinish(self, session):
        if hasattr(self.config, "workerinput"):
            return  # the session that started xdist's workers hears of all their tests
        self.config.cache.set(KEY, sorted(self.waiting))
        if self.only and self.reasons:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if self.only:
            for nodeid, reason in self.reasons.items():
                terminalreporter.write_line(f"STILL SKIPPED {nodeid}: {reason}", red=True)


class Uncompiled:
    """Where llvmlite isn't installed: tests that need it are skipped.

    These are tests marked `jit`, which compile or look at the compiler; tests that end with what thalweg says of a
    user's formula or function; and modules of the package that are only imported to be compiled. That a kernel of
    thalweg's own isn't ready is a failure.
    """

    OF_USERS = re.compile(
        r"no ready code for formula[a-z ]*(, formula[a-z ]*)* on this|, a Python function, needs .*thalweg\[jit\]"
    )

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        report = yield
        error = report.call.excinfo.value if report.failed else None
        error = getattr(error, "__cause__", None) or error  # pytest's own error, in recent versions
        if isinstance(error, ModuleNotFoundError) and error.name == COMPILER:
            report.outcome, report.longrepr = "skipped", (str(collector.path), 1, f"Skipped: {jit.REASON}")
        return report

    def pytest_collection_modifyitems(self, items):
        for item in items:
            if item.get_closest_marker("jit"):
                item.add_marker(pytest.mark.skip(reason=jit.REASON))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self):
        with self.skipping():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self):
        with self.skipping():
            return (yield)

    @contextmanager
    def skipping(self):
        try:
            yield
        except Exception as error:
            first = next(iter(getattr(error, "failures", [error])))  # those of a doctest
            if isinstance(first, doctest.UnexpectedException):
                first = first.exc_info[1]
            if isinstance(first, ImportError) and self.OF_USERS.search(str(first)):
                pytest.skip(f"{jit.REASON}: {first}")
            raise


def module(nodeid):
    return nodeid.partition("::")[0]


def pytest_addoption(parser):
    parser.addoption("--release", action="store_true", help="what may wait until a release is a failure")
    parser.addoption("--skipped", action="store_true", help="only tests that were skipped for want of a package")


def pytest_configure(config):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; some tests press Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by nohup; some tests send it
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if not jit.can_compile():
        config.pluginmanager.register(Uncompiled(), "uncompiled")
    if config.pluginmanager.hasplugin("cacheprovider"):  # which -p no:cacheprovider takes away
        config.pluginmanager.register(Skipped(config), "skipped")


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.stats.get("skipped", []):
        _, found, told = report.longrepr[2].partition(WAITING)
        if found:
            terminalreporter.write_line(f"before a release, {told}", yellow=True)


@pytest.fixture
def before_release(request):
    """Takes what a test has found: in a release nothing may be; in any other run it is listed at the end."""

    def check(what, found):
        assert not (found and request.config.getoption("release")), f"{what}: {found}"
        if found:
            pytest.skip(f"{WAITING}{len(found)} {what}: {found}")

    return check


@pytest.hookimpl(trylast=True)  # after Hypothesis, which marks its tests
def pytest_collection_modifyitems(items):
    """Hypothesis runs the same lines again and again: its tests would take coverage's time, and add no line."""
    for item in items:
        if item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", exc_type=ImportError)


@pytest.fixture
def fresh(monkeypatch):
    """The folders for kernels are looked for again; afterwards those of this process have their own folder back."""
    from thalweg.engine.native.compiler import cache

    monkeypatch.setattr(cache, "_warned", False)
    cache.places.cache_clear()
    yield lambda: cache.places.cache_clear() or cache.places()
    cache.places.cache_clear()


def command(*arguments):
    """Runs a command in this process, in the current folder; returns its exit code."""
    from thalweg.cli import doing
    from thalweg.cli import main as cli

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doing, "QUIET", 1e6)  # what it says depends on how fast the machine is
        patch.setattr(sys, "argv", ["thalweg", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as end:
            return end.code or 0
    return 0


@pytest.fixture
def run_thalweg(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder; returns exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = command(*arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def run_made(tmp_path_factory):
    """The folder in which a command has made a run called "run"; a command that was run before isn't run again.

    `prepare` makes the files that it needs. Tests get copies.
    """
    made = {}

    def make(*arguments, prepare=lambda: None):
        if arguments not in made:
            made[arguments] = folder = tmp_path_factory.mktemp("made")
            said = io.StringIO()  # none of what the test's own commands say
            with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
                patch.chdir(folder)
                prepare()
                code = command(*arguments, "--out", "run")
            assert code == 0, said.getvalue()
        return made[arguments]

    return make


@pytest.fixture
def mostly_ready_kernels(request, monkeypatch):
    """For tables of many rows: nine tests of ten take each operation's own kernel, which is ready.

    In `make soak`, all join a chain of operations in one kernel, which no other test needs, and wait for it.
    """
    from thalweg.engine.native.passes import pipeline, placed_steps

    if not amounts.soaking() and zlib.crc32(request.node.name.encode()) % 10:
        for passes in (pipeline, placed_steps):
            monkeypatch.setattr(passes, "can_compile", lambda: False)
