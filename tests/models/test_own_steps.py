"""Training steps of one's own: the programs that they become, beside fit's own step and beside sums by hand."""

import copy
from itertools import pairwise

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, load_model, losses, ops, optimizers, random, schedules
from thalweg.errors import ArgumentError, DivergedError, ThalwegError
from thalweg.layers import BatchNormalization, Dense, Dropout, Embedding

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(48, 3)).astype(np.float32), RANDOM.normal(size=(48, 2)).astype(np.float32)
CLASSES = np.arange(48) % 2
engines = pytest.mark.parametrize("engine", ["reference", "native"])


class Noted(layers.Layer):
    """Adds a term to the loss."""

    def call(self, x):
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        return x


class Plain(Model):
    """A step as fit makes it from compile's loss."""

    def train_step(self, data):
        x, y, weight = thalweg.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=True)
        loss = self.compute_loss(x, y, y_pred, weight)
        self.minimize(loss)
        return {"loss": loss}


def network(kind, engine, *stack):
    """The same network as a model of either class."""
    x = Input((3,))
    h = x
    for layer in stack:
        h = layer(h)
    return kind(x, h, seed=1, engine=engine)


def softmax():
    return Dense(2, "softmax")


STACKS = {  # what a network is made of, and its loss
    "dense": (lambda: [Dense(4, "tanh"), Dense(2)], "mse", Y),
    "normalization": (lambda: [Dense(4), BatchNormalization(), Dense(2)], "mse", Y),
    "dropout": (lambda: [Dense(9, "relu"), Dropout(0.5), Dense(2)], "mse", Y),
    "softmax": (lambda: [Dense(4), softmax()], "sparse_categorical_crossentropy", CLASSES),
    "sums": (lambda: [Dense(4), softmax()], losses.SparseCategoricalCrossentropy(reduction="sum"), CLASSES),
}


def trained(model, y, loss, optimizer, **options):
    model.compile(optimizer, loss)
    history = model.fit(X, y, batch_size=16, epochs=2, verbose=0, **options)
    return model.get_weights(), history.history["loss"]


def compared(make, engine, y, loss, optimizer=optimizers.Adam, **options):
    """The weights and losses of the step above, and of fit's own."""
    found, told = trained(network(Plain, engine, *make()), y, loss, optimizer(0.01), **options)
    wanted, said = trained(network(Model, engine, *make()), y, loss, optimizer(0.01), **options)
    for w, v in zip(found, wanted, strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(told, said, rtol=1e-4)


@engines
@pytest.mark.parametrize("name", STACKS)
def test_a_step_that_does_what_fit_does_trains_as_fit_does(name, engine):
    make, loss, y = STACKS[name]
    compared(make, engine, y, loss)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda rate: optimizers.SGD(schedules.InverseTimeDecay(rate, 1, 0.5), momentum=0.9),
        lambda rate: optimizers.Adam(rate, clipnorm=0.1, weight_decay=0.1),
        lambda rate: optimizers.Adam(rate, gradient_accumulation_steps=2),
        lambda rate: optimizers.Muon(rate),
    ],
    ids=["schedule", "clipping", "accumulation", "whole arrays"],
)
def test_optimizers_count_and_change_as_in_fit(optimizer):
    compared(lambda: [Dense(4, "tanh"), Dense(2)], "native", Y, "mse", optimizer)


@engines
def test_weights_of_rows_count_as_in_fit(engine):
    weights = np.linspace(0, 2, len(X))
    compared(lambda: [Dense(2)], engine, Y, "mse", sample_weight=weights)
    compared(lambda: [softmax()], engine, CLASSES, "sparse_categorical_crossentropy", class_weight={0: 1.0, 1: 3.0})


