"""Masks: which steps of a sequence count, from Masking and Embedding through layers to losses and metrics."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers, losses, ops
from thalweg.errors import ArgumentError, ShapeError, ThalwegWarning
from thalweg.layers import Dense, Embedding, GlobalAveragePooling1D, Layer, Masking
from thalweg.ops.masks import mask_of

ENGINES = {"native": {}, "float64": {"engine": "reference", "dtype": "float64"}}
STEPS = 5


def ragged(rows=21, features=3, seed=0):
    """(x, m): rows of 1 … 5 steps, filled with zeros, and 1 where a step counts."""
    draw = np.random.default_rng(seed)
    x, mask = draw.normal(size=(rows, STEPS, features)), np.ones((rows, STEPS))
    for row in range(rows):
        mask[row, draw.integers(1, STEPS + 1) :] = 0
    return (x * mask[..., None]).astype("float32"), mask


def per_step(outputs=3, activation="softmax", **how):
    return Sequential([Input((STEPS, 3)), Masking(), Dense(4, "tanh"), Dense(outputs, activation)], seed=1, **how)


def shapes_of_masks(*made):
    """The shape of the mask after each layer of a chain, None without one."""
    x, found = Input((STEPS, 3)), []
    for layer in (Masking(), *made):
        x = layer(x)
        mask = mask_of(x)
        found.append(None if mask is None else mask.shape)
    return found


PASSING = [
    Dense(2), layers.Activation("relu"), layers.Dropout(0.5), layers.ReLU(), layers.ELU(), layers.LeakyReLU(),
    layers.PReLU(), layers.LayerNormalization(), layers.GroupNormalization(1), layers.BatchNormalization(),
    layers.GaussianNoise(0.1), layers.GaussianDropout(0.1), layers.AlphaDropout(0.1), layers.SpatialDropout1D(0.1),
    layers.Rescaling(2.0), layers.ActivityRegularization(0.1), layers.Normalization(), layers.Residual([Dense(3)]),
    layers.Parallel([Dense(2), []]), Sequential([Dense(2)]), layers.Lambda(lambda x: x * 2, mask=lambda x, mask: mask),
]  # fmt: skip


@pytest.mark.parametrize("layer", PASSING, ids=lambda layer: type(layer).__name__)
def test_these_layers_pass_masks_on(layer):
    assert shapes_of_masks(layer) == [(None, STEPS)] * 2


@pytest.mark.parametrize(
    "layer", [layers.Conv1D(2, 3), layers.Flatten(), layers.GlobalMaxPooling1D(), layers.Reshape((15,))]
)
def test_at_others_a_mask_ends_with_a_warning(layer):
    with pytest.warns(ThalwegWarning, match="the mask of its input ends at layer"):
        assert shapes_of_masks(layer) == [(None, STEPS), None]


def test_pooling_takes_the_mask_and_says_nothing():
    assert shapes_of_masks(GlobalAveragePooling1D()) == [(None, STEPS), None]


def test_operations_lose_masks_as_in_keras():
    assert mask_of(Masking()(Input((STEPS, 3))) * 2) is None


@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
def test_the_mean_of_the_steps_that_count(options):
    x, mask = ragged()
    model = Sequential([Input((STEPS, 3)), Masking(), GlobalAveragePooling1D()], **options)
    wanted = x.sum(axis=1) / mask.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.predict(x[3:4], verbose=0), model.predict(x, verbose=0)[3:4])


def test_masking_compares_with_its_value_and_sets_zeros():
    x = np.array([[[7, 7], [7, 1], [2, 7]]], "float32")
    assert Masking(7)(x).tolist() == [[[0, 0], [7, 1], [2, 7]]]
    assert np.asarray(Masking(7).compute_mask(x)).tolist() == [[False, True, True]]


def test_the_ids_of_padding():
    model = Sequential([Input((4,)), Embedding(5, 2, mask_zero=True), GlobalAveragePooling1D()], seed=0)
    ids = np.array([[1, 2, 0, 0], [3, 3, 3, 4]])
    (table,) = (model.build(), model.get_weights())[1]
    wanted = np.array([table[[1, 2]].mean(axis=0), table[[3, 3, 3, 4]].mean(axis=0)])
    np.testing.assert_allclose(model.predict(ids, verbose=0), wanted, rtol=1e-5)


def test_a_mask_that_nobody_reads_is_not_computed():
    chain = [Dense(2), GlobalAveragePooling1D(), Dense(1)]
    plain = Sequential([Input((4,)), Embedding(5, 2), Dense(3)], seed=0)
    masked = Sequential([Input((4,)), Embedding(5, 2, mask_zero=True), Dense(3)], seed=0)
    assert str(plain.program("inference")) == str(masked.program("inference"))
    read = Sequential([Input((4,)), Embedding(5, 2, mask_zero=True), *chain], seed=0)
    assert "≠ 0" in str(read.program("inference"))


class Last(Layer):
    """The last step that counts, by a layer of the user's."""

    def call(self, x, mask=None):
        if mask is None:
            return x[:, -1]
        last = mask - ops.concatenate([mask[:, 1:], ops.zeros_like(mask[:, :1])], axis=1)
        return ops.sum(x * ops.expand_dims(last, -1), axis=1)

    def compute_mask(self, inputs, mask=None):
        return None


