"""What can be looked at: the program as a table, its measured times, the summary, the values of a step."""

import io
import json
import re

import networks as nets
import numpy as np
import pytest
from networks import NETWORKS
from rich.console import Console

from thalweg import Model, Sequential
from thalweg.cli.console import Grid
from thalweg.errors import ArgumentError
from thalweg.experiments import comparison, results
from thalweg.layers import LSTM, BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, Residual
from thalweg.losses import SumSquaredError
from thalweg.models import inspection
from thalweg.optimizers import SGD, Adam
from thalweg.program.passes.draft import Request
from thalweg.program.plain import PLAIN
from thalweg.support.terminal import table, width
from thalweg.tracing import listing as listings


def tutorial(**options):
    model = Sequential([Input((5,)), Dense(1, "sigmoid", use_bias=False)], seed=1, **options)
    model.compile(SGD(0.5), SumSquaredError(half=True))
    return model


def test_the_tutorials_network_is_four_instructions_and_the_data():
    listing = tutorial().schedule(batch_size=400)
    rows = [(r.section, r.name, r.formula, r.shape, r.flops) for r in listing if r.name != "gather"]
    assert rows == [
        ("forward", "affine", "h = x·W", (400, 1), 4000),
        (
            "forward", "sigmoid + squared error",
            "y_pred = σ(h), L = mean 0.5·(y_pred − y)², dy_pred = (y_pred − y)/rows, dh = dy_pred·y_pred·(1 − y_pred)",
            (400, 1), 9200,
        ),
        ("backward", "weight gradient", "dW = xᵀ·dh", (5, 1), 4000),
        ("update", "gradient descent", "w −= learning_rate·dw", (5,), 10),
    ]  # fmt: skip
    assert [r.number for r in listing] == list(range(1, len(listing) + 1))
    assert listing[0].formula == "x = X[order], by columns"