@pytest.mark.parametrize(
    "make",
    [
        lambda: [Dense(4, kernel_regularizer="l2"), Dense(2, activity_regularizer="l1")],
        lambda: [Dense(4, kernel_regularizer="orthogonal_regularizer"), Dense(2)],
        lambda: [Dense(4), Noted(), Dense(2)],
        lambda: [Dense(4, kernel_constraint="max_norm"), Dense(2, kernel_constraint="non_neg")],
    ],
    ids=["penalties", "orthogonal", "add_loss", "constraints"],
)
def test_penalties_terms_of_layers_and_constraints_are_those_of_fit(make):
    found, _ = trained(network(Plain, "native", *make()), Y, "mse", optimizers.SGD(0.1))
    wanted, _ = trained(network(Model, "native", *make()), Y, "mse", optimizers.SGD(0.1))
    for w, v in zip(found, wanted, strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-4, atol=1e-6)


def test_tables_of_embeddings_are_updated_by_rows_as_in_fit():
    ids = RANDOM.integers(0, 7, size=(48, 2))

    def fitted(kind):
        x = Input((2,))
        model = kind(x, Dense(2)(layers.Flatten()(Embedding(7, 3)(x))), seed=1)
        model.compile("adam", "mse")
        model.fit(ids, Y, verbose=0)
        return model.get_weights()

    for w, v in zip(fitted(Plain), fitted(Model), strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-4, atol=1e-6)


# --- several minimisations --------------------------------------------------------------------------------------------