def test_a_layer_of_the_user_s_gets_the_mask():
    x, mask = ragged()
    model = Sequential([Input((STEPS, 3)), Masking(), Last()])
    wanted = x[np.arange(len(x)), mask.sum(axis=1).astype(int) - 1]
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-6)
    np.testing.assert_allclose(Last()(x, mask=mask), wanted, rtol=1e-6)


class Both(Layer):
    """Takes the masks of two tensors."""

    supports_masking = True

    def call(self, one, other, one_mask=None, other_mask=None):
        assert (one_mask is None, other_mask is None) == (False, True)
        return one + other


def test_a_layer_of_several_tensors_gets_a_mask_for_each():
    x = Input((STEPS, 3))
    assert mask_of(Both()(Masking()(x), Dense(3)(x))).shape == (None, STEPS)


def test_a_given_mask_of_a_model_that_is_called():
    x, mask = ragged()
    inner = Sequential([Input((STEPS, 3)), GlobalAveragePooling1D()])
    wanted = x.sum(axis=1) / mask.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(inner(x, mask=mask), wanted, rtol=1e-5, atol=1e-6)
    a, m = Input((STEPS, 3)), Input((STEPS,))
    np.testing.assert_allclose(
        Model([a, m], inner(a, mask=m)).predict([x, mask], verbose=0), wanted, rtol=1e-5, atol=1e-6
    )


def test_softmax_over_the_places_that_count():
    x = np.array([[1.0, 2.0, 3.0]])
    y = layers.Softmax()(x, mask=np.array([[1, 1, 0]]))
    np.testing.assert_allclose(y, [[1 / (1 + np.e), np.e / (1 + np.e), 0]], rtol=1e-6)
    with pytest.raises(ShapeError, match="Softmax takes a mask of its outputs"):
        layers.Softmax()(Masking()(Input((STEPS, 3))))


