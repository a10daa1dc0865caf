"""What is seen of a training: lines in pipes and notebooks, a few lines that are drawn anew on a terminal."""

import io
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import thalweg
from thalweg import Sequential
from thalweg.callbacks import LambdaCallback
from thalweg.cli import main as cli
from thalweg.cli import report
from thalweg.engine.native.compiler import compile
from thalweg.errors import ArgumentError
from thalweg.layers import Dense, Input
from thalweg.models import evaluator as evaluation
from thalweg.models import predictor as prediction
from thalweg.optimizers import SGD
from thalweg.support import progress, stopwatch

ROOT = Path(thalweg.__file__).parents[1]
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0]


def regression(rate=0.05):
    model = Sequential([Input((4,)), Dense(1)], seed=3)
    model.compile(SGD(rate), "mse", metrics=["mae"])
    return model


@pytest.fixture
def lines(capsys):
    """Trains and returns what was printed."""

    def fit(model=None, **arguments):
        (model or regression()).fit(X, Y, **arguments)
        return capsys.readouterr().out.splitlines()

    return fit


@pytest.mark.parametrize("verbose", [1, "auto", "1", True, 2, "2", None])
def test_each_epoch_has_a_line_with_validation(lines, verbose):
    given = {} if verbose is None else {"verbose": verbose}
    printed = lines(epochs=4, initial_epoch=2, validation_split=0.2, **given)
    assert [line.split("  ")[0] for line in printed] == ["epoch 3/4", "epoch 4/4"]
    assert all(re.search(r"  loss \S+  mae \S+  val_loss \S+  val_mae \S+$", line) for line in printed)
    assert len(lines(epochs=2, **given)) == 2


@pytest.mark.parametrize("verbose", [0, "0", False])
def test_silence(lines, verbose):
    assert lines(epochs=2, verbose=verbose, validation_split=0.2) == []


def test_the_numbers_are_those_of_the_history(lines):
    model = regression()
    printed = lines(model, epochs=3, batch_size=25)
    losses = [float(re.search(r"loss (\S+)", line)[1]) for line in printed]
    assert losses == pytest.approx(model.history.history["loss"], rel=1e-3)


@pytest.mark.parametrize("heard", [[], [LambdaCallback(on_epoch_end=lambda epoch, logs: None)]])
def test_many_fast_epochs_are_thinned_out_but_for_verbose_2(lines, monkeypatch, heard):
    monkeypatch.setattr(progress.time, "perf_counter", itertools.count(0, 1e-9).__next__)  # all at once
    printed = lines(epochs=1000, callbacks=heard)
    assert [line.split()[1] for line in printed] == [f"{epoch}/1000" for epoch in [*range(1, 101), 1000]]
    assert len(lines(epochs=1000, callbacks=heard, verbose=2)) == 1000


def test_slow_epochs_keep_their_lines(lines, monkeypatch):
    monkeypatch.setattr(progress.time, "perf_counter", itertools.count().__next__)  # a second passes at each look
    printed = lines(epochs=150, validation_split=0.2)
    assert len([line for line in printed if "step" not in line]) == 150


def test_a_long_epoch_says_where_it_is(lines, monkeypatch):
    monkeypatch.setattr(progress.time, "perf_counter", itertools.count(0, 100).__next__)
    batches = [LambdaCallback(on_train_batch_end=lambda batch, logs: None)]
    printed = lines(epochs=2, batch_size=20, callbacks=batches)
    assert [line.split("  ")[0] for line in printed] == [
        "epoch 1/2, step 1/3", "epoch 1/2, step 2/3", "epoch 1/2",
        "epoch 2/2, step 1/3", "epoch 2/2, step 2/3", "epoch 2/2",
    ]  # fmt: skip
    assert len(lines(epochs=2, batch_size=20, callbacks=batches, verbose=2)) == 2


def test_the_last_epoch_has_a_line_however_the_training_ends(lines, monkeypatch):
    monkeypatch.setattr(progress, "ALL", 2)
    monkeypatch.setattr(progress, "PAUSE", 1e9)
    model = regression()

    def stop(epoch, logs):
        model.stop_training = epoch == 3

    printed = lines(model, epochs=99, callbacks=[LambdaCallback(on_epoch_end=stop)])
    assert [line.split()[1] for line in printed] == ["1/99", "2/99", "4/99"]


def test_any_object_may_be_the_output(monkeypatch):
    class Bare:
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    bare = Bare()
    monkeypatch.setattr(sys, "stdout", bare)
    regression().fit(X, Y)
    assert bare.text.startswith("epoch 1/1  loss")
    monkeypatch.setattr(sys, "stdout", None)  # a program without a console
    regression().fit(X, Y)


