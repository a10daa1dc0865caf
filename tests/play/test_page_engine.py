"""The page's engine in WebAssembly beside the readable one: each layer, activation, loss and optimizer of the menus."""

import json
import shutil
import subprocess
import warnings
import zlib
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from thalweg import layers, metrics, optimizers
from thalweg.engine import make_executor
from thalweg.engine.native.compiler.fingerprint import fingerprint
from thalweg.engine.native.compiler.kernel import symbol_of
from thalweg.errors import MissingPackageError
from thalweg.models.bursts import Bursts, evaluation
from thalweg.models.functional import Functional
from thalweg.play.choices import choices
from thalweg.play.exports_as_json import CELLS
from thalweg.play.webassembly import kernel_catalogue, module
from thalweg.play.webassembly.kernel_catalogue import Catalogue
from thalweg.play.webassembly.module import webassembly
from thalweg.program.formula.language import FUNCTIONS, evaluate
from thalweg.program.formula.parsing import formula
from thalweg.regularizers import L1L2
from thalweg.support import extras

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="needs node"),
    pytest.mark.skipif(find_spec("ziglang") is None, reason="needs ziglang"),
]
ROWS, BATCH, STEPS = 50, 16, 20  # four batches in an epoch, the last of 2 rows
MENUS = choices()
HIDDEN = {"kind": "dense", "units": 7, "activation": "tanh"}
IMAGE = [8, 7, 2]
CONV = {"kind": "conv2d", "filters": 5, "kernel_size": 3, "padding": "same", "activation": "relu"}

STEPS_OF_TEXT, WORDS = 6, 9
EMBEDDED = {"kind": "embedding", "entries": WORDS, "units": 4}
AVERAGE = {"kind": "average"}
LOOKS = {"kind": "attention", "heads": 2, "units": 3}

FORMULAS = [
    ("x*sigmoid(1.5*x)", "max(x, 0)**2/(1 + abs(x))"),
    ("sin(x) if x < 1 and -2 <= x else tanh(x/2)", "where(x > 0, log1p(x), 1 - sqrt(1 - x))"),
    ("erf(x)*pi", "x**3/(1 + x**2) - 2**-x*0.1"),
    ("min(x, 1, relu(x) + .1*x)", "softplus(x) + sinh(x/4) + expm1(-abs(x))"),
    ("arctan(square(x)) - cos(x)/cosh(x)", "x if not (x > 1 or x < -1) else sign(x)*sqrt(abs(x)) + 1e-1*tan(x/4)"),
]
LOSS_FORMULAS = [
    "(y_true - y_pred)**4", "log(1 + exp(y_pred)) - y_true*y_pred", "abs(y_pred - y_true)**1.5",
    "log(1 + (y_pred - y_true)**2)", "exp(y_pred/4) - y_true*y_pred/e",
]  # fmt: skip


def network(*hidden, inputs=(4,), units=3, activation="softmax", loss="sparse_categorical_crossentropy", **more):
    """What JavaScript is told of a network; units 0: without an output layer."""
    ending = [{"kind": "dense", "units": units, "activation": activation}] if units else []
    usual = {"metric": "accuracy", "optimizer": {"name": "adam"}, "l1": 0, "l2": 0, "seed": 3, "shuffle": True}
    given = {"input": list(inputs), "layers": [*hidden, *ending], "loss": loss, "batch": BATCH}
    return given | usual | more


def text(*hidden, **more):
    """A network that reads."""
    return network(EMBEDDED, *hidden, inputs=(STEPS_OF_TEXT,), **more)


def recurrent(cell, units=5, sequences=False):
    return {"kind": "recurrent", "cell": cell, "units": units, "sequences": sequences}


def of_loss(name):
    """Networks of several outputs and of one with this loss, and the endings that it may include."""
    several = "softmax" if "categorical" in name else "sigmoid"
    yield f"{name}, many", network(HIDDEN, loss=name, activation=several)
    if "sparse" not in name and "generalized" not in name:
        sgd = {"name": "sgd"}  # others divide a gradient that is 0 but for rounding, as that of a cosine, by its size
        yield f"{name}, one", network(HIDDEN, loss=name, units=1, activation="sigmoid", metric="mae", optimizer=sgd)
    if name == "binary_crossentropy" or "squared_error" in name:
        yield f"{name}, linear", network(HIDDEN, loss=name, units=1, activation="linear", metric="margin")


