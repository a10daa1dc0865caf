"""What a command says while it would be silent, and that it says nothing of what ends at once."""

import sys
import time
from contextlib import nullcontext

import pytest

from thalweg.cli import doing
from thalweg.cli.bars import Networks
from thalweg.support import progress as stages


@pytest.fixture
def said(monkeypatch, capsys):
    monkeypatch.setattr(doing, "QUIET", 0.01)
    monkeypatch.setattr(doing, "AGAIN", 0.05)

    def lines():
        deadline = time.perf_counter() + 20
        found = []
        while len(found) < 2 and time.perf_counter() < deadline:
            time.sleep(0.02)
            found += capsys.readouterr().err.splitlines()
        return found

    return lines


def test_what_takes_long_is_said_and_said_again(said):
    with stages.told(doing.doing), stages.stage("reading [b]rows.csv[/b]"):
        first, second, *_ = said()
    assert first == "… reading [b]rows.csv[/b]"
    assert second == "… reading [b]rows.csv[/b], 0 s so far"


def test_what_ends_at_once_is_not_said(capsys):
    with stages.told(doing.doing), stages.stage("reading"):
        pass
    assert capsys.readouterr().err == ""


def test_of_stages_within_stages_the_outermost_is_told():
    heard = []

    def listener(name):
        heard.append(name)
        return nullcontext()

    with stages.stage("unheard"), stages.told(listener):
        with stages.stage("outer"), stages.stage("inner"):
            pass
        with stages.stage("next"):
            pass
    assert heard == ["outer", "next"]


def test_on_a_terminal_a_line_is_redrawn_and_taken_away(monkeypatch):
    class Terminal:
        encoding = "cp950"

        def __init__(self):
            self.text = ""

        def write(self, text):
            text.encode(self.encoding)  # its signs are ones that a Taiwanese Windows console has
            self.text += text

        def flush(self):
            pass

        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(doing, "QUIET", 0.01)
    with doing.doing("examining"):
        deadline = time.perf_counter() + 20
        while "examining" not in terminal.text and time.perf_counter() < deadline:
            time.sleep(0.02)
    assert "examining" in terminal.text
    assert terminal.text.endswith(("\x1b[2K", "\x1b[?25h", "\x1b[1A\x1b[2K"))


def test_a_stage_ends_the_lines_of_the_training_before_it(said):
    with Networks() as watch, stages.told(watch.stage):
        watch.begin("training", 1)
        with stages.stage("judging"):
            said()
            assert "training" not in "".join(said())