def test_statistics_of_a_batch_refuse_a_mask():
    model = Sequential([Input((STEPS, 3)), Masking(), layers.BatchNormalization(), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError, match="can't leave the steps of a mask out of the statistics of a batch"):
        model.fit(np.ones((4, STEPS, 3)), np.ones((4, STEPS, 1)), verbose=0)


# --- losses and metrics ----------------------------------------------------------------------------------------------

CLASSES = np.random.default_rng(3).integers(0, 3, (21, STEPS))
NUMBERS = np.random.default_rng(4).normal(size=(21, STEPS, 3)).astype("float32")
LOSSES = {
    "sparse_categorical_crossentropy": (CLASSES, "softmax", ["accuracy", losses.sparse_categorical_crossentropy]),
    "categorical_crossentropy": (np.eye(3)[CLASSES], "softmax", ["accuracy", "top_k_categorical_accuracy"]),
    "binary_crossentropy": (np.eye(3)[CLASSES], "sigmoid", ["binary_accuracy"]),
    "mse": (NUMBERS, None, ["mae", "rmse", "cosine_similarity"]),
    "cosine_similarity": (NUMBERS, None, ["mse"]),
    "huber": (NUMBERS, None, []),
}


@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("name", LOSSES)
def test_steps_that_do_not_count_are_left_out(name, options):
    """Loss and metrics are those of the steps that count, alone, as if each were a row."""
    y, activation, metrics = LOSSES[name]
    x, mask = ragged()
    model = per_step(3, activation, **options)
    model.compile("sgd", name, metrics=metrics)
    counts = mask.astype(bool)
    alone = Sequential([Input((3,)), Dense(4, "tanh"), Dense(3, activation)], **options)
    alone.compile("sgd", name, metrics=metrics)
    model.build(), alone.build()
    alone.set_weights(model.get_weights())
    wanted = alone.evaluate(x[counts], y[counts], verbose=0, return_dict=True)
    found = model.evaluate(x, y, verbose=0, batch_size=len(x), return_dict=True)
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("options", "lanes"), [({}, 1), ({}, 2), (ENGINES["float64"], 1)])
def test_a_step_of_training_follows_the_steps_that_count(options, lanes):
    x, mask = ragged()
    counts = mask.astype(bool)
    model, alone = per_step(**options), Sequential([Input((3,)), Dense(4, "tanh"), Dense(3, "softmax")], **options)
    for one in (model, alone):
        one.compile("sgd", "sparse_categorical_crossentropy")
        one.build()
    alone.set_weights(model.get_weights())
    model.fit(x, CLASSES, epochs=1, batch_size=21, verbose=0, lanes=lanes)
    alone.fit(x[counts], CLASSES[counts], epochs=1, batch_size=int(mask.sum()), verbose=0)
    for one, other in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_what_is_written_at_steps_that_do_not_count_changes_nothing():
    x, mask = ragged()
    y, other = CLASSES.copy(), np.where(mask > 0, CLASSES, 2 - CLASSES)
    model = per_step()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, other, verbose=0)


def test_a_sum_is_that_of_the_steps_that_count():
    x, mask = ragged()
    model = per_step(3, None)
    model.compile("sgd", losses.MeanSquaredError(reduction="sum"))
    wanted = (((NUMBERS - model.predict(x, verbose=0)) ** 2).mean(axis=-1) * mask).sum()
    assert model.evaluate(x, NUMBERS, verbose=0, batch_size=21) == pytest.approx(wanted, rel=1e-4)


def test_a_batch_in_which_no_step_counts_loses_nothing():
    model = per_step()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = (model.build(), model.get_weights())[1]
    model.fit(np.zeros((4, STEPS, 3)), np.zeros((4, STEPS)), verbose=0)
    assert model.evaluate(np.zeros((4, STEPS, 3)), np.zeros((4, STEPS)), verbose=0) == [0, 0]
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
def test_a_weight_for_each_step(masked, options):
    x, mask = ragged()
    weights = np.random.default_rng(5).random((21, STEPS))
    model = per_step(3, None, **options)
    if not masked:
        model = Sequential([Input((STEPS, 3)), Dense(3)], seed=1, **options)
        mask = np.ones_like(mask)
    model.compile("sgd", "mse")
    each = ((NUMBERS - model.predict(x, verbose=0)) ** 2).mean(axis=-1)
    wanted = (each * weights * mask).sum() / mask.sum()
    found = model.evaluate(x, NUMBERS, sample_weight=weights, batch_size=21, verbose=0)
    assert found == pytest.approx(wanted, rel=1e-4)
    history = model.fit(x, NUMBERS, sample_weight=weights[..., None], batch_size=21, verbose=0).history
    assert history["loss"][0] == pytest.approx(wanted, rel=1e-4)


def test_weights_of_zero_are_as_a_mask_of_which_the_mean_is_over_all_steps():
    x, mask = ragged()
    model = Sequential([Input((STEPS, 3)), Dense(3)], seed=1)
    model.compile("sgd", "mse")
    whole = model.evaluate(x, NUMBERS, sample_weight=np.ones((21, STEPS)), verbose=0)
    assert whole == pytest.approx(model.evaluate(x, NUMBERS, verbose=0), rel=1e-5)
    part = model.evaluate(x, NUMBERS, sample_weight=mask, verbose=0)
    each = ((NUMBERS - model.predict(x, verbose=0)) ** 2).mean(axis=-1)
    assert part == pytest.approx((each * mask).mean(), rel=1e-4)


