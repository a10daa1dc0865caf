"""Networks as ONNX models: every layer, activation, instruction and operation in onnxruntime, as here."""

import dataclasses
import warnings

import numpy as np
import pytest
from activation_rows import ROWS as ACTIVATIONS
from conformance import EVERY, SHAPES
from harness import Case
from layer_rows import CASES, ROWS, alone, data
from lookup_rows import LOOKUPS
from ops_checks import data as operands_of
from ops_checks import one_matrix
from ops_rows import ROWS as OPERATIONS
from special_rows import GRID, LEAST, PAIRS, TABLES

import thalweg
from thalweg import Input, Model, Sequential, activations, layers, ops
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.export.exported_network import Network, network_of
from thalweg.export.onnx import onnx_model
from thalweg.export.onnx import proto as onnx_file
from thalweg.layers import Activation, Conv2D, Dense, Embedding, Flatten, MaxPooling2D, TokenAndPositionEmbedding
from thalweg.program.graphs.sizes import ROWS as OPEN
from thalweg.program.graphs.traced_program import Arrays, Statement, statement
from thalweg.program.graphs.traced_values import walk
from thalweg.program.ir.instruction import DATA, Buffer, Constant
from thalweg.program.ir.references import compute

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("mostly_ready_kernels")
LATER = 21  # an opset in which some operators have another form than in the lowest that have them
BY_A_USER = "Activation5"  # a Python function
LAYERS = [c for c in CASES if c.id != BY_A_USER]
every_layer = pytest.mark.parametrize(("make", "shape", "output", "count"), LAYERS)
NAMED = [pytest.param(row, id=f"{row.name}{row.arguments or ''}") for row in ACTIVATIONS]


