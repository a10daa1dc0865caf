"""Initializers: mean, variance and bounds of what they draw; the tests themselves find a wrong one."""

import math

import numpy as np
import pytest

from thalweg import Sequential, initializers, load_model
from thalweg.errors import ArgumentError, DataError, ModelFileError, NotFoundError, ShapeError
from thalweg.initializers import (
    Constant,
    FromArray,
    FromFile,
    Function,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)
from thalweg.initializers.drawn import TRUNCATED_STDDEV, Scaled, fans, truncated_normal
from thalweg.initializers.initializer import Initializer
from thalweg.layers import Dense, Input
from thalweg.layers.recurrent.gated import ForgetBias

SHAPE = (200, 300)  # fan_in 200, fan_out 300
COUNT = 200 * 300

# initializer, mean, variance, bounds. A uniform number on ±b has the variance b²/3.
ROWS = {
    "zeros": (Zeros(), 0, 0, (0, 0)),
    "ones": (Ones(), 1, 0, (1, 1)),
    "constant": (Constant(-2.5), -2.5, 0, (-2.5, -2.5)),
    "normal": (RandomNormal(0.5, 0.2), 0.5, 0.04, None),
    "uniform": (RandomUniform(-1.0, 3.0), 1.0, 16 / 12, (-1, 3)),
    "scaled fan in": (VarianceScaling(3.0, "fan_in", "untruncated_normal"), 0, 3 / 200, None),
    "scaled fan out": (VarianceScaling(1.0, "fan_out", "uniform"), 0, 1 / 300, (-0.1, 0.1)),
    "scaled fan avg": (
        VarianceScaling(1.0, "fan_avg", "truncated_normal"), 0, 1 / 250, (-0.1438, 0.1438),  # 2·√(1/250)/0.8796
    ),
    "glorot uniform": (GlorotUniform(), 0, 2 / 500, (-math.sqrt(6 / 500), math.sqrt(6 / 500))),
    "glorot normal": (GlorotNormal(), 0, 2 / 500, (-2 * math.sqrt(2 / 500) / 0.8796, 2 * math.sqrt(2 / 500) / 0.8796)),
    "he uniform": (HeUniform(), 0, 2 / 200, (-math.sqrt(6 / 200), math.sqrt(6 / 200))),
    "he normal": (HeNormal(), 0, 2 / 200, (-0.2 / 0.8796, 0.2 / 0.8796)),
    "lecun uniform": (LecunUniform(), 0, 1 / 200, (-math.sqrt(3 / 200), math.sqrt(3 / 200))),
    "lecun normal": (LecunNormal(), 0, 1 / 200, (-2 * math.sqrt(1 / 200) / 0.8796, 2 * math.sqrt(1 / 200) / 0.8796)),
    "truncated normal": (TruncatedNormal(0.5, 0.2), 0.5, (0.2 * 0.8796) ** 2, (0.1, 0.9)),
    # 200 orthogonal rows of length 2 in 300 dimensions: an element's variance is 4/300
    "orthogonal": (Orthogonal(2.0), 0, 4 / 300, None),
}  # fmt: skip
EACH = pytest.mark.parametrize(("initializer", "mean", "variance", "bounds"), ROWS.values(), ids=ROWS)


def check(sample, mean, variance, bounds):
    """Mean and variance within 5 standard errors; bounds kept, and nearly reached."""
    deviation = math.sqrt(variance)
    assert abs(sample.mean() - mean) <= 5 * deviation / math.sqrt(COUNT)
    assert abs(sample.var() - variance) <= 5 * variance * math.sqrt(2 / COUNT)  # a normal's; a uniform's is smaller
    if bounds is not None:
        assert bounds[0] <= sample.min()
        assert sample.max() <= bounds[1]
        assert sample.max() - sample.min() >= 0.99 * (bounds[1] - bounds[0])


def test_every_initializer_has_a_row():
    tested = {type(row[0]) for row in ROWS.values()} | {Identity}  # not random: it has tests of its own
    assert tested == set(initializers.NAMED) == set(initializers.NAMES.values())
    given = {FromArray, FromFile, Function}
    assert tested | given == set(initializers.CLASSES) == subclasses(Initializer) - {Scaled, ForgetBias}


def subclasses(kind):
    """The package's own: other tests define some, too."""
    children = [child for child in kind.__subclasses__() if child.__module__.startswith("thalweg.")]
    return {c for child in children for c in (child, *subclasses(child))}