class Chain(Model):
    """y = x·v·w, each of whose weights is trained by a loss and an optimizer of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first = Dense(1, use_bias=False, kernel_initializer="ones")
        self.second = Dense(1, use_bias=False, kernel_initializer="ones")

    def call(self, x):
        return self.second(self.first(x))

    def train_step(self, data):
        x, y = data
        one = ops.mean(ops.square(self(x) - y))
        self.minimize(one, self.first, self.one)
        two = ops.mean(ops.abs(self(x) - y))
        self.minimize(two, [self.second], self.two)
        return {"one": one, "two": two, "again": two}


def chain(engine="native", one=None, two=None, kind=Chain):
    model = kind(seed=1, engine=engine)
    model.one, model.two = one or optimizers.SGD(0.1), two or optimizers.SGD(0.2)
    model.compile()
    return model


@engines
def test_a_second_minimisation_sees_the_weights_that_the_first_has_left(engine):
    model = chain(engine)
    x, y = np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]])
    history = model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    v = w = 1.0
    told = []
    for _ in range(2):
        one = v * v * w * w * 2.5
        v -= 0.1 * 2 * v * w * w * 2.5
        two = abs(v * w) * 1.5
        told.append((one, two))
        w -= 0.2 * abs(v) * np.sign(w) * 1.5
    np.testing.assert_allclose([a.item() for a in model.get_weights()], [v, w], rtol=1e-5)
    np.testing.assert_allclose(history.history["one"], [one for one, _ in told], rtol=1e-5)
    np.testing.assert_allclose(history.history["two"], [two for _, two in told], rtol=1e-5)
    assert history.history["again"] == history.history["two"]
    assert list(history.history) == ["one", "two", "again"]


@engines
def test_weights_that_no_minimisation_names_stay(engine):
    class First(Chain):
        def train_step(self, data):
            loss = ops.mean(self(data))
            self.minimize(loss, self.first.weights, self.one)
            return {"loss": loss}

    model = chain(engine, optimizers.Adam(0.1), kind=First)
    model.fit(X[:, :1], verbose=0)
    first, second = (w.item() for w in model.get_weights())
    assert first != 1
    assert second == 1


class Both(Chain):
    """Two minimisations of all weights on a batch, by one optimizer."""

    def train_step(self, data):
        x, y = data
        for _ in range(2):
            loss = ops.mean(ops.square(self(x) - y))
            self.minimize(loss)
        return {"loss": loss}


@engines
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.Adam(0.02),
        lambda: optimizers.Nadam(schedules.InverseTimeDecay(0.02, 1, 0.5)),
        lambda: optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    ],
    ids=["adam", "schedule", "momentum"],
)
def test_an_optimizer_used_twice_in_a_step_counts_two_updates(engine, optimizer):
    model = Both(seed=1, engine=engine)
    model.compile(optimizer())
    plain = Sequential([Dense(1, use_bias=False, kernel_initializer="ones") for _ in range(2)], seed=1, engine=engine)
    plain.compile(optimizer(), "mse")
    x, y = X[:, :1], Y[:, :1]
    for _ in range(2):
        model.train_on_batch(x, y)
        model.fit(x, y, batch_size=len(x), verbose=0)
        for _ in range(4):
            plain.train_on_batch(x, y)
    for w, v in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-5)
    assert model.optimizer.iterations == 8


def test_optimizers_that_cannot_count_several_updates_a_step_say_so():
    for optimizer in (optimizers.Adafactor(), optimizers.SGD(gradient_accumulation_steps=2)):
        model = Both(seed=1)
        model.compile(optimizer)
        with pytest.raises(ArgumentError, match="an optimizer of its own"):
            model.fit(X[:, :1], Y[:, :1], verbose=0)


class Moving(Model):
    """Calls a normalisation once, and uses what it returns in two minimisations."""

    def __init__(self, **options):
        super().__init__(**options)
        self.norm, self.out = BatchNormalization(momentum=0.5), Dense(1)

    def call(self, x):
        return self.out(self.norm(x))

    def train_step(self, x):
        h = self.norm(x, training=self.learns)
        self.minimize(ops.mean(self.out(h)), self.out, self.one)
        self.minimize(ops.mean(ops.square(self.out(h))), self.out, self.two)
        return {"h": ops.mean(h)}


@engines
@pytest.mark.parametrize("acting", [True, False, None])
def test_moving_averages_follow_once_for_each_call_in_training(engine, acting):
    model = Moving(seed=1, engine=engine)
    model.one, model.two, model.learns = optimizers.SGD(0.1), optimizers.SGD(0.1), acting
    model.compile()
    model.train_on_batch(X)
    mean = model.norm.get_weights()[2]
    np.testing.assert_allclose(mean, 0.5 * X.mean(axis=0) if acting else 0 * mean, rtol=1e-4, atol=1e-6)


class Noisy(Chain):
    """Draws numbers before and between minimisations that change nothing, and logs them."""

    def train_step(self, x):
        n = ops.shape(x)[0]
        early, unit = random.normal((n, 1)), self.first(0 * x + 1)
        told = {"early": ops.mean(early * unit)}
        self.minimize(ops.mean(self(x)), self.first, self.one)
        unit = self.first(0 * x + 1)
        told |= {"same": ops.mean(early * unit), "other": ops.mean(random.normal((n, 1)) * unit)}
        self.minimize(ops.mean(self(x)), self.first, self.two)
        return told


@engines
def test_random_numbers_are_shared_where_the_value_is_and_otherwise_new(engine):
    model = chain(engine, optimizers.SGD(0.0), optimizers.SGD(0.0), Noisy)
    told = model.fit(X[:, :1], batch_size=16, epochs=2, verbose=0).history
    assert told["early"] == pytest.approx(told["same"], rel=1e-5)
    assert abs(told["other"][0] - told["early"][0]) > 1e-3
    assert abs(told["early"][0] - told["early"][1]) > 1e-3


@engines
def test_logs_belong_to_the_weights_with_which_they_were_computed(engine):
    class Told(Chain):
        def train_step(self, data):
            x, _ = data
            before = self(x)
            self.minimize(ops.mean(before), self.first, self.one)
            return {"before": ops.mean(before) * 2, "after": self(x), "x": x, "number": 3.0}

    model = chain(engine, optimizers.SGD(0.1), kind=Told)
    x = np.array([[1.0], [3.0]])
    told = model.train_on_batch(x, x, return_dict=True)
    assert told == pytest.approx({"before": 4.0, "after": 2 * (1 - 0.1 * 2), "x": 2.0, "number": 3.0}, rel=1e-5)


def test_the_engines_agree_on_several_batches():
    told, weights = {}, {}
    for engine in ("reference", "native"):
        model = chain(engine, optimizers.Adam(0.01), optimizers.RMSprop(0.02))
        told[engine] = model.fit(X[:, :1], Y[:, :1], batch_size=20, epochs=3, verbose=0).history
        weights[engine] = model.get_weights()
    assert told["native"].keys() == told["reference"].keys()
    for name, values in told["native"].items():
        np.testing.assert_allclose(values, told["reference"][name], rtol=1e-4)
    for w, v in zip(*weights.values(), strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-4)


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_fit_may_be_cut_and_run_on_lanes(lanes):
    def fitted(*epochs):
        model = chain("native", optimizers.Adam(0.01), optimizers.RMSprop(0.02))
        for count in epochs:
            model.fit(X[:, :1], Y[:, :1], batch_size=16, epochs=count, lanes=lanes, verbose=0)
        return model.get_weights()

    for w, v in zip(fitted(4), fitted(1, 3), strict=True):
        np.testing.assert_array_equal(w, v)


# --- around the step --------------------------------------------------------------------------------------------------


class Adversaries(Model):
    """Two networks, neither of which is called outside of the step."""

    def __init__(self, **options):
        super().__init__(**options)
        self.judge = Sequential([Input((3,)), Dense(4, "tanh"), Dense(1)])
        self.forger = Sequential([Input((2,)), Dense(3)])

    def compile(self, judging, forging):
        super().compile()
        self.judging, self.forging = judging, forging

    def train_step(self, real):
        n = ops.shape(real)[0]
        judged = ops.mean(ops.softplus(-self.judge(real)))
        judged += ops.mean(ops.softplus(self.judge(self.forger(random.normal((n, 2))))))
        self.minimize(judged, self.judge, self.judging)
        forged = ops.mean(ops.softplus(-self.judge(self.forger(random.normal((n, 2))))))
        self.minimize(forged, self.forger, self.forging)
        return {"judged": judged, "forged": forged}


def test_a_model_without_a_call_trains_and_predicts_nothing():
    thalweg.utils.set_random_seed(0)  # of the two networks' weights, and of the noise
    model = Adversaries(seed=1)
    model.compile(optimizers.Adam(0.01), optimizers.Adam(0.01))
    before = model.forger.predict(Y)
    assert list(model.fit(X, verbose=0).history) == ["judged", "forged"]
    assert model.train_on_batch(X) == pytest.approx(list(model.train_on_batch(X, return_dict=True).values()), rel=0.2)
    assert not np.allclose(model.forger.predict(Y), before)
    for use in (lambda: model.predict(X), lambda: model.export("model.onnx")):
        with pytest.raises(ThalwegError, match="no call"):
            use()


def test_callbacks_validation_and_streams_work_with_it():
    model = network(Plain, "native", Dense(2))
    model.compile("adam", "mse", metrics=["mae"])
    seen = []
    listener = thalweg.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(sorted(logs)))
    stop = thalweg.callbacks.EarlyStopping("val_loss", patience=5)
    history = model.fit(X, Y, epochs=2, validation_split=0.25, callbacks=[listener, stop], verbose=2)
    assert list(history.history) == ["loss", "val_loss", "val_mae"]
    assert seen == [["loss"]] * 4
    batches = ((X[at : at + 16], Y[at : at + 16]) for at in (0, 16, 32) * 2)
    streamed = model.fit(batches, steps_per_epoch=3, epochs=2, verbose=0)
    assert len(streamed.history["loss"]) == 2
    assert model.evaluate(X, Y, return_dict=True, verbose=0).keys() == {"loss", "mae"}


def test_a_learning_rate_is_set_between_steps():
    model = chain(one=optimizers.SGD(0.0), two=optimizers.SGD(0.0))
    model.train_on_batch(X[:, :1], Y[:, :1])
    assert [w.item() for w in model.get_weights()] == [1, 1]
    model.two.learning_rate = 0.1
    model.train_on_batch(X[:, :1], Y[:, :1])
    first, second = (w.item() for w in model.get_weights())
    assert first == 1 != second
    with pytest.raises(ArgumentError, match="several optimizers"):
        model.optimizer.learning_rate = 0.1
    alone = network(Plain, "native", Dense(2))
    alone.compile("sgd", "mse")
    alone.fit(X, Y, verbose=0, callbacks=[thalweg.callbacks.LearningRateScheduler(lambda epoch: 0.25)])
    assert alone.optimizer.learning_rate == 0.25


@engines
def test_a_test_step_says_what_evaluate_does(engine):
    class Tested(Plain):
        def test_step(self, data):
            x, y = data
            error = self(x) - y
            return {"worst": ops.max(ops.abs(error), axis=-1), "square": ops.square(error)}

    model = network(Tested, engine, Dense(2))
    model.compile("sgd", "mse")
    history = model.fit(X, Y, validation_data=(X, Y), verbose=0)
    error = model.predict(X) - Y
    wanted = {"worst": np.abs(error).max(axis=-1).mean(), "square": np.square(error).mean()}
    assert model.evaluate(X, Y, return_dict=True, verbose=0) == pytest.approx(wanted, rel=1e-5)
    assert list(history.history) == ["loss", "val_worst", "val_square"]
    by_batch = model.evaluate(X, Y, verbose=0, batch_size=16, callbacks=[thalweg.callbacks.LambdaCallback()])
    assert by_batch == pytest.approx(list(wanted.values()), rel=1e-5)

    class Alone(Model):
        test_step = Tested.test_step

    model = network(Alone, engine, Dense(2))
    model.compile("sgd", "mse")
    assert list(model.fit(X, Y, validation_data=(X, Y), verbose=0).history) == ["loss", "val_worst", "val_square"]


def test_inputs_and_targets_come_as_fit_got_them():
    seen = []

    class Structured(Model):
        def __init__(self):
            super().__init__(seed=1)
            self.out = Dense(1)

        def call(self, x):
            return self.out(x["a"]) + self.out(x["b"])

        def train_step(self, data):
            x, y, weight = thalweg.utils.unpack_x_y_sample_weight(data)
            seen.append(
                (sorted(x), x["b"].shape, None if y is None else y.shape, None if weight is None else weight.shape)
            )
            loss = ops.mean(self(x))
            self.minimize(loss)
            return {"loss": loss}

    model = Structured()
    model.compile("sgd")
    x = {"a": X, "b": X}
    model.fit(x, verbose=0)
    model.fit(x, RANDOM.normal(size=(48, 4, 5)), verbose=0)
    model.fit(x, Y[:, 0], sample_weight=np.ones(48), verbose=0)
    at = [now for before, now in pairwise([None, *seen]) if before != now]
    row = (["a", "b"], (None, 3))
    assert at == [(*row, None, None), (*row, (None, 4, 5), None), (*row, (None, 1), (None,))]


def test_sequences_of_any_length_share_weights_and_optimizers():
    def fitted(kind):
        x = Input((None, 3))
        model = kind(x, Dense(2)(layers.GlobalAveragePooling1D()(x)), seed=1, engine="reference")
        model.compile("adam", "mse")
        for steps in (4, 6, 4):
            model.fit(np.repeat(X[:, None], steps, axis=1), Y, verbose=0)
        return model

    plain, own = fitted(Model), fitted(Plain)
    for w, v in zip(own.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-5)
    assert own.optimizer.iterations == plain.optimizer.iterations == 6
    with pytest.raises(ThalwegError, match="sequences of one length"):
        own.fit([X[:2], X[:3]], Y[:2], verbose=0)


def test_weights_and_models_are_saved_without_the_optimizers(tmp_path):
    model = chain()
    model.fit(X[:, :1], Y[:, :1], verbose=0)
    model.save_weights(tmp_path / "w.safetensors")
    other = chain()
    other.build((1,))
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other.predict(X[:, :1]), model.predict(X[:, :1]))
    plain = network(Plain, "native", Dense(2))
    plain.compile("adam", "mse")
    plain.fit(X, Y, verbose=0)
    plain.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert not loaded.compiled
    np.testing.assert_array_equal(loaded.predict(X), plain.predict(X))
    twin = copy.deepcopy(plain)
    for one in (plain, twin):
        one.fit(X, Y, verbose=0)
    for w, v in zip(plain.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


def test_a_step_that_diverges_names_the_value_and_keeps_the_last_weights():
    model = chain(one=optimizers.SGD(1e30))
    with pytest.raises(DivergedError, match="batch 2 of 3"):
        model.fit(X[:, :1], Y[:, :1], batch_size=16, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def stepping(step, layer=None, **attributes):
    """A compiled model with this step."""
    kind = type("Own", (Model,), {"train_step": step})
    x = Input((3,))
    model = kind(x, (layer or Dense(1))(x), seed=1)
    vars(model).update(attributes)
    model.compile("sgd")
    return model


def after(self, x):
    self.minimize(ops.mean(self(x)))
    return {"loss": ops.mean(self.layers[1](x, training=True))}


OTHER = Sequential([Input((3,)), Dense(1)])
WRONG = {  # what a step does → what it is told
    "trains nothing: here a train_step calls self.minimize": lambda self, x: {"loss": ops.mean(x)},
    "a dict of names and numbers": lambda self, x: self.minimize(ops.mean(self(x))),
    "a loss that is computed in train_step": lambda self, x: self.minimize(3.0),
    "trains layers, models and their weights": lambda self, x: self.minimize(ops.mean(self(x)), 3.0),
    "no weights to train": lambda self, x: self.minimize(ops.mean(self(x)), Dense(2)),
    "an optimizer, or compile does": lambda self, x: self.minimize(ops.mean(self(x)), None, "adam"),
    "isn't the model's": lambda self, x: self.minimize(ops.mean(self(x) + OTHER(x))) or {},
    "does not depend on": lambda self, x: self.minimize(ops.mean(x)) or {},
}


@pytest.mark.parametrize("said", WRONG)
def test_a_step_that_is_wrong_says_so(said):
    OTHER.build()
    with pytest.raises(ThalwegError, match=said):
        stepping(WRONG[said]).fit(X, verbose=0)


def test_what_a_step_cannot_be_part_of_says_so(tmp_path):
    model = chain()
    x, y = X[:, :1], Y[:, :1]
    model.fit(x, y, verbose=0)
    uses = [
        lambda: model.fit(x, y, record=True, verbose=0), lambda: model.trace(x, y), model.program, model.schedule,
        model.profile, lambda: thalweg.models.bursts.Bursts(model, x, y),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(ThalwegError, match="train_step of its own"):
            use()
    with pytest.raises(ThalwegError, match="there is no loss"):
        model.evaluate(x, y)
    with pytest.raises(ThalwegError, match="belongs in train_step"):
        model.minimize(0.0)
    with pytest.raises(ArgumentError, match="compile needs an optimizer"):
        Sequential([Dense(1)]).compile(loss="mse")
    with pytest.raises(ThalwegError, match="write your own"):
        Sequential([Dense(1)]).train_step(x)
    with pytest.raises(ThalwegError, match="behind the last minimize"):
        stepping(after, BatchNormalization()).fit(X, verbose=0)
    with pytest.raises(ArgumentError, match="use_ema"):
        chain(one=optimizers.SGD(use_ema=True)).fit(x, y, verbose=0)
    with pytest.raises(ArgumentError, match="belongs to another model"):
        chain(one=model.one).fit(x, y, verbose=0)
    model.one = optimizers.SGD()
    with pytest.raises(ThalwegError, match="compile the model again"):
        model.fit(x, np.zeros((48, 7)), verbose=0)
