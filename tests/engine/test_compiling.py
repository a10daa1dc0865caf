"""What is said while kernels are compiled."""

import io
import sys
import threading
import time

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