def run(made, arrays):
    """What onnxruntime computes, by the names of a model's inputs or in their order."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = runtime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip((i.name for i in session.get_inputs()), arrays, strict=True)))


def exported(model, arrays, opset=None):
    return run(onnx_model(network_of(model), opset), arrays)


def check(got, want, size=None):
    """Agreement to 1e-5 of the largest number, and NaN and infinite numbers at the same places."""
    finite = np.abs(want[np.isfinite(want)])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * (finite.max(initial=0) if size is None else size))


def listed(x):
    return list(x) if isinstance(x, list) else [x]


def inputs_of(make, shape, rows):
    return [np.asarray(x, np.float32) for x in listed(data(make, shape, rows)[0])]


def given(arrays):
    return arrays if len(arrays) > 1 else arrays[0]


# --- layers and activations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [None, LATER])
@every_layer
def test_every_layer_predicts_the_same(make, shape, output, count, opset):
    model = alone(make(), shape)
    made = onnx_model(network_of(model), opset)
    for rows in (1, 7):
        arrays = inputs_of(make, shape, rows)
        (got,) = run(made, arrays)
        want = model.predict(given(arrays))
        assert got.shape == want.shape
        assert got.dtype == np.float32
        check(got, want)


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
@every_layer
def test_every_layer_takes_strange_numbers_as_the_reference_does(make, shape, output, count, strange):
    model = alone(make(), shape, engine="reference")
    arrays, draw = inputs_of(make, shape, 5), np.random.default_rng(1)
    for x in arrays:
        x.reshape(5, -1)[np.arange(5), draw.integers(0, x[0].size, 5)] = strange
    (got,) = exported(model, arrays)
    if isinstance(model.layers[-1], Embedding | TokenAndPositionEmbedding):  # which predict refuses
        assert np.isnan(got).all(axis=-1).sum() == 5
        return
    check(got, model.predict(given(arrays)))


@pytest.mark.parametrize("row", NAMED)
def test_every_activation_predicts_the_same(row):
    model = Sequential([Input((6,)), Activation(activations.NAMES[row.name].using(**row.arguments))])
    made = onnx_model(network_of(model))
    draw = np.random.default_rng(0)
    for rows in (1, 7):
        x = np.clip(3 * draw.normal(size=(rows, 6)), *row.among).astype(np.float32)
        check(run(made, [x])[0], model.predict(x))
    x[:, 2] = [np.nan, np.inf, -np.inf, 80, -80, 0, -0.0]
    with np.errstate(all="ignore"):
        want = Sequential([Input((6,)), *model.layers], engine="reference").predict(x)
    check(run(made, [x])[0], want)


def test_nothing_is_missing():
    tested = {kind for kind in ROWS if any(c.id.rstrip("0123456789") == kind.__name__ for c in LAYERS)}
    assert tested | set(LOOKUPS) >= set(layers.CLASSES.values())
    assert {row.name for row in ACTIVATIONS} == set(activations.NAMES)


@pytest.mark.parametrize("kind", LOOKUPS)
def test_what_comes_before_the_network_is_its_input(kind):
    """Layers at the entry work on texts and ids; the network gets what they make of these."""
    for make, values, _ in LOOKUPS[kind]:
        found = np.asarray(make()(values))
        if np.ndim(values) != 2 or found.dtype.kind not in "if":
            continue
        start = Input(np.shape(values)[1:], dtype="string" if isinstance(values[0][0], str) else "float32")
        model = Sequential([start, make(), Flatten(), Dense(2)], seed=1)
        check(exported(model, [found.astype(np.float32)])[0], model.predict(values))


# --- functions -------------------------------------------------------------------------------------------------------

NATIVE = ("winograd", "share", "affine_sum", "by_columns")  # what native passes make, which no export sees
OF_TRAINING = ("random_warp", "custom")  # products of vectors; users' functions


@pytest.mark.parametrize("name", [n for n in EVERY if not any(part in n for part in (*NATIVE, *OF_TRAINING))])
def test_every_instruction_computes_the_same(name):
    """On any number of rows, but for those that draw or depend on the step, which are refused."""
    for shape in SHAPES:
        case = Case(EVERY[name], shape)
        instruction, memory = case.instruction, case.memory(np.float32)
        memory.step = dataclasses.replace(memory.step, batch_rows=shape.rows)
        made = statement(instruction, Arrays(OPEN, np.float32, OPEN))
        graph = walk([a.value for a in made.assignments])
        read = [b.storage for b in instruction.inputs] + [v.options["buffer"] for v in graph if v.function == "name"]
        arrays = {b: memory[b].astype(made_of(b)) for b in read if not isinstance(b, Constant)}
        rows = [b for b in arrays if b.per_row] or [Buffer("x", (1,))]
        results = [
            Buffer("z", a.buffer.shape, per_row=a.buffer.per_row, dtype=a.buffer.dtype) for a in made.assignments
        ]
        set_ = tuple(
            dataclasses.replace(a, buffer=b, adds=False) for a, b in zip(made.assignments, results, strict=True)
        )
        weights = {b: x for b, x in arrays.items() if not b.per_row}
        network = Network(tuple(rows), tuple(results), (Statement(instruction, set_),), weights)
        refused = {v.function for v in graph} & {"drawn", "step"}
        if refused or any(b.region == DATA and len(arrays[b]) != shape.rows for b in rows if b in arrays):
            assert not refused or refusal(network) == (instruction.title, "numpy can")
            continue
        with np.errstate(all="ignore"):
            want = [r for r in compute(instruction, memory) if r is not None]
        got = run(onnx_model(network), [arrays.get(b, np.zeros((shape.rows, 1), np.float32)) for b in rows])
        for one, other in zip(got, want, strict=True):
            check(one, np.broadcast_to(np.asarray(other), one.shape))


def made_of(buffer):
    return Arrays(OPEN, np.float32, OPEN).kind(buffer)


def refusal(network):
    """What an error names."""
    with pytest.raises(ThalwegError) as raised:
        onnx_model(network)
    text = str(raised.value)
    return text.removeprefix("onnx can't say ").partition(" (")[0], text.rpartition("; ")[2]


@pytest.mark.parametrize("row", OPERATIONS, ids=[f"{r.name}{n}" for n, r in enumerate(OPERATIONS)])
def test_every_operation_computes_the_same(row):
    arrays = operands_of(row, ("rows",) * len(row.shapes))
    inputs = [Input(shape) for shape in row.shapes]
    model = Model(inputs, one_matrix(row.function(*inputs)), engine="reference")
    check(exported(model, arrays)[0], model.predict(given(arrays)))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("opset", [None, LATER])
def test_operations_at_special_values(table, opset):
    arrays = {"one": [GRID[:, None]], "two": [PAIRS[:, :1], PAIRS[:, 1:]]}.get(table, [PAIRS])
    inputs = [Input(x.shape[1:]) for x in arrays]
    model = Model(inputs, [row.function(*inputs) for row in TABLES[table]], engine="reference")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = model.predict(given(arrays), verbose=0)
    found, wrong = exported(model, arrays, opset), []
    for row, got, want in zip(TABLES[table], found, wanted, strict=True):
        got, want = np.asarray(got, float), np.asarray(want, float)
        with np.errstate(invalid="ignore"):
            close = (got == want) | (abs(got - want) <= 1e-5 * abs(want) + 1.01 * LEAST)
        places = np.argwhere(~close & ~(np.isnan(got) & np.isnan(want)))
        wrong += [(row.name, [x[p[0]] for x in arrays], got[tuple(p)], want[tuple(p)]) for p in places[:3]]
    assert not wrong


# --- the model -------------------------------------------------------------------------------------------------------


def small():
    return Sequential([Input((4,)), Dense(3, "relu"), Dense(2, "softmax")], seed=1)


def names(values):
    return [v.name for v in values]


def test_names_and_documentation():
    made = onnx_model(network_of(small()))
    assert (made.producer_name, made.producer_version) == ("thalweg", thalweg.__version__)
    assert "channels last" in made.doc_string
    assert names(made.graph.input) == ["x"]
    assert names(made.graph.output) == ["y_pred"]
    assert names(made.graph.initializer) == ["W1", "b1", "W2", "b2"]
    assert [n.op_type for n in made.graph.node] == ["Gemm", "Relu", "Gemm", "Softmax"]
    assert [n.doc_string for n in made.graph.node][:2] == ["h1 = x·W1 + b1", "a1 = max(h1, 0)"]
    assert [n.output[0] for n in made.graph.node] == ["h1", "a1", "h2", "y_pred"]
    sizes = [d.dim_param or d.dim_value for d in made.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["rows", 4]
    assert made.ir_version == 4


def test_inputs_that_are_outputs_and_outputs_that_are_the_same():
    start = Input((3,))
    h = Dense(2)(start)
    model = Model(start, [start, h, h])
    made = onnx_model(network_of(model))
    assert names(made.graph.input) == ["x"]
    assert len(set(names(made.graph.output)) | {"x"}) == 4
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for got, want in zip(run(made, [x]), model.predict(x), strict=True):
        check(got, want)


def test_weights_that_layers_share_are_there_once():
    start, shared = Input((3,)), Dense(3)
    model = Model(start, shared(shared(start)))
    made = onnx_model(network_of(model))
    assert len(made.graph.initializer) == 2
    x = np.eye(3, dtype=np.float32)
    check(run(made, [x])[0], model.predict(x))


def test_images_are_transposed_once_in_and_once_out():
    inner = [Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.ReLU(), MaxPooling2D(), Conv2D(3, 2)]
    model = Sequential([Input((9, 8, 2)), *inner], seed=2)
    made = onnx_model(network_of(model))
    operators = [n.op_type for n in made.graph.node]
    assert operators.count("Transpose") == 2
    assert {"Conv", "BatchNormalization", "MaxPool"} < set(operators)
    kernel = next(i for i in made.graph.initializer if list(i.dims) == [4, 2, 3, 3])
    assert kernel.name == "W1"
    x = np.random.default_rng(0).normal(size=(3, 9, 8, 2)).astype(np.float32)
    check(run(made, [x])[0], model.predict(x))


def test_what_works_element_by_element_is_not_transposed():
    """Of a residual network, whose sums are of what is transposed and what isn't yet, and of one along a line."""
    x = start = Input((6, 6, 4))
    for _ in range(2):
        h = layers.LeakyReLU()(layers.BatchNormalization()(Conv2D(4, 3, padding="same")(x)))
        x = layers.ReLU()(layers.Add()([x, 0.5 * h]))
    line = Sequential([Input((9, 2)), layers.Conv1D(4, 3, activation="relu"), layers.Conv1D(3, 2, activation="tanh")])
    for model in (Model(start, layers.GlobalAveragePooling2D()(x)), line):
        made = onnx_model(network_of(model))
        assert [n.op_type for n in made.graph.node].count("Transpose") == 2
        x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
        check(run(made, [x])[0], model.predict(x))


