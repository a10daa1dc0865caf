"""Networks as torch modules: every layer, activation and shape of graph predicts as the model does."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from activation_layers import ACTIVATION_LAYERS
from attention_layers import ATTENTION_LAYERS
from conformance import EVERY, SHAPES
from harness import Case
from image_layers import IMAGE_LAYERS
from layer_rows import weighted
from numerical_layers import NUMERICAL_LAYERS
from recurrent_layers import RECURRENT_LAYERS

from thalweg import Input, Model, Sequential, activations, layers, ops
from thalweg.export.exported_network import network_of
from thalweg.export.identifiers import identifiers
from thalweg.export.torch_file import HELPERS, source, torch_file
from thalweg.export.torch_lines import written
from thalweg.layers import Dense
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Arrays, statement
from thalweg.program.instructions.updates.table_updates import TableUpdate
from thalweg.program.instructions.updates.updates import Running, Update
from thalweg.program.ir.references import compute

torch = pytest.importorskip("torch", exc_type=ImportError)

TABLE = {
    **{kind.__name__: [row[:2] for row in rows]
       for kind, rows in (IMAGE_LAYERS | ACTIVATION_LAYERS | NUMERICAL_LAYERS | RECURRENT_LAYERS).items()},
    "Dense": [(lambda: Dense(4, "relu"), (3,)), (lambda: Dense(2, "softmax"), (5, 3))],
    "Embedding": [(lambda: layers.Embedding(5, 3), (4,)), (lambda: layers.Embedding(5, 3), ())],
    "EinsumDense": [(lambda: layers.EinsumDense("abc,cde->abde", (2, 4, 5), "relu", "de"), (2, 3))],
    "Identity": [(lambda: layers.Identity(), (2, 3))],
    "Masking": [(lambda: layers.Masking(), (2, 3))],
    **{kind.__name__: [row[:2] for row in ATTENTION_LAYERS[kind]]
       for kind in (layers.Attention, layers.AdditiveAttention, layers.PositionEmbedding, layers.RotaryEmbedding,
                    layers.SinePositionEncoding)},
    "LeakyReLU": [(lambda: layers.LeakyReLU(0.1), (3,))],
    "Dropout": [(lambda: layers.Dropout(0.4, seed=7), (3,))],
    "Rescaling": [(lambda: layers.Rescaling(0.5, -1), (3, 2))],
    "Flatten": [(lambda: layers.Flatten(), (3, 2))],
    "Residual": [(lambda: layers.Residual([Dense(5, "tanh"), Dense(3)]), (3,))],
    "RandomFlip": [(lambda: layers.RandomFlip(), (4, 3, 2))],
    "RandomTranslation": [(lambda: layers.RandomTranslation(0.2, 0.1), (4, 3, 2))],
    "RandomRotation": [(lambda: layers.RandomRotation(0.1), (4, 3, 2))],
    "RandomZoom": [(lambda: layers.RandomZoom(0.3), (4, 3, 2))],
    "RandomContrast": [(lambda: layers.RandomContrast(0.3), (4, 3, 2))],
    "Lambda": [(lambda: layers.Lambda(lambda x: ops.cumsum(x, axis=1)), (4,))],
    "Add": [(lambda: layers.Add(), [(2, 3), (1, 3), (2, 1)])],
    "Subtract": [(lambda: layers.Subtract(), [(3,), (3,)])],
    "Multiply": [(lambda: layers.Multiply(), [(3,), (1,)])],
    "Average": [(lambda: layers.Average(), [(2, 3)] * 3)],
    "Maximum": [(lambda: layers.Maximum(), [(3,), (3,)])],
    "Minimum": [(lambda: layers.Minimum(), [(3,), (3,)])],
    "Concatenate": [(lambda: layers.Concatenate(1), [(2, 3), (4, 3)])],
    "Dot": [(lambda: layers.Dot((2, 1)), [(4, 3), (3, 2)]), (lambda: layers.Dot(-1, normalize=True), [(3,), (3,)])],
}  # fmt: skip
LOOKUPS = (
    "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup",
    "TextVectorization",
)  # fmt: skip
"""They stand before the network, which gets what they make."""
CASES = [
    pytest.param(*row, id=f"{name}{n}")
    for name, rows in TABLE.items()
    for n, row in enumerate(rows)
    if f"{name}{n}" != "Activation5"  # a pair of Python functions
]


def loaded(model, folder):
    """The module of the file, loaded as a program would."""
    text, weights = torch_file(network_of(model), "A network.")
    (folder / "net.py").write_text(text, encoding="utf-8")
    (folder / "net.safetensors").write_bytes(weights)
    spec = importlib.util.spec_from_file_location("net", folder / "net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Network.load()


def agree(model, folder, x):
    net = loaded(model, folder)
    with torch.no_grad():
        found = net(*x) if isinstance(x, list) else net(x)
    wanted = model.predict(x)
    for got, want in zip(*((r if isinstance(r, list | tuple) else [r]) for r in (found, wanted)), strict=True):
        assert got.dtype == torch.float32
        np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-5, atol=1e-5 * max(1, abs(want).max()))
    return net


@pytest.mark.parametrize(("make", "shape"), CASES)
def test_every_layer_predicts_the_same(make, shape, tmp_path):
    layer = make()
    model = weighted(layer, shape)
    draw = np.random.default_rng(5)
    whole = isinstance(layer, layers.Embedding)
    shapes = [shape] if isinstance(shape, tuple) else shape
    xs = [(draw.integers(0, 5, (6, *s)) if whole else draw.normal(size=(6, *s))).astype("f") for s in shapes]
    agree(model, tmp_path, xs if len(xs) > 1 else xs[0])


PROJECTED = {  # layers that take several tensors one by one, and ids
    "MultiHeadAttention": (lambda x: layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True), (4, 6)),
    "GroupQueryAttention": (lambda x: layers.GroupQueryAttention(3, 4, 2)(x, x), (4, 6)),
    "TokenAndPositionEmbedding": (layers.TokenAndPositionEmbedding(5, 4, 3), (4,)),
}


@pytest.mark.parametrize("name", PROJECTED)
def test_attention_predicts_the_same(name, tmp_path):
    called, shape = PROJECTED[name]
    x = Input(shape)
    model = Model(x, called(x), seed=1)
    draw = np.random.default_rng(5)
    agree(model, tmp_path, draw.integers(0, 5, (6, *shape)).astype("f"))


def test_every_layer_is_in_the_table():
    assert set(layers.CLASSES) == {*TABLE, *LOOKUPS, *PROJECTED}


@pytest.mark.parametrize("name", activations.NAMES)
def test_every_activation_predicts_the_same(name, tmp_path):
    function = activations.NAMES[name]
    function = function.using(threshold=0.5, default_value=-1) if name == "threshold" else function
    model = Sequential([Input((6,)), Dense(6, function)], seed=1)
    x = 3 * np.random.default_rng(0).normal(size=(20, 6)).astype("f")
    agree(model, tmp_path, x)


def test_a_graph_with_shared_weights_and_constants(tmp_path):
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = Dense(3, "tanh")
    table = np.arange(30, dtype="f").reshape(3, 10)
    one, other = shared(a), shared(b)
    turned = one[:, ::-1] + ops.maximum(other, 0.1)
    model = Model(
        [a, b], [ops.matmul(turned, table), ops.where(one > other, one, 0.5), ops.mean(a), Dense(1)(turned)][:2]
    )
    draw = np.random.default_rng(0)
    net = agree(model, tmp_path, [draw.normal(size=(5, 4)).astype("f") for _ in range(2)])
    assert sorted(dict(net.named_parameters())) == ["W", "b"]


def test_the_file_is_read_by_python_and_learns_on(tmp_path):
    """Its weights are parameters: an optimizer of torch's goes on with them, but not with moving averages."""
    model = Sequential([Input((4,)), Dense(3, "relu"), layers.BatchNormalization(), Dense(1)], seed=1)
    net = agree(model, tmp_path, np.ones((3, 4), "f"))
    assert [n for n, _ in net.named_parameters()] == ["W1", "b1", "gamma2", "beta2", "W3", "b3"]
    assert [n for n, _ in net.named_buffers()] == ["mean2", "variance2"]
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    (net(torch.ones(3, 4)) ** 2).sum().backward()
    optimizer.step()
    code = "import net; print(net.Network.load()([[1, 2, 3, 4]]).shape)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "torch.Size([1, 1])\n"
    text = (tmp_path / "net.py").read_text()
    assert "        # h1 = x·W1 + b1\n        h1 = x @ self.W1 + self.b1\n" in text
    assert max(map(len, text.splitlines())) <= 120