@pytest.mark.parametrize("verbose", [3, "loud", None, [1]])
def test_other_levels_are_refused(verbose):
    model = regression()
    for call in (lambda: model.fit(X, Y, verbose=verbose), lambda: model.evaluate(X, Y, verbose=verbose)):
        with pytest.raises(ArgumentError, match="verbose is 0, 1, 2 or 'auto'"):
            call()


def test_evaluate_prints_a_line(capsys):
    model = regression()
    loss, mae = model.evaluate(X, Y)
    assert capsys.readouterr().out == f"50 rows  loss {loss:.4g}  mae {mae:.4g}\n"
    model.evaluate(X, Y, verbose=0)
    model.test_on_batch(X, Y)
    assert capsys.readouterr().out == ""


# --- on a terminal ---------------------------------------------------------------------------------------------------

METRICS = {"loss": 0.123456, "accuracy": 0.98765, "precision": 0.91234, "recall": 0.95555}


def drawn(columns, color=None, encoding="utf-8"):
    """What the display of a long training looks like, line by line."""
    shown = progress.Display(200 * 1875)
    shown.done, shown.head, shown.place, shown.speed = 50_000, "epoch 27/200", "step 1250/1875", "1,234,567 rows/s"
    shown.begin -= 1000
    shown.below = [progress.pairs(METRICS), progress.pairs({f"val_{k}": v for k, v in METRICS.items()})]
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=columns, force_terminal=color is not None, color_system=color).print(shown)
    file.seek(0)
    return file.read().splitlines()


def test_80_columns_hold_the_time_left_three_metrics_and_their_validation():
    first, second, third = drawn(80)
    assert re.fullmatch(r"epoch 27/200  ━+─+  step 1250/1875  1:48:20 left  1,234,567 rows/s", first)
    assert second == "loss 0.1235  accuracy 0.9877  precision 0.9123  recall 0.9556"
    assert third == "val_loss 0.1235  val_accuracy 0.9877  val_precision 0.9123  val_recall 0.9556"


@pytest.mark.parametrize("columns", range(30, 121, 5))
def test_lines_fit_and_numbers_are_never_cut(columns):
    first, *below = drawn(columns)
    assert max(map(len, [first, *below])) < columns
    assert first.count("━") + first.count("─") >= min(progress.BAR[0], columns - 15)
    assert re.fullmatch(r"epoch 27/200  ━*─+(  step 1250/1875(  1:48:20 left(  1,234,567 rows/s)?)?)?", first)
    for line, prefix in zip(below, ("", "val_"), strict=True):
        for part in line.removesuffix("  …").split("  "):
            key, value = part.split()
            assert value == f"{METRICS[key.removeprefix(prefix)]:.4g}"


def test_a_share_is_done():
    first = drawn(100)[0]
    assert first.count("━") / (first.count("━") + first.count("─")) == pytest.approx(50_000 / 375_000, abs=0.05)


def test_sixteen_colours_suffice_and_none_too():
    text = "\n".join(drawn(80, "standard"))
    assert set(re.findall(r"\x1b\[([\d;]+)m", text)) == {"0", "32"}  # green, and the terminal's own colour
    assert "\x1b" not in "".join(drawn(80))
    assert re.search(r"=+-+", drawn(80, encoding="ascii")[0])


SCRIPT = """
import numpy as np, thalweg
x = np.random.default_rng(0).normal(size=(100, 4))
model = thalweg.Sequential([thalweg.Input((4,)), thalweg.layers.Dense(1)], seed=1)
model.compile("sgd", "mse", metrics=["mae"])
model.fit(x, x[:, 0], epochs=30, validation_split=0.2)
model.evaluate(x, x[:, 0])
"""


