"""What is said while kernels are compiled, and what is compiled along with what is needed now."""

import io
import sys
import threading
import time
from contextlib import nullcontext

import llvmlite.binding as binding
import numba
import numpy as np
import pytest
from numba.core import ir
from numba.core.base import BaseContext
from numba.core.inline_closurecall import InlineWorker
from numba.core.registry import cpu_target

from thalweg import Sequential, layers
from thalweg.engine.expected import expected, expecting
from thalweg.engine.native.compiler import cache, emit, telling, workers
from thalweg.engine.native.compiler.compile import callable_of
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.compiler.telling import Progress
from thalweg.engine.native.kernels.table import ACTIVITY, ENTER, FLUSH, KERNELS, RESTORE, SUMMARISE
from thalweg.engine.native.runtime.executor import expected_kernels
from thalweg.errors import ThalwegError
from thalweg.support.stopwatch import Stopwatch
from thalweg.support.terminal import news, redrawing

A, B, C = (Kernel("test", name) for name in "abc")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def said(monkeypatch):
    """Makes the standard error, of a class; lines and looks follow each other quickly."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(telling, "LOOK", 0.01)
    monkeypatch.setattr(telling, "AGAIN", 0.02)
    monkeypatch.setattr(telling, "compiling", Stopwatch())

    def to(kind):  # not by the fixture itself, after which pytest sets its own
        monkeypatch.setattr(sys, "stderr", kind())
        return sys.stderr

    return to


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_terminal_has_one_line_that_says_how_far_it_is_and_vanishes(said):
    stream = said(Terminal)
    progress = Progress()
    progress.need([A, B])
    with progress:
        until(lambda: "0 of 2" in stream.getvalue())
        progress.done(A)
        progress.need([C])
        until(lambda: "1 of 3" in stream.getvalue())
    text = stream.getvalue()
    assert "\n" not in text
    drawn = text.split("\r")
    assert max(map(len, drawn)) < 40  # a longer line would be two
    assert drawn[-2:] == [" " * len(drawn[1]), ""]


def test_where_somebody_else_redraws_the_line_it_is_told_in_theirs(said):
    stream = said(Terminal)
    progress = Progress()
    progress.need([A, B])
    with redrawing(), progress:
        until(lambda: news() == "compiling kernels: 0 of 2, 0 s")
        assert "compiling" not in stream.getvalue()
    assert news() == ""


def test_a_log_has_an_announcement_and_a_line_from_time_to_time(said):
    stream = said(io.StringIO)
    progress = Progress()
    progress.need([A, B])
    with progress:
        until(lambda: stream.getvalue().count("compiled 0 of 2, 0 s so far\n") == 2)
        progress.done(A)
        until(lambda: "compiled 1 of 2, 0 s so far\n" in stream.getvalue())
    with progress:
        pass
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("thalweg: compiling kernels that this network is the first here to need")
    assert all(line.startswith("thalweg: … compiled ") for line in lines[1:])


def test_it_is_shown_until_the_last_thread_has_left(said):
    stream = said(io.StringIO)
    progress, leave = Progress(), threading.Event()

    def other():
        with progress:
            leave.wait()

    thread = threading.Thread(target=other)
    with progress:
        thread.start()
        until(lambda: progress.inside == 2)
    before = stream.getvalue()
    until(lambda: len(stream.getvalue()) > len(before))
    leave.set()
    thread.join()
    text = stream.getvalue()
    time.sleep(0.1)
    assert stream.getvalue() == text


def test_a_reader_who_leaves_ends_no_compiling(said):
    stream = said(io.StringIO)
    with Progress() as progress:
        stream.close()
        progress.thread.join()


@pytest.mark.parametrize("there", [{A, B, C}, {B}, {B, C}])
def test_what_is_expected_is_compiled_along_with_what_is_missing(there, monkeypatch):
    asked, made = [], []

    def more():
        asked.append(True)
        return [B, C]

    monkeypatch.setattr(workers, "is_there", lambda kernel: kernel in there)
    monkeypatch.setattr(workers, "is_ready", lambda kernel: False)
    monkeypatch.setattr(workers, "possible", lambda: True)
    monkeypatch.setattr(workers, "MANY", 2)
    monkeypatch.setattr(workers, "compile_together", made.append)
    workers.prepare.cache_clear()
    workers.prepare(frozenset([A, B]), more)
    workers.prepare.cache_clear()
    assert bool(asked) == (A not in there)
    assert made == ([{A, C}] if there == {B} else [])  # a single one would be done before a worker has started


def classifier():
    model = Sequential([layers.Input((2,)), layers.Dense(3), layers.Activation("softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("record", [False, True])
def test_a_fit_expects_its_evaluation_its_prediction_and_what_is_recorded(record, monkeypatch):
    x, y, found = np.zeros((8, 2), np.float32), np.zeros(8), []
    real = workers.prepare

    def prepare(kernels, more=tuple):
        found.append(set(more()))
        return real(kernels)

    monkeypatch.setattr("thalweg.engine.native.runtime.executor.prepare", prepare)
    classifier().fit(x, y, epochs=1, verbose=0, record=record)
    names = {"affine", "gather", "store", "softmax"}
    assert {KERNELS[name] for name in names} | {ENTER} <= found[0]
    assert "sparse_categorical_crossentropy_logits" in {kernel.name.rpartition("_")[0] for kernel in found[0]}
    assert ({SUMMARISE, ACTIVITY, FLUSH, RESTORE} <= found[0]) == record
    assert expected() == ([], False)


def test_what_cant_be_lowered_is_left_to_whoever_runs_it():
    def broken():
        raise ThalwegError("no such program")

    with expecting(broken):
        assert expected_kernels() == set()


@numba.njit
def at_most_nine(x):
    return min(x, 9)


def makes_a_list(o, c, s, f):
    o[0] = [at_most_nine(o[0] + k) for k in range(2)][1]


def test_what_numba_has_to_load_gets_all_that_it_calls(tmp_path, monkeypatch, fresh):
    """It is tried as object code first, for which functions are kept apart from those that they call."""
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(Kernel, "function", lambda kernel: makes_a_list)
    kernel = Kernel("test", "makes_a_list")
    o = np.full(1, 7)
    for expected_number in (8, 9, 9):
        callable_of(kernel)(o.ctypes.data, 0, 0, 0)
        assert o[0] == expected_number
    assert cache.kept(kernel) is None


class Idle:
    """A worker without a process."""

    def __init__(self):
        self.ended = []

    def kill(self):
        self.ended.append("killed")

    def communicate(self):
        self.ended.append("closed")


@pytest.mark.parametrize("there", [False, True])
def test_workers_are_started_ahead_only_where_nothing_was_trained(there, monkeypatch):
    monkeypatch.setattr(workers, "is_there", lambda kernel: there)
    monkeypatch.setattr(workers, "is_ready", lambda kernel: False)
    monkeypatch.setattr(workers, "possible", lambda: True)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    monkeypatch.setattr(workers, "start", Idle)
    monkeypatch.setattr(workers, "_hired", [])
    for _ in range(2):
        workers.hire(A)
    waiting = list(workers._hired)
    assert len(waiting) == (0 if there else 2)
    workers.dismiss()
    assert [worker.ended for worker in waiting] == [["killed", "closed"]] * len(waiting)
    assert workers._hired == []


def code_of(kernel):
    """Its machine code, without names, which numba numbers."""
    content, _ = emit.object_code(kernel)
    sections = {s.name(): s.data() for s in binding.ObjectFileRef.from_data(content).sections()}
    return {name: data for name, data in sections.items() if name and name.startswith((b".text", b".rodata"))}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' object files have other sections")
@pytest.mark.parametrize("name", ["dropout", "take", "rescale"])
def test_numbas_functions_are_replaced_only_meanwhile_and_the_code_is_the_same(name, monkeypatch):
    owners = (cpu_target.typing_context, InlineWorker, BaseContext, ir.Inst, ir.Scope, ir.Loc)
    before = [dict(vars(owner)) for owner in owners]
    sooner = code_of(KERNELS[name])
    assert [dict(vars(owner)).keys() for owner in owners] == [b.keys() for b in before]
    assert InlineWorker.run_untyped_passes is before[1]["run_untyped_passes"]
    monkeypatch.setattr(emit, "sooner", nullcontext)
    assert sooner == code_of(KERNELS[name]) != {}