def of_optimizer(name, arguments):
    """An optimizer as the menu has it, and with each of the arguments that change its equation."""
    images = network({**CONV, "filters": 2}, {"kind": "flatten"}, inputs=(5, 5, 1), optimizer={"name": name})
    yield name, images
    for key, value in {"weight_decay": 0.0, **arguments}.items():
        if not value and value is not None:
            changed = {"momentum": 0.5, "warmup_steps": 7}.get(key, 0.03 if value is not False else True)
            more = {"momentum": 0.5} if key == "nesterov" else {}
            yield f"{name}, {key}", network(HIDDEN, optimizer={"name": name, **more, key: changed})


def every():
    """Each network by a name."""
    names = [a["name"] for a in MENUS["activations"]]
    for n in range(0, len(names), 3):  # the fourth of a chain is that of the next
        chain = [{**HIDDEN, "activation": name} for name in names[n : n + 3]]
        yield " ".join(names[n : n + 3]), network(*chain)
    for name in MENUS["losses"]:
        yield from of_loss(name)
    for name, arguments in MENUS["optimizers"].items():
        yield from of_optimizer(name, arguments)
    valid = {**CONV, "padding": "valid", "kernel_size": 4, "activation": "gelu"}
    pool, flat, norm = {"kind": "max_pool", "pool_size": 2}, {"kind": "flatten"}, {"kind": "batch_norm"}
    drop = {"kind": "dropout", "rate": 0.3}
    softly, plain = {**CONV, "activation": "softmax"}, {**HIDDEN, "use_bias": False}
    yield "convolutions", network(CONV, valid, pool, flat, HIDDEN, inputs=IMAGE, l2=0.01)
    yield "pooling first", network(pool, {**CONV, "use_bias": False}, softly, flat, inputs=IMAGE)
    yield "normalised", network(norm, HIDDEN, norm, {**HIDDEN, "activation": "relu"}, norm, l1=0.002)
    yield "normalised images", network(norm, CONV, pool, norm, flat, drop, HIDDEN, inputs=IMAGE)
    yield "dropped", network(drop, {**HIDDEN, "activation": "relu"}, drop, plain, {"kind": "dropout", "rate": 0}, drop)
    yield "dropped, one batch", network(HIDDEN, drop, batch=ROWS)
    yield "maps", network(CONV, {**CONV, "filters": 1}, inputs=IMAGE, units=0, loss="mean_squared_error", metric="mae")
    for n, (one, other) in enumerate(FORMULAS):
        chain = [{**HIDDEN, "activation": one}, {**HIDDEN, "activation": other}]
        yield f"formulas {n}", network(*chain, units=2, activation="linear", metric="mae", loss=LOSS_FORMULAS[n])
    for optimizer in ("adam", "adamw", "lamb", "muon", "adafactor", "sgd"):
        yield f"table by {optimizer}", text(AVERAGE, optimizer={"name": optimizer}, batch=4)
    for cell in CELLS:
        reads, goes_on = recurrent(cell), recurrent(cell, sequences=True)
        yield cell, text(reads, optimizer={"name": "sgd"})
        yield f"{cell}, twice", text(goes_on, recurrent(cell, units=3), l2=0.01)
        yield f"{cell}, mean", text(goes_on, AVERAGE, HIDDEN)
    yield "attention", text(LOOKS, AVERAGE, optimizer={"name": "sgd"})
    looks = [LOOKS, {**LOOKS, "heads": 1}]  # a key's bias has no gradient but for rounding, which Adam would enlarge
    yield "attention, twice", text(*looks, recurrent("gru"), l1=0.001, l2=0.01, optimizer={"name": "sgd"})
    yield "attention, flat", text(LOOKS, {"kind": "flatten"}, HIDDEN, optimizer={"name": "sgd", "momentum": 0.5})
    changed = {"nesterov": False, "ns_steps": 3, "rms_rate": 0.1, "adam_lr_ratio": 2, "weight_decay": None}
    yield "muon, others", network({**HIDDEN, "units": 3}, HIDDEN, optimizer={"name": "muon", **changed})
    yield "adamw without decay", network(optimizer={"name": "adamw", "weight_decay": 0.0, "clipnorm": None})
    yield "alone", network(units=1, activation="linear", loss="halved_squared_error", metric="mae")
    yield "all rows in order", network(HIDDEN, batch=ROWS, shuffle=False, metric=None)
    yield "wide", network({**HIDDEN, "units": 300}, {**HIDDEN, "units": 70}, inputs=(33,), optimizer={"name": "sgd"})