def test_unknown_ids_are_missing():
    model = Sequential([Input((2,)), Embedding(3, 4)], seed=1)
    ids = np.array([[0, 2], [3, 1], [-1, 0.5], [np.nan, 1e20]], np.float32)
    (got,) = exported(model, [ids])
    known = [[True, True], [False, True], [False, False], [False, False]]
    assert (np.isnan(got).any(axis=-1) != known).all()
    check(got[0], model.predict(ids[:1])[0])


# --- opsets ----------------------------------------------------------------------------------------------------------


def summing():
    start = Input((5,))
    return Model(start, ops.cumsum(start, 1))


@pytest.mark.parametrize(
    ("model", "lowest", "operator"),
    [
        (small, 8, "Add"),
        (lambda: Sequential([Input((3,)), Activation("elu")]), 9, "Where"),
        (summing, 11, "CumSum"),
        (lambda: Sequential([Input((4,)), Activation("sparsemax")]), 12, "Max, which sparsemax .* needs"),
    ],
    ids=["small", "elu", "cumsum", "sparsemax"],
)
def test_the_opset_is_the_lowest_that_has_all_operators(model, lowest, operator):
    network = network_of(model())
    made = onnx_model(network)
    assert made.opset_import[0].version == lowest
    assert onnx_model(network, lowest) == made
    with pytest.raises(ArgumentError, match=f"opset {lowest - 1} is too low: .*{operator}"):
        onnx_model(network, lowest - 1)
    assert onnx_model(network, lowest + 5).opset_import[0].version == lowest + 5


