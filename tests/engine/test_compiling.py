"""What is said while kernels are compiled."""

import io
import sys

import pytest

from thalweg.engine.native.compiler import telling
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.compiler.telling import Progress
from thalweg.support.stopwatch import Stopwatch
from thalweg.support.terminal import news, redrawing

A, B, C = (Kernel("test", name) for name in "abc")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def said(monkeypatch):
    """Makes the standard error, of a class."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(telling, "compiling", Stopwatch())

    def to(kind):  # not by the fixture itself, after which pytest sets its own
        monkeypatch.setattr(sys, "stderr", kind())
        return sys.stderr

    return to


def test_a_terminal_has_one_line_that_says_how_far_it_is_and_vanishes(said):
    stream = said(Terminal)
    progress = Progress()
    progress.need([A, B])
    with progress.compiling(A):
        assert "0 of 2" in stream.getvalue()
    progress.need([C])
    with progress.compiling(B):
        assert "1 of 3" in stream.getvalue()
    text = stream.getvalue()
    assert "\n" not in text
    drawn = text.split("\r")
    assert max(map(len, drawn)) < 40  # a longer line would be two
    assert drawn[-2:] == [" " * len(drawn[1]), ""]


def test_where_somebody_else_redraws_the_line_it_is_told_in_theirs(said):
    stream = said(Terminal)
    progress = Progress()
    progress.need([A, B])
    with redrawing(), progress.compiling(A):
        assert news() == "compiling kernels: 0 of 2, 0 s"
        assert "compiling" not in stream.getvalue()
    assert news() == ""


def test_a_log_has_one_line(said):
    stream = said(io.StringIO)
    progress = Progress()
    for kernel in (A, B):
        with progress.compiling(kernel):
            pass
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("thalweg: compiling kernels that this network is the first here to need")


def test_a_kernel_that_could_not_be_compiled_is_not_counted(said):
    stream = said(Terminal)
    progress = Progress()
    with pytest.raises(ZeroDivisionError), progress.compiling(A):
        raise ZeroDivisionError
    with progress.compiling(B):
        assert "0 of 2" in stream.getvalue()


def test_a_reader_who_leaves_ends_no_compiling(said):
    stream = said(Terminal)
    with Progress().compiling(A):
        stream.close()