@EACH
@pytest.mark.parametrize("seed", range(5))
def test_mean_variance_and_bounds(initializer, mean, variance, bounds, seed):
    sample = initializer(SHAPE, np.random.default_rng(seed))
    assert sample.shape == SHAPE
    check(sample, mean, variance, bounds)


@pytest.mark.parametrize(
    ("wrong", "row"),
    [
        (RandomNormal(0.51, 0.2), "normal"),  # a mean 2% of it off
        (RandomNormal(0.5, 0.207), "normal"),  # a deviation 3.5% too large
        (VarianceScaling(1.07, "fan_avg", "truncated_normal"), "scaled fan avg"),
        (VarianceScaling(1.0, "fan_avg", "untruncated_normal"), "glorot normal"),
        (VarianceScaling(1.0, "fan_in", "uniform"), "scaled fan out"),
        (HeUniform(), "he normal"),
        (GlorotUniform(), "he uniform"),
        (Zeros(), "glorot uniform"),
    ],
)
def test_a_wrong_initializer_is_found(wrong, row):
    with pytest.raises(AssertionError):
        check(wrong(SHAPE, np.random.default_rng(0)), *ROWS[row][1:])


def test_a_normal_cut_off_without_its_correction_is_found():
    """The standard deviation of a normal cut at two deviations is 0.8796: the factor has to be divided by."""
    plain = truncated_normal(SHAPE, np.random.default_rng(0)) * math.sqrt(2 / 200)
    with pytest.raises(AssertionError):
        check(plain, *ROWS["he normal"][1:])
    assert abs(TRUNCATED_STDDEV - plain.std() / math.sqrt(2 / 200)) < 0.01


def test_a_truncated_normal_is_a_normal_inside_its_bounds():
    """Shares of the intervals of half a deviation, against the normal distribution's."""
    sample = truncated_normal(SHAPE, np.random.default_rng(3)).ravel()
    edges = np.linspace(-2, 2, 9)
    share = np.diff([math.erf(e / math.sqrt(2)) for e in edges]) / 2 / math.erf(2 / math.sqrt(2))
    counts = np.histogram(sample, edges)[0]
    assert counts.sum() == COUNT
    assert (abs(counts - COUNT * share) < 5 * np.sqrt(COUNT * share)).all()


@EACH
def test_initializer_comes_back_from_its_description(initializer, mean, variance, bounds):
    assert initializers.get(initializers.serialize(initializer)) == initializer
    assert initializers.get(initializer) is initializer
    kind = type(initializer)
    assert initializers.get(kind) == initializers.get(kind.__name__) == kind()


@EACH
def test_draws_follow_the_generator_or_the_own_seed(initializer, mean, variance, bounds):
    def draw(initializer, seed):
        return initializer((3, 4), np.random.default_rng(seed)).tolist()

    assert draw(initializer, 1) == draw(initializer, 1)
    if variance:
        assert draw(initializer, 1) != draw(initializer, 2)
        seeded = type(initializer)(**initializer.get_config() | {"seed": 5})
        assert draw(seeded, 1) == draw(seeded, 2) == seeded((3, 4)).tolist()


@pytest.mark.parametrize(
    ("shape", "expected"), [((784, 128), (784, 128)), ((7,), (7, 7)), ((), (1, 1)), ((3, 5, 16, 32), (240, 480))]
)
def test_fans(shape, expected):
    assert fans(shape) == expected


def test_weights_start_as_their_layer_says():
    model = Sequential(
        [
            Input((200,)),
            Dense(300, kernel_initializer="he_normal", bias_initializer=Constant(0.1)),
            Dense(200, kernel_initializer=RandomUniform(-1, 1)),
            Dense(300),
        ],
        seed=1,
    )
    W1, b1, W2, b2, W3, b3 = model.get_weights()
    check(W1.astype(np.float64), *ROWS["he normal"][1:])
    check(W3.astype(np.float64), *ROWS["glorot uniform"][1:])  # the default
    assert abs(W2).max() > 0.99
    assert (b1 == np.float32(0.1)).all()
    assert not b2.any()
    assert not b3.any()
    assert not np.allclose(W1[:, :200], W3[:, :200])  # every array is a draw of its own


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(ArgumentError, match=r"did you mean 'he_normal'.*glorot_uniform.*zeros"):
        initializers.get("he_norml")


# --- structure -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (3, 3, 2, 5)])
def test_orthogonal_is_orthogonal(shape):
    W = Orthogonal(gain=1.5, seed=3)(shape).reshape(-1, shape[-1])
    product = W.T @ W if len(W) >= shape[-1] else W @ W.T
    np.testing.assert_allclose(product, 1.5**2 * np.eye(len(product)), atol=1e-12)