def layer_of(given, spec):
    """thalweg's layer."""
    more = {k: v for k, v in given.items() if k not in ("kind", "units", "filters", "rate", "pool_size", "kernel_size")}
    penalised = {"kernel_regularizer": L1L2(spec["l1"], spec["l2"])} if spec["l1"] or spec["l2"] else {}
    if "activation" in given:
        more |= penalised
    match given["kind"]:
        case "dense":
            return layers.Dense(given["units"], **more)
        case "conv2d":
            return layers.Conv2D(given["filters"], given["kernel_size"], **more)
        case "max_pool":
            return layers.MaxPooling2D(given["pool_size"])
        case "flatten":
            return layers.Flatten()
        case "dropout":
            return layers.Dropout(given["rate"])
        case "embedding":
            return layers.Embedding(given["entries"], given["units"])
        case "recurrent":
            return CELLS[given["cell"]](given["units"], return_sequences=given["sequences"], **penalised)
        case "attention":
            return layers.MultiHeadAttention(given["heads"], given["units"], **penalised)
        case "average":
            return layers.GlobalAveragePooling1D()
    return layers.BatchNormalization()


def joined(shape, parts, seed):
    """The model of these layers, one on the output of the other; attention looks at what it is on itself."""
    x = h = layers.Input(shape)
    for layer in parts:
        h = layer(h, h) if isinstance(layer, layers.MultiHeadAttention) else layer(h)
    return Functional(x, h, seed=seed)


def model_of(spec):
    """The same network in Python, by the readable engine."""
    name, arguments = spec["optimizer"]["name"], {k: v for k, v in spec["optimizer"].items() if k != "name"}
    made = [layer_of(given, spec) for given in spec["layers"]]
    model = joined(tuple(spec["input"]), made, spec["seed"])
    model.engine = "reference"
    metric = metrics.BinaryAccuracy(0.0) if spec["metric"] == "margin" else spec["metric"]
    model.build()
    optimizer = optimizers.NAMES[name](learning_rate=0.02, **arguments)
    model.compile(optimizer, kernel_catalogue.loss_of(spec["loss"]), metrics=[metric] if metric else [])
    return model


def rows_of(spec, model, rows=ROWS):
    """x and y that fit the loss."""
    draw = np.random.default_rng(5)
    x = draw.normal(size=(rows, *spec["input"])).astype(np.float32)
    if spec["layers"][0]["kind"] == "embedding":
        x = draw.integers(0, WORDS, x.shape).astype(np.float32)
    output = model.layers[-1].output_shape
    if kernel_catalogue.loss_of(spec["loss"]).target_shape(output) == (1,) != output:
        return x, draw.integers(0, output[-1], (rows, 1)).astype(np.float32)
    if len(output) == 1 and output[0] > 1:
        return x, np.eye(output[0], dtype=np.float32)[draw.integers(0, output[0], rows)]
    return x, draw.integers(0, 2, (rows, *output)).astype(np.float32)