def on_terminal(script, columns=80, **environment):
    """What a terminal gets from a Python program."""
    pty, termios, fcntl, struct = map(pytest.importorskip, ("pty", "termios", "fcntl", "struct"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    own = {key: value for key, value in os.environ.items() if key not in ("COLORTERM", "COLUMNS", "NO_COLOR")}
    own |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", **environment}
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with subprocess.Popen([sys.executable, "-c", script], env=own, **streams) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
    os.close(ours)
    assert process.returncode == 0, text.decode()
    return text.decode()


def test_a_terminal_shows_the_last_state_and_one_line_of_the_evaluation():
    text = on_terminal(SCRIPT)
    lines = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text.rpartition("\x1b[2K")[2]).replace("\r", "").splitlines()
    first, second, third, evaluation = [line for line in lines if line]
    assert re.fullmatch(r"epoch 30/30  ━{24}  step 3/3  0:00:0\d  [\d,]+ rows/s", first)
    assert re.fullmatch(r"loss \S+  mae \S+", second)
    assert re.fullmatch(r"val_loss \S+  val_mae \S+", third)
    assert re.fullmatch(r"100 rows  loss \S+  mae \S+", evaluation)
    assert "38;" not in text  # no colour beyond the sixteen


def test_a_dumb_terminal_gets_lines():
    text = on_terminal(SCRIPT, TERM="dumb")
    assert "\x1b" not in text
    assert text.count("val_loss") == 30


def test_a_comparison_says_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(progress.time, "perf_counter", itertools.count(0, 20).__next__)
    with progress.Trainings("comparing loss") as count:
        for done in range(1, 5):
            count(done, 4)
    assert capsys.readouterr().err == "comparing loss: 2 of 4 trainings\ncomparing loss: 4 of 4 trainings\n"


# --- compiling isn't training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_batch", [False, True])
def test_what_validates_is_made_before_the_clock_begins(monkeypatch, by_batch):
    made, at_begin = [], []
    make = evaluation.make_executor

    def making(engine, job):
        made.append(job.batch)
        return make(engine, job)

    monkeypatch.setattr(evaluation, "make_executor", making)
    heard = [LambdaCallback(on_train_begin=lambda logs: at_begin.extend(made))]
    heard += [LambdaCallback(on_test_batch_end=lambda batch, logs: None)] * by_batch
    regression().fit(X, Y, epochs=2, batch_size=8, validation_data=(X, Y), callbacks=heard, verbose=0)
    assert made == at_begin == [8 if by_batch else 50]


def test_a_stopwatch_counts_what_is_inside_twice_once(monkeypatch):
    monkeypatch.setattr(stopwatch.time, "perf_counter", itertools.count().__next__)
    watch = stopwatch.Stopwatch()

    @watch
    def inside():
        with watch:
            pass

    inside()
    inside()
    assert watch.seconds == 2


@pytest.mark.jit
def test_compiling_is_counted_and_not_part_of_a_prediction(monkeypatch, capsys):
    text = "def nothing(o, c, s, f):\n    pass\n"
    before = stopwatch.compiling.seconds
    monkeypatch.setattr(compile, "kept", lambda kernel: None)
    compile.address_of(compile.Kernel("nothing_at_all", "nothing", text))
    assert stopwatch.compiling.seconds > before

    now, model = [0.0], regression()

    class Slow:
        compiled = model._compiled

        def __call__(self, *_, **__):
            now[0] += 12.0
            stopwatch.compiling.seconds += 9.0
            return [X]

    monkeypatch.setattr(stopwatch.compiling, "seconds", 3.0)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    prediction.predict_aloud(model, Slow(), [X], None, 1, None, None)
    assert capsys.readouterr().out == "50 rows in 3.000 s\n"


def test_the_command_line_tells_them_apart(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stopwatch.compiling, "seconds", 8.74)
    penguins, quick = (
        str(Path(__file__).parents[2] / "examples" / "penguins.csv"),
        ["--epochs", "2", "--target", "target"],
    )
    monkeypatch.setattr(sys, "argv", ["thalweg", "train", penguins, *quick, "--early-stopping", "0"])
    with pytest.raises(SystemExit):
        cli.main()
    assert re.search(
        r"trained 4 networks, 8 epochs in \d+\.\d\d s \(and \d+\.\d s to compile kernels\)\n", capsys.readouterr().out
    )
    monkeypatch.setattr(sys, "argv", ["thalweg", "compare", "optimizer", penguins, *quick, "--entries", "sgd"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "compiling kernels took " in capsys.readouterr().out
    monkeypatch.setattr(stopwatch.compiling, "seconds", 0.0)
    assert report.compile_seconds() == ""


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "No space left on device")])
def test_a_training_goes_on_when_its_lines_can_no_longer_be_written(error, monkeypatch):
    written = []

    def out(text):
        if len(written) == 2:
            raise error
        written.append(text)

    monkeypatch.setattr("thalweg.support.progress.out", out)
    model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    history = model.fit(np.zeros((8, 2)), np.zeros(8), epochs=5, verbose=2)
    assert [line.split()[1] for line in written] == ["1/5", "2/5"]
    assert len(history.history["loss"]) == 5