def test_weights_of_another_shape_are_refused():
    model = Sequential([Input((STEPS, 3)), Dense(3)], seed=1)
    model.compile("sgd", "mse")
    with pytest.raises(
        ShapeError, match=r"one weight a row, or one for each step, \(rows, 5\), got the shape \(21, 4\)"
    ):
        model.fit(np.ones((21, STEPS, 3)), NUMBERS, sample_weight=np.ones((21, 4)), verbose=0)


def test_a_metric_that_is_no_mean_is_refused():
    model = per_step()
    model.compile("sgd", "categorical_crossentropy", metrics=["AUC"])
    with pytest.raises(ArgumentError, match="the metric 'auc' isn't a mean over steps"):
        model.evaluate(np.ones((4, STEPS, 3)), np.ones((4, STEPS, 3)), verbose=0)


def squared(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Own(Model):
    """A model whose class computes its loss, by a loss that looks at the mask."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.last = Masking(), Dense(3)

    def call(self, x):
        return self.last(self.first(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return losses.MeanSquaredError()(y, y_pred)


def test_losses_of_the_user_s_leave_steps_out_too():
    x, mask = ragged()
    for model, loss in ((per_step(3, None), squared), (Own(seed=1), None)):
        model.compile("sgd", loss, metrics=[] if loss is None else [squared])
        each = ((NUMBERS - model.predict(x, verbose=0)) ** 2).mean(axis=-1)
        wanted = (each * mask).sum() / mask.sum()
        found = model.evaluate(x, NUMBERS, verbose=0, batch_size=21)
        assert found == pytest.approx(wanted if loss is None else [wanted] * 2, rel=1e-4)


def test_two_outputs_of_which_one_has_a_mask():
    x, mask = ragged()
    a = Input((STEPS, 3))
    model = Model(a, [Dense(3, name="one")(Masking()(a)), Dense(3, name="other")(a)], seed=1)
    model.compile("sgd", "mse", metrics=["mae"])
    found = model.evaluate(x, [NUMBERS, NUMBERS], verbose=0, batch_size=21, return_dict=True)
    one, other = (NUMBERS - p for p in model.predict(x, verbose=0))
    assert found["one_loss"] == pytest.approx((one**2).mean(axis=-1)[mask > 0].mean(), rel=1e-4)
    assert found["one_mae"] == pytest.approx(abs(one).mean(axis=-1)[mask > 0].mean(), rel=1e-4)
    assert found["other_mae"] == pytest.approx(abs(other).mean(), rel=1e-4)
    assert found["loss"] == pytest.approx(found["one_loss"] + found["other_loss"], rel=1e-4)


def test_a_mask_of_whole_rows():
    x = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]])
    model = Sequential([Input((2,)), Masking(), Dense(1)], seed=1)
    model.compile("sgd", "mse")
    y = np.array([1.0, 5.0, 2.0])
    each = (y - model.predict(x, verbose=0)[:, 0]) ** 2
    assert model.evaluate(x, y, verbose=0) == pytest.approx(each[[0, 2]].mean(), rel=1e-5)


def test_a_saved_model_masks_as_before(tmp_path):
    x, _ = ragged()
    model = Sequential([Input((STEPS, 3)), Masking(0.0), Dense(2), GlobalAveragePooling1D()], seed=1)
    model.save(tmp_path / "m.safetensors")
    from thalweg import load_model

    np.testing.assert_array_equal(
        load_model(tmp_path / "m.safetensors").predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_the_masks_of_what_is_joined():
    x = Input((STEPS, 3))
    one, other, bare = Masking()(x), Masking(1.0)(x), Dense(3)(x)
    with_all = [layers.Add()([one, other]), layers.Maximum()([one, other]), layers.Multiply()([one, other])]
    assert [mask_of(v).shape for v in with_all] == [(None, STEPS)] * 3
    assert mask_of(layers.Add()([one, bare])) is None
    assert mask_of(layers.Concatenate()([one, bare])).shape == (None, STEPS)
    assert mask_of(layers.Concatenate(axis=1)([one, other])).shape == (None, 2 * STEPS)
    assert mask_of(layers.Dot(axes=2)([one, other])) is None