def test_the_opset_has_to_be_known():
    newest = onnx.defs.onnx_opset_version()
    assert onnx_model(network_of(small()), newest).opset_import[0].version == newest
    with pytest.raises(ArgumentError, match=f"knows opsets up to {newest}, not {newest + 1}"):
        onnx_model(network_of(small()), newest + 1)


# --- what can't be said ----------------------------------------------------------------------------------------------


def test_a_python_function_is_refused():
    (case,) = (c for c in CASES if c.id == BY_A_USER)
    with pytest.raises(ThalwegError, match="bowl is a function of Python's"):
        network_of(alone(case.values[0](), (2, 3)))


class Noisy(layers.Layer):
    def call(self, x):
        return x + thalweg.random.normal(ops.shape(x), seed=1)


def test_random_numbers_are_refused():
    assert refusal(network_of(Sequential([Input((3,)), Noisy()]))) == ("random normal", "numpy can")


def test_a_fixed_number_of_rows_is_refused():
    with pytest.raises(ValueError, match=r"y_pred has the shape \(5, 3\): trace the network for any number of rows"):
        onnx_model(network_of(Sequential([Input((3,)), Activation("elu")]), rows=5))


def test_more_weights_than_a_file_holds_are_refused(monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST", 4 * (4 * 3 + 3 + 3 * 2 + 2))
    onnx_model(network_of(small()))
    monkeypatch.setattr(onnx_file, "LARGEST", onnx_file.LARGEST - 1)
    with pytest.raises(ThalwegError, match="at most 2 GB"):
        onnx_model(network_of(small()))
