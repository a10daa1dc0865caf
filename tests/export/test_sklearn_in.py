"""Networks of scikit-learn's and weights of torch's as models: the same weights and predictions."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import thalweg.sklearn
from thalweg import Input, Model, Sequential, layers
from thalweg.errors import ArgumentError, ShapeError
from thalweg.exchange.sklearn_networks import from_sklearn
from thalweg.exchange.torch_states import load_torch_state
from thalweg.layers import Dense

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4))
KINDS = {
    "three classes": (MLPClassifier, np.arange(60) % 3),
    "two classes": (MLPClassifier, np.array(["a", "b"])[np.arange(60) % 2]),
    "yes or no": (MLPClassifier, (X[:, :2] > 0).astype(int)),
    "one number": (MLPRegressor, X[:, 0] ** 2),
    "two numbers": (MLPRegressor, X[:, :2] ** 2),
}


def fitted(kind, y, dtype="float64", **options):
    return kind(hidden_layer_sizes=(5, 3), max_iter=5, random_state=0, **options).fit(X.astype(dtype), y)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("name", KINDS)
def test_a_network_of_scikit_learn_predicts_the_same(name, activation):
    kind, y = KINDS[name]
    mlp = fitted(kind, y, activation=activation)
    model = from_sklearn(mlp)
    for got, want in zip(
        model.get_weights(), [a for p in zip(mlp.coefs_, mlp.intercepts_, strict=True) for a in p], strict=True
    ):
        assert got.dtype == np.float64
        assert got.tobytes() == np.ascontiguousarray(want).tobytes()
    got = model.predict(X)
    want = mlp.predict_proba(X) if kind is MLPClassifier else mlp.predict(X).reshape(60, -1)
    if name == "two classes":
        want = want[:, 1:]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(from_sklearn(mlp, "float32").predict(X), want, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_network_in_float32_stays_in_float32():
    kind, y = KINDS["three classes"]
    mlp = fitted(kind, y, "float32")
    model = from_sklearn(mlp)
    assert model.get_weights()[0].tobytes() == np.ascontiguousarray(mlp.coefs_[0]).tobytes()
    assert model._weights.dtype == np.float32
    np.testing.assert_allclose(model.predict(X), mlp.predict_proba(X.astype("f")), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_exponential_of_a_poisson_regression():
    pytest.importorskip("sklearn", "1.7")
    mlp = MLPRegressor(loss="poisson", hidden_layer_sizes=(3,), max_iter=5, random_state=0).fit(X, np.abs(X[:, 0]))
    np.testing.assert_allclose(from_sklearn(mlp).predict(X)[:, 0], mlp.predict(X), rtol=1e-6)


def test_what_is_no_fitted_network_is_refused():
    with pytest.raises(
        ArgumentError, match="this MLPClassifier isn't fitted, so it has no weights: call its fit first"
    ):
        from_sklearn(MLPClassifier())
    for other in (thalweg.sklearn.MLPClassifier(), "x", None):
        with pytest.raises(ArgumentError, match="takes an MLPClassifier or an MLPRegressor of scikit-learn's"):
            from_sklearn(other)
    mlp = MLPRegressor(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=50).fit(X[:, :1], np.zeros(60))
    with pytest.raises(ArgumentError, match="unknown dtype"):
        from_sklearn(mlp, "float16")


# --- weights of torch's -----------------------------------------------------------------------------------------------


def networks():
    """The same network here and in torch, whose images have their channels first."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    nn = torch.nn
    theirs = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.PReLU(6), nn.Conv2d(6, 6, 3, groups=6),
        nn.ConvTranspose2d(6, 4, 2, 2), nn.Flatten(), nn.BatchNorm1d(192), nn.Linear(192, 5), nn.Linear(5, 2),
    ).eval()  # fmt: skip
    with torch.no_grad():
        for p in (*theirs.parameters(), *(b for b in theirs.buffers() if b.dtype == torch.float32)):
            p.uniform_(0.1, 0.5)
    front = Input((8, 7, 3))
    made = [
        layers.Conv2D(6, 3), layers.BatchNormalization(epsilon=1e-5), layers.PReLU(shared_axes=[1, 2]),
        layers.DepthwiseConv2D(3), layers.Conv2DTranspose(4, 2, 2), layers.Flatten(),
        layers.BatchNormalization(epsilon=1e-5), Dense(5), Dense(2),
    ]  # fmt: skip
    names = {
        "conv2d": "0", "batch_normalization": "1", "p_re_lu": "2", "depthwise_conv2d": "3", "conv2d_transpose": "4",
        "batch_normalization_1": "6", "dense": "7", "dense_1": "8",
    }  # fmt: skip
    return torch, theirs, front, made, names


@pytest.mark.parametrize("drawn", [False, True])
def test_weights_of_torch_predict_the_same(drawn, tmp_path):
    torch, theirs, front, made, names = networks()
    if drawn:
        value = front
        for layer in made:
            value = layer(value)
        model = Model(front, value)
    else:
        model = Sequential([front, *made])
    x = RANDOM.normal(size=(4, 8, 7, 3)).astype("f")
    load_torch_state(model, theirs.state_dict(), names)
    want = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(model.predict(x), want, rtol=1e-4, atol=1e-4 * abs(want).max())
    before = model.get_weights()
    assert before[0].tobytes() == theirs[0].weight.detach().numpy().transpose(2, 3, 1, 0).tobytes()
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file({k: v.contiguous() for k, v in theirs.state_dict().items()}, tmp_path / "x.safetensors")
    model.set_weights([0 * w for w in before])
    load_torch_state(model, tmp_path / "x.safetensors", names)
    assert all((one == other).all() for one, other in zip(model.get_weights(), before, strict=True))


STATE = {"fc.weight": np.ones((1, 2)), "fc.bias": np.zeros(1)}
WRONG = [
    (STATE, {}, "the mapping says no module of torch's for layer 'out'"),
    (STATE, {"out": "x"}, "the state has no 'x.weight' for out/W; it has fc.bias, fc.weight"),
    (STATE, {"uot": "fc"}, "unknown layer or array in the mapping 'uot'; did you mean 'out'"),
    (STATE | {"more": np.zeros(1)}, {"out": "fc"}, "the state has more, which the mapping doesn't use"),
    (STATE | {"fc.bias": np.array(["x"])}, {"out": "fc"}, "'fc.bias' is of .*, not of numbers"),
    ("x.pt", {"out": "fc"}, r"x\.pt isn't read: load it by torch\.load\(path, weights_only=True\)"),
    ("x.safetensors", {"out": "fc"}, r"x\.safetensors"),
]


@pytest.mark.parametrize(("state", "mapping", "words"), WRONG)
def test_a_state_that_does_not_fit_is_refused(state, mapping, words):
    model = Sequential([Input((2,)), Dense(1, name="out")])
    before = model.get_weights()
    with pytest.raises(ArgumentError, match=words):
        load_torch_state(model, state, mapping)
    with pytest.raises(ShapeError, match=r"fc\.weight for out/W has the shape \(3, 1\) in our order of axes"):
        load_torch_state(model, STATE | {"fc.weight": np.ones((1, 3))}, {"out": "fc"})
    assert all((one == other).all() for one, other in zip(model.get_weights(), before, strict=True))
    load_torch_state(model, {"a": np.ones((1, 2)), "b": np.ones(1)}, {"out/W": "a", "out/b": "b"})
    assert model.predict([[1.0, 1.0]]) == 3