NATIVE = ("winograd", "share", "affine_sum", "by_columns")  # what native passes make, which no export sees
# Python functions of users; in training only; files don't; attention that leaves weights out
OTHERS = ("custom", "random_warp", "store", "gather", "attention")
TRAINING = ("adjoint", "dropout", "noise", "random", "penalty", "of_rows", "muon", "lamb", "adafactor")
"""What draws numbers, sends gradients back or changes weights."""


def predicts(name):
    """Whether an instruction may be part of a prediction."""
    made = Case(EVERY[name], SHAPES[0]).instruction
    other = any(part in name for part in (*NATIVE, *OTHERS, *TRAINING))
    return not other and not made.accumulates and not isinstance(made, Update | TableUpdate | Running)


@pytest.mark.parametrize("name", [name for name in EVERY if predicts(name)])
def test_an_instruction_is_written_as_it_is_computed(name):
    for shape in SHAPES:
        case = Case(EVERY[name], shape)
        case.batch_rows, case.first_row, case.update = shape.rows, 0, case.iteration
        memory, instruction = case.memory(np.float64), case.instruction
        made = statement(instruction, Arrays(ROWS, np.float64, case.data_rows))
        names = identifiers((*instruction.inputs, *instruction.outputs, *(b.storage for b in instruction.inputs)))
        kept = {}
        lines = list(written(made, names, kept, "float64"))
        given = {n: torch.from_numpy(np.array(memory[b])) for b, n in names.items()}
        space = {"torch": torch, "F": torch.nn.functional, "rows": shape.rows, **given}
        space["self"] = type("Self", (), {n: torch.from_numpy(np.array(a)) for n, a in kept.items()})
        exec("\n".join([*(source(f) for f in HELPERS), *lines]), space)
        with np.errstate(all="ignore"):
            expected = [v for v in compute(instruction, case.memory(np.float64)) if v is not None]
        for assignment, value in zip(made.assignments, expected, strict=True):
            found = space[names[assignment.buffer]].numpy()
            wanted = np.broadcast_to(np.asarray(value), found.shape)
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-7, err_msg=str(lines))
