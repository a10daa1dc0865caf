"""Initializers: mean, variance and bounds of what they draw; the tests themselves find a wrong one."""

import math

import numpy as np
import pytest

from thalweg import Sequential, initializers
from thalweg.errors import ArgumentError
from thalweg.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Ones,
    RandomNormal,
    RandomUniform,
    VarianceScaling,
    Zeros,
)
from thalweg.layers import Dense, Input

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
    assert {type(row[0]) for row in ROWS.values()} == set(initializers.CLASSES) == set(initializers.NAMES.values())
    public = {c for c in vars(initializers).values() if isinstance(c, type) and issubclass(c, initializers.Initializer)}
    assert public - {initializers.Initializer, initializers.Scaled} == set(initializers.CLASSES)


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
    plain = initializers.truncated_normal(SHAPE, np.random.default_rng(0)) * math.sqrt(2 / 200)
    with pytest.raises(AssertionError):
        check(plain, *ROWS["he normal"][1:])
    assert abs(initializers.TRUNCATED_STDDEV - plain.std() / math.sqrt(2 / 200)) < 0.01


def test_a_truncated_normal_is_a_normal_inside_its_bounds():
    """Shares of the intervals of half a deviation, against the normal distribution's."""
    sample = initializers.truncated_normal(SHAPE, np.random.default_rng(3)).ravel()
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
    ("shape", "fans"), [((784, 128), (784, 128)), ((7,), (7, 7)), ((), (1, 1)), ((3, 5, 16, 32), (240, 480))]
)
def test_fans(shape, fans):
    assert initializers.fans(shape) == fans


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