def case(spec, x, y, weights, steps=STEPS, rate=0.02, traced=False):
    flat = [np.asarray(a, np.float64).ravel().tolist() for a in (x, y, *weights)]
    return {"spec": spec, "x": flat[0], "y": flat[1], "weights": flat[2:], "rows": len(x), "steps": steps,
            "rate": rate, "traced": traced}  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """What the page's engine finds for cases."""
    folder = tmp_path_factory.mktemp("engine")
    catalogue = Catalogue()
    (folder / "thalweg.wasm").write_bytes(webassembly(catalogue))

    def run(cases, formulas=()):
        given = {"catalogue": catalogue.to_json(), "cases": cases, "formulas": formulas}
        (folder / "cases.json").write_text(json.dumps(given))
        command = [NODE, str(Path(__file__).with_name("page_engine.mjs")), "cases.json", "thalweg.wasm"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def pairs(engine):
    """Each network by its name: the model, its rows, and what the page's engine found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of endings that don't fit their loss
        made = {name: (spec, model_of(spec)) for name, spec in every()}
    rows = {name: rows_of(spec, model) for name, (spec, model) in made.items()}
    cases = [case(spec, *rows[name], model.get_weights(), traced=True) for name, (spec, model) in made.items()]
    result = engine(cases)
    assert result["imports"] == 0
    assert result["instances"] <= 2  # one network after the other, each beside its trace
    return {name: (*made[name], *rows[name], found) for name, found in zip(made, result["found"], strict=True)}


def near(found, wanted, what):
    wanted = np.asarray(wanted, np.float64).ravel()
    found = np.asarray(found, np.float64)
    assert found.shape == wanted.shape, what
    assert np.abs(found - wanted).max(initial=0) <= 1e-5 * max(1, np.abs(wanted).max(initial=0)), what


@pytest.mark.parametrize("name", [name for name, _ in every()])
def test_it_trains_as_the_readable_engine(name, pairs):
    spec, model, x, y, found = pairs[name]
    assert "error" not in found, found
    bursts = Bursts(model, x, y, spec["batch"], shuffle=spec["shuffle"])
    bursts.job.by_step = True
    outcome = bursts.executor.run(bursts.chunk(STEPS))
    rows = [min(spec["batch"], ROWS - n * spec["batch"]) for n in range(bursts.steps_per_epoch)]
    losses = outcome.losses.sum(axis=1) / np.resize(rows, STEPS)
    near(found["losses"], losses, "losses")
    logs = [model._compiled.logs(sums) for sums in outcome.records]
    for key, score in (("loss", "loss"), *((k, "metric") for k in model.metrics_names[1:])):
        near([record[score] for record in found["records"]], [log[key] for log in logs], f"{key} of epochs")
        near([found["scores"][score]], [evaluation(model, x, y)()[key]], f"{key} now")
    for mine, theirs in zip(model.get_weights(), found["weights"], strict=True):
        near(theirs, mine, "weights")
    near(found["predicted"], model.predict(x, verbose=0), "predictions")
    seen = Functional(model.inputs, [layer.output for layer in model.layers[-len(spec["layers"]) :]]).predict(
        x, verbose=0
    )
    for mine, theirs in zip(seen if isinstance(seen, list) else [seen], found["outputs"], strict=True):
        near(theirs, mine, "outputs")
    assert found["clean"], "memory beside a stretch was written to"
    assert (found["iteration"], found["epochs"]) == (STEPS, len(logs))


def test_what_a_step_computes_is_that_of_the_readable_engine(pairs):
    """h and ∂L/∂h of every layer with weights, with the weights after the training: ∂L/∂b is the latter's sum."""
    _, model, x, y, found = pairs["convolutions"]
    assert [len(step["h"]) for step in found["trace"]] == [ROWS * n for n in (3, 7, 5 * 4 * 5, 8 * 7 * 5)]
    model.set_weights([np.reshape(a, w.shape) for a, w in zip(found["weights"], model.get_weights(), strict=True)])
    compiled = model._compiled
    compiled.prepare_slots()  # another worker may have the test that trains it
    job = compiled.job("training", compiled.data(x, y), ROWS, visible=True)
    executed = make_executor(compiled.engine, job).trace(compiled.next_step())
    seen = {b.name: memory[b].copy() for i, memory in executed for b in i.outputs if b.per_row}
    for number, step in zip((4, 3, 2, 1), found["trace"], strict=True):
        near(step["h"], seen[f"h{number}"], f"h{number}")
        near(step["dh"], seen[f"dh{number}"], f"dh{number}")


def test_a_formula_and_its_derivative_are_written_as_python_reads_them(engine, monkeypatch):
    monkeypatch.setitem(FUNCTIONS, "tan", SimpleNamespace(value=lambda xp, x: xp.tan(x)))  # which Python rewrites
    texts = [text for pair in FORMULAS for text in pair]
    h = np.linspace(-3, 3, 50)
    for text, (value, slope) in zip(texts, engine([], texts)["texts"], strict=True):
        equation = formula(text, ("x",)).equation
        with np.errstate(all="ignore"):
            wanted = evaluate(equation.value, {"h": h}, np)
            near(evaluate(value, {"h": h}, np), wanted, text)
            given = {"h": h, "a": wanted}
            near(evaluate(slope, given, np) * np.ones(50), evaluate(equation.slope, given, np) * np.ones(50), text)


def test_gradients_are_what_a_step_goes_down(engine):
    spec = network(CONV, {"kind": "batch_norm"}, {"kind": "flatten"}, inputs=IMAGE, optimizer={"name": "sgd"}, l2=0.1)
    model = model_of(spec)
    before = model.get_weights()
    (found,) = engine([case(spec, *rows_of(spec, model), before, steps=1, rate=0.5)])["found"]
    trained = [0, 1, 2, 3, 6, 7]  # all but the moving averages
    for n, gradient in zip(trained, found["gradients"], strict=True):
        near(gradient, (before[n].ravel() - found["weights"][n]) / 0.5, f"gradient {n}")
        assert np.any(gradient)


@pytest.mark.parametrize("layer", [AVERAGE, LOOKS, *map(recurrent, CELLS)], ids=["average", "attention", *CELLS])
def test_gradients_of_what_reads_are_numeric_ones(engine, layer):
    """∂L/∂w = (L(w + ε) − L(w − ε))/2ε for every 5th weight."""
    after = [{"kind": "flatten"}] if layer is LOOKS else []
    spec = text(layer, *after, batch=ROWS, optimizer={"name": "sgd"}, shuffle=False)
    model = model_of(spec)
    (x, y), weights = rows_of(spec, model), [w.ravel() for w in model.get_weights()]
    whole, step = np.concatenate(weights), 0.02
    chosen = range(0, len(whole), 5)
    cut = np.cumsum([len(w) for w in weights])[:-1]
    moved = [np.split(whole + sign * step * (np.arange(len(whole)) == n), cut) for n in chosen for sign in (1, -1)]
    found = engine([case(spec, x, y, w, steps=1, rate=0) for w in [weights, *moved]])["found"]
    losses = np.array([f["losses"][0] for f in found[1:]]).reshape(-1, 2)
    gradient = np.concatenate(found[0]["gradients"])[::5]
    assert np.abs(gradient).max() > 0.01
    np.testing.assert_allclose(gradient, (losses[:, 0] - losses[:, 1]) / (2 * step), atol=2e-4)


def test_a_network_that_doesnt_fit_into_memory_is_refused(engine):
    """WebAssembly addresses 4 GiB."""
    spec = network({**HIDDEN, "units": 1 << 15}, {**HIDDEN, "units": 1 << 15})
    (found,) = engine([case(spec, np.zeros((2, 4)), np.zeros((2, 1)), [])])["found"]
    assert found["message"] == "this network and its rows take more memory than the browser gives"


@pytest.mark.parametrize("make", [network, partial(text, LOOKS, recurrent("lstm"))])
def test_a_batch_in_blocks_is_one_batch(make, engine):
    """300 rows of a wide layer are four blocks: sums go on, and so do the numbers that dropout draws."""
    wide = {**HIDDEN, "units": 1000}
    spec = make(wide, {"kind": "dropout", "rate": 0.5}, batch=300, optimizer={"name": "sgd"})
    model = model_of(spec)
    x, y = rows_of(spec, model, 300)
    (found,) = engine([case(spec, x, y, model.get_weights(), steps=2)])["found"]
    model.fit(x, y, batch_size=300, epochs=2, shuffle=True, verbose=0)
    for mine, theirs in zip(model.get_weights(), found["weights"], strict=True):
        near(theirs, mine, "weights")
    near(found["predicted"], model.predict(x, verbose=0), "predictions")
    near([found["scores"]["loss"]], [evaluation(model, x, y)()["loss"]], "loss")
    assert 64 <= found["blocks"][0] <= 80 < found["blocks"][1] < 300  # of training and of evaluation, which keeps less


def test_a_training_that_diverges_keeps_the_last_finite_weights(engine):
    spec = network(
        HIDDEN, loss="mean_squared_error", activation="linear", units=1, metric=None, optimizer={"name": "sgd"}
    )
    model = model_of(spec)
    x, y = rows_of(spec, model)
    (found,) = engine([case(spec, x, y, model.get_weights(), rate=1e5)])["found"]
    assert not found["finite"]
    assert 0 < found["done"] < STEPS
    assert len(found["losses"]) == found["done"] == found["iteration"]
    again = engine([case(spec, x, y, model.get_weights(), steps=found["done"], rate=1e5)])["found"][0]
    assert again["finite"]
    assert again["weights"] == found["weights"]
    assert np.isfinite(np.concatenate(found["weights"])).all()


WRONG = {
    "an unknown optimizer": (network(HIDDEN, optimizer={"name": "madam"}), "the page's engine has no optimizer madam"),
    "clipping": (
        network(optimizer={"name": "sgd", "clipnorm": 1.0}),
        "the page's engine has no argument clipnorm of the optimizer sgd",
    ),
    "a power": (
        network(optimizer={"name": "ftrl", "learning_rate_power": -0.4}),
        "in the page's engine, learning_rate_power of the optimizer ftrl is -0.5",
    ),
    "an unknown activation": (network({**HIDDEN, "activation": "glu"}), "the page's engine has no activation glu"),
    "an unknown loss": (network(loss="center_loss"), "the page's engine has no loss center_loss"),
    **{
        f"the formula {text}": (network({**HIDDEN, "activation": text}), message)
        for text, message in {
            "x +": "the formula ends too early",
            "(x))": "the formula can't be read from ) on",
            "x ^ 2": "a formula can't contain the character '^'",
            "x + y": "unknown name 'y' in the formula. It knows: x, pi, e",
            "gelu(x)": "unknown function gelu in the formula",
            "exp(x, 1)": "exp takes 1 argument, got 2",
            "where(x, 1, x)": "a condition is a comparison such as x > 0",
            "(x > 0) * x": "a comparison can only be the condition of where(…, …, …) or of … if … else …",
            "2 * pi": "the formula doesn't depend on x",
            "sign(x) + 1": "the derivative with respect to x is 0 everywhere: nothing can be learned",
            "x" + "+x" * 300: "a formula has at most 500 characters, this one has 601",
            "**".join(["(x+2)"] * 40): "the derivative with respect to x exceeds 2000 operations",
            "log(-x**2 - 1)": "the formula's value is not a finite number anywhere between -3 and 3",
        }.items()
    },
    "images of numbers": (network(CONV), "conv2d takes images: put it before flatten and dense layers"),
    "a large window": (
        network({"kind": "max_pool", "pool_size": 9}, inputs=IMAGE),
        "a window of 9 × 9 is larger than its image, 8 × 7",
    ),
    "classes of maps": (
        network(CONV, inputs=IMAGE, units=0),
        "classes take a dense layer at the end: put flatten and dense after the last layer",
    ),
}


def test_what_it_has_no_kernels_for_is_refused(engine):
    data = np.zeros((2, 4)), np.zeros((2, 1)), []
    found = engine([case(spec, *data) for spec, _ in WRONG.values()])["found"]
    wanted = [{"error": "UnsupportedError", "message": message} for _, message in WRONG.values()]
    assert found == wanted
    catalogue = Catalogue()
    assert MENUS["optimizers"].keys() == catalogue.optimizers.keys()
    assert {a["name"] for a in MENUS["activations"]} == catalogue.activations.keys()
    assert set(MENUS["losses"]) == catalogue.losses.keys()


def test_wrong_rows_and_weights_raise(engine):
    spec = network(HIDDEN)
    weights = model_of(spec).get_weights()
    x, y = np.zeros((2, 4)), np.zeros((2, 1))
    wrong = {
        "a class is a whole number from 0 to 2, got 3": case(spec, x, y + 3, weights),
        "a class is a whole number from 0 to 2, got 0.5": case(spec, x, y + 0.5, weights),
        "x has 7 numbers, not 2 × 4": case(spec, x, y, weights) | {"x": [0] * 7},
        "y has 1 numbers, not 2 × 1": case(spec, x, y[:1], weights),
        "there are 4 arrays of weights, got 3": case(spec, x, y, weights[:3]),
        "W has 28 numbers, got 27": case(spec, x, y, [weights[0].ravel()[:27], *weights[1:]]),
    }
    result = engine([*wrong.values(), case(spec, x, y, weights)])
    assert [f["message"] for f in result["found"][:-1]] == list(wrong)
    assert "error" not in result["found"][-1]
    assert result["instances"] == 1  # that of each which failed was taken again


def test_a_row_with_wrong_sizes_is_noticed_when_it_is_linked(engine, monkeypatch):
    spec = network(HIDDEN)
    model = model_of(spec)
    real = Catalogue.to_json

    def wrong(catalogue):
        found = real(catalogue)
        found["activations"]["tanh"]["forward"]["extents"]["a"] = 1
        return found

    monkeypatch.setattr(Catalogue, "to_json", wrong)
    (found,) = engine([case(spec, *rows_of(spec, model), model.get_weights())])["found"]
    assert found["message"].endswith("has 7 elements instead of 1")


def test_denormal_numbers_become_0(engine):
    """A velocity that shrinks by 0.01 a step has become one in step 20: no row has a gradient any more."""
    ending = {"loss": "hinge", "activation": "linear", "units": 1, "metric": None}
    spec = network(**ending, optimizer={"name": "sgd", "momentum": 0.01}, batch=ROWS)
    x = np.ones((ROWS, 4))
    (found,) = engine([case(spec, x, np.ones((ROWS, 1)), [np.full(4, 0.2), np.zeros(1)], rate=0.3)])["found"]
    assert found["losses"][0] == pytest.approx(0.2)
    assert found["losses"][2:] == [0] * (STEPS - 2)
    assert found["denormal"] == 0


def test_an_installation_without_the_module_says_what_to_install(tmp_path, monkeypatch):
    catalogue = Catalogue()
    monkeypatch.setenv("THALWEG_READY", str(tmp_path))
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    with pytest.raises(MissingPackageError, match="install one of its wheels"):
        webassembly(catalogue)
    (tmp_path / "wheels").mkdir()
    monkeypatch.setattr(extras, "find_spec", lambda package: None if package == "ziglang" else package)
    with pytest.raises(MissingPackageError, match=r"needs ziglang: pip install 'thalweg\[wheels\]'"):
        webassembly(catalogue)


def test_a_damaged_module_is_made_again(tmp_path, monkeypatch):
    catalogue = Catalogue()
    good = webassembly(catalogue)
    monkeypatch.setenv("THALWEG_READY", str(tmp_path / "none"))
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    contents = {"file": "wasm32.wasm", "bytes": len(good), "crc32": zlib.crc32(good)}
    contents["kernels"] = {symbol_of(kernel): fingerprint(kernel) for kernel in catalogue.wanted()}

    def make(folder):
        (folder / "wasm32.json").write_text(json.dumps(contents))
        (folder / "wasm32.wasm").write_bytes(good)

    make(module.kept())
    monkeypatch.setattr(module, "compile_into", make)
    (module.kept() / "wasm32.wasm").write_bytes(good[:-1] + b"\0")
    assert webassembly(catalogue) == good
    assert (module.kept() / "wasm32.wasm").read_bytes() == good
