"""Micro-kernels that are made when they are first called: requested, awaited, and found again."""

import ctypes
import os
import signal
import threading
import time

import pytest

pytest.importorskip("llvmlite")

from thalweg.engine.native.compiler import emit, on_demand
from thalweg.engine.native.compiler.compile import families_of, make
from thalweg.engine.native.compiler.kernel import symbol_of
from thalweg.engine.native.compiler.loader import load
from thalweg.engine.native.compiler.on_demand import NotCompiledError, counter
from thalweg.engine.native.linalg.awaiting import AWAITED
from thalweg.engine.native.linalg.one_row import ROW_PRODUCTS as ROWS

ARGUMENTS = list(range(len(ROWS.kind.arguments)))
KINDS = [ctypes.c_int64] * (1 + len(ARGUMENTS))
KEYS = sorted(ROWS.kernels)  # some are negative
FREE, HELD = ctypes.CFUNCTYPE(None, *KINDS), ctypes.PYFUNCTYPE(None, *KINDS)  # of the interpreter's lock


@pytest.fixture(scope="module")
def code():
    """The object code of a family's function, and of what it calls."""
    (called,) = families_of(make(ROWS.kernel))
    assert called == symbol_of(AWAITED.kernel)
    return [emit.object_code(kernel)[0] for kernel in (ROWS.kernel, AWAITED.kernel)]


@pytest.fixture
def family(code):
    """Links a family whose micro-kernels this function makes, once more: its slots are empty."""

    def link(make, kind=FREE):
        awaited = load(symbol_of(AWAITED.kernel), code[1], counter(make))
        return kind(load(symbol_of(ROWS.kernel), code[0], {symbol_of(AWAITED.kernel): awaited}))

    return link


class Makers:
    """What makes micro-kernels that note their arguments, and on which threads it did."""

    def __init__(self):
        self.made, self.calls, self.threads = [], [], []
        self.kernel = FREE(lambda *given: self.calls.append(list(given)))

    def __call__(self, kernel):
        self.made.append(int(kernel.member))
        self.threads.append(threading.get_ident())
        return ctypes.cast(self.kernel, ctypes.c_void_p).value


@pytest.mark.parametrize("kind", [FREE, HELD])
def test_the_first_call_requests_and_each_passes_its_arguments(family, kind):
    make = Makers()
    call = family(make, kind)
    for _ in range(2):
        for key in (KEYS[0], KEYS[-1]):
            call(key, *ARGUMENTS)
    assert make.made == [KEYS[0], KEYS[-1]]
    assert make.calls == [[key, *ARGUMENTS] for key in (KEYS[0], KEYS[-1])] * 2
    assert threading.get_ident() not in make.threads  # where handlers of signals might be called in between


def test_keys_without_a_micro_kernel_do_nothing(family):
    make = Makers()
    call = family(make)
    for key in {-1, 0, KEYS[0] - 1, KEYS[-1] + 1, -(10**9), 10**9} - set(KEYS):
        call(key, *ARGUMENTS)
    assert make.made == []


@pytest.mark.parametrize("kind", [FREE, HELD])
def test_an_error_is_raised_where_the_result_is_awaited_and_the_next_call_tries_again(family, kind, capsys):
    made = Makers()
    faults = [ZeroDivisionError("no such thing"), None]

    def make(kernel):
        if fault := faults.pop(0):
            raise fault
        return made(kernel)

    call = family(make, kind)
    with pytest.raises(NotCompiledError, match="reason above"):
        call(KEYS[0], *ARGUMENTS)
    assert "no such thing" in capsys.readouterr().err
    assert made.calls == []
    call(KEYS[0], *ARGUMENTS)
    assert made.calls == [[KEYS[0], *ARGUMENTS]]


@pytest.mark.parametrize("kind", [FREE, HELD])
def test_ctrl_c_waits_until_python_goes_on(family, kind):
    made = []

    def make(kernel):
        signal.raise_signal(signal.SIGINT)
        made.append(kernel)
        return ctypes.cast(ctypes.pythonapi.PyThread_get_thread_ident, ctypes.c_void_p).value  # executes no Python

    call, before = family(make, kind), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            call(KEYS[0], *ARGUMENTS)
    finally:
        signal.signal(signal.SIGINT, before)
    call(KEYS[0], *ARGUMENTS)
    assert len(made) == 1  # it was finished, and is there


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_a_thread_the_one_that_waits_makes_it(family, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(on_demand, "start_new_thread", refuse)
    make = Makers()
    family(make)(KEYS[0], *ARGUMENTS)
    assert make.calls == [[KEYS[0], *ARGUMENTS]]
    assert make.threads == [threading.get_ident()]


def test_each_thread_gets_its_own_error(family, capsys):
    def make(kernel):
        raise ZeroDivisionError(kernel.member)

    call, raised = family(make), []

    def ask(key):
        try:
            call(key, *ARGUMENTS)
        except NotCompiledError:
            raised.append(key)

    for key in KEYS[:5]:
        threads = [threading.Thread(target=ask, args=(key,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert raised == [key for key in KEYS[:5] for _ in range(3)]
    assert capsys.readouterr().err.count("ZeroDivisionError: ") == len(raised)


def test_threads_that_want_the_same_get_it(family):
    make, both, last = Makers(), threading.Barrier(2), threading.Event()

    def slow(kernel):
        if both.wait(60):  # both requests are served at once, and one is late
            assert last.wait(60)
        return make(kernel)

    call = family(slow)
    threads = [threading.Thread(target=call, args=(KEYS[0], *ARGUMENTS), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not make.calls:
        time.sleep(0.001)
    time.sleep(0.1)
    assert sum(thread.is_alive() for thread in threads) == 1  # whose request lies on its stack until it is served
    last.set()
    for thread in threads:
        thread.join()
    assert make.calls == [[KEYS[0], *ARGUMENTS]] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_requests_anew_what_its_parent_waits_for(family):
    make, begun, forked = Makers(), threading.Event(), threading.Event()

    def slow(kernel):
        begun.set()
        assert forked.wait(60)
        return make(kernel)

    call = family(slow)
    waiting = threading.Thread(target=call, args=(KEYS[0], *ARGUMENTS))
    waiting.start()
    assert begun.wait(60)
    on_demand._requests.append(0)  # as if one had not been taken yet
    child = os.fork()
    if child == 0:
        forked.set()
        call(KEYS[0], *ARGUMENTS)
        os._exit(0 if make.calls == [[KEYS[0], *ARGUMENTS]] else 1)
    on_demand._requests.clear()
    forked.set()
    waiting.join()
    assert os.waitpid(child, 0)[1] == 0
    assert make.calls == [[KEYS[0], *ARGUMENTS]]
