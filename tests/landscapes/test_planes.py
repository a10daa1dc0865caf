"""Loss landscapes: the numbers of `evaluate`, filters as long as the solution's own, planes that hold their points."""

import numpy as np
import pytest

from thalweg import Input, Sequential, layers
from thalweg.errors import ArgumentError
from thalweg.landscapes.planes import LEAST, Plane, landscape, pca_plane, random_direction, valleys
from thalweg.landscapes.terrain import ROWS, Terrain

DRAW = np.random.default_rng(5)
X = DRAW.normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.float32)[:, None]


def make(seed=0, engine="native", units=4):
    model = Sequential(
        [
            Input((3,)),
            layers.Dense(units, "tanh", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dense(1, "sigmoid"),
        ],
        seed=seed,
        engine=engine,
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.build()
    return model


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_terrain_is_what_evaluate_returns(engine):
    model = make(engine=engine)
    model.fit(X, Y, epochs=3, verbose=0, lanes=1)
    terrain, before = Terrain(model, X, Y), model.vector.copy()
    assert terrain(before) == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-5)
    other = before + 0.1
    there = terrain(other)
    assert (model.vector == before).all()
    model.vector[:] = other
    assert there == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-5)
    assert there != pytest.approx(terrain(before), rel=1e-3)


def test_of_many_rows_some_are_chosen():
    x = np.repeat(X, 20, axis=0)
    model = make()
    terrain = Terrain(model, x, np.repeat(Y, 20, axis=0), seed=3)
    assert terrain.rows == ROWS
    assert terrain(model.vector) == Terrain(model, x, np.repeat(Y, 20, axis=0), seed=3)(model.vector)


def test_a_direction_is_as_long_as_each_units_weights():
    model = make()
    model.fit(X, Y, epochs=2, verbose=0, lanes=1)
    direction = random_direction(Terrain(model, X, Y), np.random.default_rng(0))
    for path, parameter in model.named_parameters():
        own = direction[parameter.buffer.offset :][: parameter.buffer.size].reshape(parameter.buffer.shape)
        if own.ndim == 2:
            np.testing.assert_allclose(
                np.linalg.norm(own, axis=0), np.linalg.norm(parameter.array, axis=0), rtol=1e-5, err_msg=path
            )
            assert not np.allclose(own, parameter.array)
        else:
            assert not own.any(), path


def test_the_centre_is_the_solution_and_the_grid_is_the_loss():
    model = make()
    model.fit(X, Y, epochs=30, verbose=0, lanes=1)
    found = landscape(model, X, Y, size=9, others=[make(1).vector])
    loss = model.evaluate(X, Y, verbose=0)[0]
    assert found["loss"][4, 4] == pytest.approx(loss, rel=1e-5)
    assert found["points"][0] == {"name": "solution", "a": 0.0, "b": 0.0, "loss": pytest.approx(loss, rel=1e-5)}
    assert len(found["points"]) == 2
    draw = np.random.default_rng(0)
    terrain = Terrain(model, X, Y)
    first, second = random_direction(terrain, draw), random_direction(terrain, draw)
    corner = terrain(model.vector + np.float32(found["a"][0]) * first + np.float32(found["b"][-1]) * second)
    assert found["loss"][0, -1] == pytest.approx(corner, rel=1e-5)


def test_the_path_lies_on_its_own_plane():
    model = make()
    path = [model.vector.copy()]
    for _ in range(6):
        model.fit(X, Y, epochs=2, verbose=0, lanes=1)
        path.append(model.vector.copy())
    found = pca_plane(model, X, Y, np.array(path), size=9)
    assert sum(found["explained"]) > 0.9
    assert found["path"][-1] == pytest.approx([0, 0], abs=1e-5)
    assert found["path_loss"][-1] == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-5)
    assert found["path_loss"][0] > found["path_loss"][-1]
    inside = (found["path"][:, 0] >= found["a"][0]) & (found["path"][:, 0] <= found["a"][-1])
    assert inside.all()


def test_weights_come_as_vectors_or_as_arrays_in_turn():
    model = make(units=3)
    terrain = Terrain(model, X, Y)
    packed = np.concatenate([w.ravel() for w in model.get_weights()])
    assert packed.size < model.vector.size  # which has gaps
    assert terrain(terrain.vectors(packed)[0]) == terrain(model.vector)
    other = make(1, units=3)
    there = terrain.vectors(np.concatenate([w.ravel() for w in other.get_weights()]))[0]
    assert terrain(there) == pytest.approx(other.evaluate(X, Y, verbose=0)[0], rel=1e-5)
    with pytest.raises(ArgumentError, match="vectors of"):
        terrain.vectors(packed[:-1])


def test_a_straight_path_gets_a_direction_across():
    model = make()
    end = model.vector.copy()
    path = np.stack([end - step for step in (0.3, 0.2, 0.1)])
    found = pca_plane(model, X, Y, path, size=9)
    assert np.isfinite(found["loss"]).all()
    assert len(np.unique(found["loss"].round(6))) > 20


def test_three_solutions_lie_on_one_plane():
    models = [make(seed) for seed in range(4)]
    for model in models:
        model.fit(X, Y, epochs=30, verbose=0, lanes=1)
    found = valleys(models[0], X, Y, [m.vector for m in models[1:]], size=9)
    assert len(found["points"]) == 4
    for model, point in list(zip(models, found["points"], strict=True))[:3]:
        assert point["loss"] == pytest.approx(Terrain(models[0], X, Y)(model.vector), rel=1e-5)
        assert found["a"][0] <= point["a"] <= found["a"][-1]
        assert found["b"][0] <= point["b"] <= found["b"][-1]
    distance = np.linalg.norm(models[1].vector - models[0].vector)
    assert np.hypot(found["points"][1]["a"], found["points"][1]["b"]) == pytest.approx(distance, rel=1e-4)


def test_places_are_found_again():
    plane = Plane(np.arange(4.0), np.array([1.0, 0, 0, 1]), np.array([0, 2.0, 1, 0]), (-1, 1), (-1, 1))
    assert plane.places([plane.at(0.5, -0.25)])[0] == pytest.approx([0.5, -0.25])


def test_what_cannot_be_drawn_raises():
    model = make()
    with pytest.raises(ArgumentError, match="at least three"):
        pca_plane(model, X, Y, [model.vector] * 2)
    with pytest.raises(ArgumentError, match="never moves"):
        pca_plane(model, X, Y, [model.vector] * 3)
    with pytest.raises(ArgumentError, match="two other solutions"):
        valleys(model, X, Y, [model.vector])
    with pytest.raises(ArgumentError, match="on a line"):
        valleys(model, X, Y, [model.vector + 1, model.vector + 2])
    with pytest.raises(ArgumentError, match=f"at least {LEAST}"):
        landscape(model, X, Y, size=3)
    with pytest.raises(ArgumentError, match="compile"):
        landscape(Sequential([Input((3,)), layers.Dense(1)]), X, Y)


def test_a_loss_that_is_not_finite_is_nan():
    model = make()
    terrain = Terrain(model, X, Y)
    with np.errstate(all="ignore"):
        assert np.isnan(terrain(np.full_like(model.vector, np.inf)))
    assert np.isfinite(terrain(model.vector))


def test_little_time_makes_a_coarse_grid():
    assert landscape(make(), X, Y, size=25, seconds=1e-9)["loss"].shape == (LEAST, LEAST)