def test_every_orthogonal_matrix_is_equally_probable():
    """Without the signs of R the diagonal of Q would be biased: LAPACK's Q has a negative first element."""
    first = np.array([Orthogonal(seed=seed)((2, 2))[0, 0] for seed in range(400)])
    assert abs((first > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(400)
    assert abs((first**2).mean() - 0.5) < 5 * math.sqrt(1 / 8 / 400)  # cos² of a uniform angle


def test_identity():
    assert Identity(3.0)((2, 3)).tolist() == [[3, 0, 0], [0, 3, 0]]
    for initializer, shape in ((Identity(), (3,)), (Identity(), (2, 2, 2)), (Orthogonal(), (3,))):
        with pytest.raises(ShapeError, match="shape"):
            initializer(shape)


# --- given weights ---------------------------------------------------------------------------------------------------


def network(**options):
    return Sequential([Input((2,)), Dense(3, **options), Dense(1)], seed=0)


def test_an_array_is_taken_as_it_is():
    W = np.arange(6.0).reshape(2, 3)
    assert (network(kernel_initializer=W).get_weights()[0] == W).all()
    again = initializers.get(initializers.serialize(FromArray(W)))
    assert again == FromArray(W)
    assert again != FromArray(W + 1)
    for wrong, said in ((W.T, "has the shape"), ([[1.0], [2.0, 3.0]], "different lengths"), (W * np.nan, "not finite")):
        with pytest.raises((ShapeError, DataError), match=said):
            network(kernel_initializer=FromArray(wrong)).build()


def test_a_function_is_called_with_shape_and_generator(tmp_path):
    def plus_or_minus(shape, rng):
        return rng.choice([-0.5, 0.5], shape)

    model = network(kernel_initializer=plus_or_minus)
    W = model.get_weights()[0]
    assert (abs(W) == 0.5).all()
    assert (network(kernel_initializer=plus_or_minus).get_weights()[0] == W).all()  # the model's seed
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert (again.get_weights()[0] == W).all()
    with pytest.raises(ArgumentError, match="plus_or_minus was a function"):
        again.layers[0].kernel_initializer((2, 3))
    for wrong, said in ((lambda shape, rng: 1.0, "has the shape"), (lambda shape, rng: "a", "numbers")):
        model = network(kernel_initializer=wrong)
        with pytest.raises((ShapeError, DataError), match=said):
            model.build()
        assert not model.built
        assert not model.layers[0].built


def test_files_give_weights(tmp_path):
    source = Sequential([Input((2,)), Dense(3, name="dense"), Dense(1)], seed=5)
    W = source.get_weights()[0]
    source.save(tmp_path / "model.safetensors")
    np.savez(tmp_path / "weights.npz", **{"dense/W": W, "other": W + 1})
    np.save(tmp_path / "W.npy", W)
    for name in ("model.safetensors", "weights.npz", "W.npy"):
        assert (network(kernel_initializer=FromFile(tmp_path / name)).get_weights()[0] == W).all()
    other = FromFile(tmp_path / "weights.npz", "other")
    model = network(kernel_initializer=other)
    assert (model.get_weights()[0] == W + 1).all()
    assert initializers.get(initializers.serialize(other)) == other
    model.save(tmp_path / "saved.safetensors")
    (tmp_path / "weights.npz").unlink()
    assert (load_model(tmp_path / "saved.safetensors").get_weights()[0] == W + 1).all()  # needs the file no more


def test_a_wrong_file_is_named(tmp_path):
    np.savez(tmp_path / "weights.npz", W=np.ones((2, 3)))
    (tmp_path / "bad.npy").write_bytes(b"no array")
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    (tmp_path / "bad.safetensors").write_bytes(b"\0" * 30)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    for name in ("bad.npy", "bad.npz", "bad.safetensors", "objects.npy"):
        with pytest.raises(ModelFileError, match=name):
            FromFile(tmp_path / name)((2, 3))
    with pytest.raises(NotFoundError, match=r"no array 'dense/W'; it holds W"):
        network(kernel_initializer=FromFile(tmp_path / "weights.npz")).build()
    with pytest.raises(NotFoundError, match=r"no file .*nope.npy"):
        FromFile(tmp_path / "nope.npy")((2, 3))
    with pytest.raises(ShapeError, match=r"has the shape \(2, 3\), the weights have \(3, 2\)"):
        FromFile(tmp_path / "weights.npz", "W")((3, 2))
    with pytest.raises(ArgumentError, match=r"reads \.npy"):
        FromFile("weights.txt")