def test_the_printed_table_holds_every_row_and_the_sums():
    model = Sequential(
        [Input((4, 3)), Dense(8, "relu"), Flatten(), Residual([Dropout(0.5), Dense(32)]), Dense(3, "softmax")]
    )
    model.compile(Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    listing = model.program(batch_size=64)
    lines = str(listing).splitlines()
    assert lines[0].split()[:2] == ["#", "instruction"]
    for row in listing:
        line = next(line for line in lines if line.split() and line.split()[0] == str(row.number))
        assert row.name in line
        assert line.endswith(f"  {row.formula}")
        assert f"{row.flops:,}" in line
    assert f"{sum(r.flops for r in listing):,}" in lines[-1]
    assert f"{sum(r.bytes for r in listing):,}" in lines[-1]
    assert json.loads(json.dumps(listing.records()))[0]["name"] == "gather"


def test_two_lanes_sum_what_they_do_not_share():
    model = Sequential([Input((256,)), Dense(128, "relu"), Dense(3)])  # 256·128 elements are wide
    model.compile(SGD(0.1), "mse")
    sums = [[r.shape for r in model.schedule(batch_size=64, lanes=n) if r.name == "reduce"] for n in (1, 2)]
    assert sums[0] == []
    assert sum(size for (size,) in sums[1]) == model.vector.size - 256 * 128


def test_every_kind_of_program():
    model = tutorial()
    training, evaluation, inference = (model.program(kind) for kind in ("training", "evaluation", "inference"))
    assert {r.section for r in training} == {"forward", "backward", "update"}
    assert {r.section for r in evaluation} == {r.section for r in inference} == {"forward"}
    assert [r.name for r in inference] == ["gather", "affine", "sigmoid", "store"]
    bare = Sequential([Input((5,)), Dense(1)])
    assert [r.name for r in bare.program("inference")] == ["gather", "affine", "store"]  # needs no compile


def test_a_profile_times_every_instruction_and_changes_nothing():
    model = Sequential([Input((20,)), Dense(30, "tanh"), Dropout(0.2), Dense(5)], seed=1)
    model.compile(Adam(), "mse")
    model.fit(np.ones((9, 20)), np.ones((9, 5)), verbose=0)
    weights, slots, steps = model.vector.copy(), model.slots.copy(), model.optimizer.iterations
    listing = model.profile(batch_size=16, repeats=3)
    assert all(row.seconds is not None and row.seconds > 0 for row in listing)
    assert sum(row.share for row in listing) == pytest.approx(1)
    assert "µs" in str(listing)
    assert [row.seconds for row in model.schedule(batch_size=16)] == [row.seconds for row in listing]
    assert model.schedule(batch_size=17)[0].seconds is None
    assert np.array_equal(model.vector, weights)
    assert np.array_equal(model.slots, slots)
    assert model.optimizer.iterations == steps


@pytest.mark.parametrize("options", [{}, {"engine": "reference", "dtype": "float64"}])
def test_a_trace_shows_the_values_of_one_step_and_changes_nothing(options):
    x, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30.0)
    model = Sequential([Input((4,)), Dense(6, "tanh"), Dense(1)], seed=1, **options)
    model.compile(Adam(), "mse")
    model.fit(x, y, verbose=0)
    weights, slots, steps = model.vector.copy(), model.slots.copy(), model.optimizer.iterations
    values = model.trace(x, y)
    W1, b1, W2, b2 = (w.astype(np.float64) for w in model.get_weights())
    h1 = x @ W1 + b1
    np.testing.assert_allclose(values["a1"], np.tanh(h1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values["y_pred"], np.tanh(h1) @ W2 + b2, rtol=1e-4, atol=1e-5)
    error = 2 * (np.tanh(h1) @ W2 + b2 - y[:, None]) / 30
    np.testing.assert_allclose(values["dW2"], np.tanh(h1).T @ error, rtol=1e-4, atol=1e-4)
    assert np.array_equal(model.vector, weights)
    assert np.array_equal(model.slots, slots)
    assert model.optimizer.iterations == steps
    model.train_on_batch(x, y)
    assert np.array_equal(values["w"], model.vector)  # the step that was shown is the step that is done


def test_the_summary_counts_as_keras_does():
    model = Sequential([Input((28, 28)), Flatten(), Dense(128, "relu"), Dense(10)], name="digits")
    lines = []
    model.summary(print_fn=lambda text: lines.extend(text.splitlines()))
    text = "\n".join(lines)
    assert 'Model: "digits"' in text
    assert "Total params: 101,770 (397.54 KB)" in text
    for name, shape, count in (
        ("flatten (Flatten)", "(None, 784)", "0"),
        ("dense (Dense)", "(None, 128)", "100,480"),
        ("dense_1 (Dense)", "(None, 10)", "1,290"),
    ):
        line = next(line for line in lines if name in line)
        assert shape in line
        assert line.endswith(count)


def test_the_summary_tells_frozen_weights():
    model = Sequential([Input((4,)), Dense(8), Dense(1)])
    model.layers[0].trainable = False
    lines = []
    model.summary(print_fn=lines.append)
    assert lines[0].endswith("Total params: 49 (0.19 KB)\nTrainable params: 9\nNon-trainable params: 40")


def test_the_summary_is_printed(capsys):
    tutorial().summary()
    assert "Total params: 5 " in capsys.readouterr().out


def test_columns_align_whatever_the_signs():
    assert width("dW = xᵀ·dh") == 10
    assert width("層") == 2
    assert width("é") == 1
    lines = table([["#", "name", "層"], ["10", "é", "x"]], right=(0, 4)).splitlines()
    assert lines == [" #  name  層", "10  é     x"]


# --- on narrow terminals ---------------------------------------------------------------------------------------------


def convolutional():
    model = Sequential(
        [Input((28, 28, 1)), Conv2D(8, 3, activation="relu"), BatchNormalization(), Flatten(), Dense(10, "softmax")]
    )
    model.compile(Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def terminal(monkeypatch):
    def of(room):
        for module in (listings, results, inspection):
            monkeypatch.setattr(module, "columns", lambda: room)

    return of


@pytest.mark.parametrize(
    ("room", "profiled"), [(60, False), *((room, timed) for room in (80, 100, 120, 200) for timed in (False, True))]
)
def test_a_listing_fits_a_terminal_and_loses_nothing_but_names(terminal, room, profiled):
    model = convolutional()
    if profiled:
        model.profile(batch_size=16, repeats=1)
    listing = model.program(batch_size=16)
    whole = str(listing)
    assert whole == str(listing)
    terminal(room)
    text = str(listing)
    assert max(map(width, text.splitlines())) <= room
    numbers = re.findall(r"\d[\d,]{3,}", whole)
    assert re.findall(r"\d[\d,]{3,}", text) == numbers  # none is broken
    for row in listing:
        assert "".join(row.formula.split()) in "".join(text.split())
    terminal(None)
    assert str(listing) == whole  # where the output isn't a terminal it depends on nothing


def recurrent():
    model = Sequential([Input((5, 3)), LSTM(4), Dense(1)], seed=0)
    model.compile(SGD(0.1), "mse")
    return model


def test_a_scan_has_its_body_below_it():
    listing = recurrent().program("inference", batch_size=8)
    (scan,) = (row for row in listing if row.name == "scan")
    assert scan.heading == "z′10[end] = 5 steps; at first s = z, s′ = z′; then s = z′10, s′ = z′9"
    assert [(part.depth, part.name, part.formula, part.shape) for part in scan.inner][:3] == [
        (1, "affine", "h′ = s·recurrent_kernel1", (8, 16)),
        (1, "add", "z′2 = h[t] + h′", (8, 16)),
        (1, "slice", "z′3 = z′2[0:4]", (8, 4)),
    ]
    assert all(part.formula in scan.formula for part in scan.inner)  # in one line where there is but one
    lines = str(listing).splitlines()
    assert len(lines) == 1 + 1 + len(listing) + len(scan.inner) + 1
    row = next(n for n, line in enumerate(lines) if line.split()[:2] == ["5", "scan"])
    for line, part in zip(lines[row + 1 :], scan.inner, strict=False):
        assert re.fullmatch(rf"     {part.name} +\(8, \d+\) +{re.escape(part.formula)}", line)
    assert json.loads(json.dumps(listing.records()))[4]["inner"][0]["name"] == "affine"
    assert "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}affine" in listing._repr_html_()


def test_what_a_body_runs_itself_is_indented_once_more():
    rows = [row for row in recurrent().schedule(batch_size=8) if row.name == "scan"]
    inner = [(part.depth, part.name) for row in rows for part in row.inner]
    at = inner.index((1, "columns"))
    assert inner[at + 1][0] == 2


@pytest.mark.parametrize("room", [60, 80, 120])
@pytest.mark.parametrize("what", ["program", "schedule"])
def test_bodies_fit_a_terminal(terminal, room, what):
    listing = getattr(recurrent(), what)(batch_size=8)
    terminal(room)
    text = str(listing)
    assert max(map(width, text.splitlines())) <= room
    for part in (part for row in listing for part in row.inner):
        assert "".join(part.formula.split()) in "".join(text.split())


def test_formulas_stand_behind_the_numbers_or_below(terminal):
    listing = tutorial().schedule(batch_size=1)
    terminal(80)
    lines = str(listing).splitlines()[len(listing.numbers) :]
    place = lines[0].index("formula")
    row = next(n for n, line in enumerate(lines) if line.startswith("4"))
    assert lines[row][place:].startswith("y_pred = σ(h)")
    assert lines[row + 1].startswith(" " * place)
    assert lines[row + 1].strip()
    terminal(60)
    lines = str(listing).splitlines()[len(listing.numbers) :]
    assert lines[1].strip() == "formula"
    row = next(n for n, line in enumerate(lines) if line.startswith("3"))
    assert lines[row + 1] == "    h = x·W"


def test_a_summary_fits_a_terminal(terminal, capsys):
    model = Sequential([Input((4,)), Dense(1_000_000, name="a" * 90), Dense(1)])
    model.build()
    terminal(60)
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(width, lines)) == 60
    assert any("…" in line and line.endswith("5,000,000") for line in lines)
    printed = []
    model.summary(print_fn=printed.append)
    assert f"{'a' * 90} (Dense)" in printed[0]  # not for the terminal


def test_a_comparison_fits_a_terminal(terminal):
    x = np.random.default_rng(0).normal(size=(60, 2))
    found = comparison.compare(
        "activation", x, (x[:, 0] > 0).astype(int), entries={"a" * 50: "relu"}, seeds=2, epochs=1, layers=(4,)
    )
    terminal(80)
    assert max(map(width, str(found).splitlines())) == 80
    assert "…" in str(found)


@pytest.mark.parametrize("room", [30, 40, 60, 80, 100, 200])
def test_a_grid_breaks_no_number(room):
    keys = ["loss", "accuracy", "precision", "recall", "val_loss", "val_accuracy", "val_precision", "val_recall"]
    rows = [[str(epoch), *(f"{epoch / 7 + place:.4f}" for place in range(len(keys)))] for epoch in range(1, 4)]
    file = io.StringIO()
    Console(file=file, width=room).print(Grid("history", ["epoch", *keys], rows))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= room
    words = file.getvalue().split()
    for name in [*keys, *(cell for row in rows for cell in row[1:])]:
        assert name in words
    blocks = words.count("epoch")
    assert [words.count(str(epoch)) for epoch in (1, 2, 3)] == [blocks] * 3
    assert blocks == 1 or room < 100


def test_a_grid_folds_texts_and_not_numbers():
    file = io.StringIO()
    text, number = "3 categories: Biscoe, Dream, Torgersen and some more", "123,456,789,012,345,678"
    Console(file=file, width=52).print(Grid("columns", ["column", "understood as", "sum"], [["island", text, number]]))
    assert max(map(len, file.getvalue().splitlines())) <= 52
    assert {*text.split(), number} <= set(file.getvalue().split())


EXCHANGED = ("parts of", "rows of d")  # what lanes tell each other, which the native engine can't do without


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_traced_is_the_program(name):
    """Nothing is fused or done by another method where values are to be seen."""
    model = nets.network(name)
    model.build()
    seen, shown = (
        [i for i in program.computed() if not any(word in i.formula for word in EXCHANGED)]
        for program, _ in (
            model._compiled.lower(Request(visible=True)),
            model._compiled._lower(Request(visible=True), None, PLAIN),
        )
    )
    formulas = {i.formula for i in shown}
    assert [i.formula for i in seen if i.formula not in formulas] == []


def summary_of(model, **arguments):
    lines = []
    model.summary(print_fn=lines.append, **arguments)
    return lines[0].splitlines()


def in_a_model():
    inner = Sequential([Input((4,)), Dense(3), Dense(2)], name="inner")
    inner.trainable = False
    x = Input((4,))
    return Model(x, Dense(1, name="outer")(Flatten()(inner(x))))


def test_the_summary_lists_models_inside():
    shown = [line.split("  ")[0] for line in summary_of(in_a_model()) if "(None" in line]
    assert shown == ["input (Input)", "inner (Sequential)", "flatten (Flatten)", "outer (Dense)"]
    lines = summary_of(in_a_model(), expand_nested=True)
    shown = [line.strip().split("  ")[0] for line in lines if "(None" in line]
    assert shown[1:4] == ["inner (Sequential)", "└ dense (Dense)", "└ dense_1 (Dense)"]
    assert lines[-3:] == summary_of(in_a_model())[-3:]  # nothing is counted twice


def test_the_summary_tells_which_layers_train():
    lines = summary_of(in_a_model(), show_trainable=True)
    assert "Trainable" in lines[2]
    assert [line[-1] for line in lines if "(None" in line] == ["-", "N", "-", "Y"]


def test_the_summary_keeps_to_its_lines_and_columns():
    model = Sequential([Input((4,)), Dense(3, name="a_long_name_for_a_layer"), Dense(1)])
    lines = summary_of(model, line_length=50)
    assert {len(line) for line in lines if line.startswith("─")} == {50}
    assert max(map(len, lines)) == 50
    assert lines[4].startswith("a_long_name_for_a_l…  (None, 3)")
    shares, places = (
        summary_of(model, line_length=50, positions=[0.4, 0.7, 1.0]),
        summary_of(model, positions=[20, 35, 50]),
    )
    assert shares == places != lines
    assert lines[2].index("Output") == 22
    assert shares[2].index("Output") == 20
    with pytest.raises(ArgumentError, match=r"needs 4 places.*\[4, 4, 2\]"):
        summary_of(model, line_length=10)
    with pytest.raises(ArgumentError, match="a position for each of its 3 columns"):
        summary_of(model, positions=[0.5, 1.0])


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["dense_1", "dense_1"], ["dense_1"]),
        (["a", "dense_1"], ["a", "b", "dense_1"]),
        (["d", "b"], ["b", "dense_1"]),  # in the other order
        (["a|b", "b"], ["a", "b"]),
    ],
)
def test_the_summary_shows_a_range_of_layers(given, names):
    model = Sequential(
        [Input((4,)), Dense(3, name="a"), Dense(3, name="b"), Dense(1, name="dense_1"), Dense(1, name="e")]
    )
    lines = summary_of(model, layer_range=given)
    assert [line.split()[0] for line in lines if "(None" in line] == names
    assert lines[-1].startswith("Total params: 33 ")


@pytest.mark.parametrize("given", [["a"], ["a", 1], ["a", "c"], ["(", "a"]])
def test_a_range_without_layers_is_told(given):
    with pytest.raises(ArgumentError, match="layer_range"):
        summary_of(Sequential([Input((4,)), Dense(3, name="a")]), layer_range=given)
