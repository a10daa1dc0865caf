"""Small programs in Keras's idiom: the same text gives the same numbers here and in Keras.

Functional and subclassed models, own layers, losses and metrics, callbacks, preprocessing, weights carried over.
"""

import numpy as np
import pytest

import thalweg

X = np.random.default_rng(0).normal(size=(24, 4)).astype("f")
Y = X[:, :1] - X[:, 1:2]
C = (np.arange(24) % 3).astype("int32")
IM = np.random.default_rng(1).random((6, 8, 8, 3)).astype("f")
PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def rounded(value):
    return np.asarray(value, "f")


def drawn(model):
    """The model with weights that both libraries have."""
    random = np.random.default_rng(0)
    shapes = [w.shape for w in model.weights]
    model.set_weights([(random.normal(size=shape) * 0.3).astype("f") for shape in shapes])
    return model


def sgd(keras, model, loss="mse", **more):
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss, **more)
    return model


@program
def functional_two_inputs(keras):
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    h = keras.layers.concatenate([keras.layers.Dense(3, activation="tanh")(a), b])
    m = sgd(keras, drawn(keras.Model([a, b], keras.layers.Dense(1)(h))))
    h = m.fit([X[:, :2], X[:, 2:]], Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return rounded(h.history["loss"]), m.input_shape, m.output_shape, len(m.layers)


@program
def functional_dict_io(keras):
    a = keras.Input((4,), name="q")
    m = drawn(keras.Model({"q": a}, {"o": keras.layers.Dense(2, name="o")(a), "p": keras.layers.Dense(1, name="p")(a)}))
    o = m({"q": X})
    return sorted(o), rounded(o["o"]), rounded(m.predict({"q": X}, verbose=0)["p"])


@program
def subclassed(keras):
    class M(keras.Model):
        def __init__(self):
            super().__init__()
            self.d = keras.layers.Dense(3, activation="relu")
            self.o = keras.layers.Dense(1)

        def call(self, x, training=None):
            return self.o(self.d(x))

    m = M()
    m(X)
    drawn(m)
    sgd(keras, m)
    h = m.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return rounded(h.history["loss"]), [w.shape for w in m.get_weights()], len(m.layers)


@program
def custom_layer(keras):
    class Lin(keras.layers.Layer):
        def __init__(self, u, **named):
            super().__init__(**named)
            self.u = u

        def build(self, s):
            self.w = self.add_weight(shape=(s[-1], self.u), initializer="ones", name="w")
            self.b = self.add_weight(shape=(self.u,), initializer="zeros")

        def call(self, x):
            return keras.ops.matmul(x, self.w) + self.b

        def get_config(self):
            return {**super().get_config(), "u": self.u}

    l = Lin(2)
    y = l(X)
    return rounded(y), len(l.trainable_weights), len(l.weights), Lin.from_config(l.get_config()).u


@program
def custom_loss_and_metric_fn(keras):
    m = sgd(
        keras,
        drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])),
        loss=lambda y, q: keras.ops.mean(keras.ops.abs(y - q), axis=-1),
        metrics=[lambda y, q: keras.ops.mean(keras.ops.square(y - q), axis=-1)],
    )
    h = m.fit(X, Y, batch_size=24, epochs=2, verbose=0).history
    return rounded(h["loss"]), len(h)


@program
def metric_by_hand(keras):
    a = keras.metrics.SparseCategoricalAccuracy()
    a.update_state(C, np.eye(3)[(C + 1) % 3])
    a.update_state(C, np.eye(3)[C])
    r = float(a.result())
    a.reset_state()
    return rounded(r), rounded(a.result())


@program
def own_metric(keras):
    class M(keras.metrics.Metric):
        def __init__(self, name="m"):
            super().__init__(name=name)
            self.t = self.add_variable(shape=(), initializer="zeros", name="t")

        def update_state(self, y, q, sample_weight=None):
            self.t.assign(self.t + float(np.sum(np.asarray(y) == np.asarray(q))))

        def result(self):
            return self.t

    m = M()
    m.update_state(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    m.update_state([1.0], [1.0])
    return rounded(m.result())


@program
def callbacks(keras):
    seen = []

    class CB(keras.callbacks.Callback):
        def on_epoch_end(self, e, logs=None):
            seen.append((e, sorted(logs)))

        def on_train_batch_end(self, b, logs=None):
            seen.append(b)

        def on_train_end(self, logs=None):
            seen.append("end")

    m = sgd(keras, drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])), metrics=["mae"])
    m.fit(X, Y, epochs=2, batch_size=12, validation_split=0.25, verbose=0, callbacks=[CB()])
    return seen


@program
def early_stopping(keras):
    m = sgd(keras, drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])))
    h = m.fit(
        X,
        Y,
        epochs=20,
        verbose=0,
        shuffle=False,
        callbacks=[keras.callbacks.EarlyStopping("loss", min_delta=0.5, patience=2)],
    )
    return h.epoch


@program
def lr_schedule(keras):
    m = sgd(keras, drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])))
    h = m.fit(
        X,
        Y,
        epochs=3,
        verbose=0,
        shuffle=False,
        callbacks=[keras.callbacks.LearningRateScheduler(lambda e, lr: lr * 0.5)],
    )
    return rounded(h.history["learning_rate"]), rounded(m.optimizer.learning_rate)


@program
def normalization(keras):
    l = keras.layers.Normalization()
    l.adapt(X)
    m = keras.Sequential([keras.Input((4,)), l])
    return rounded(m.predict(X, verbose=0)[0]), rounded(l(X)[1])


@program
def category_encoding(keras):
    return rounded(keras.layers.CategoryEncoding(4, output_mode="one_hot")(np.array([1, 3]))), rounded(
        keras.layers.Discretization([0.0, 1.0])(np.array([[-1.0, 0.5, 2.0]]))
    )


@program
def transfer_weights(keras):
    def mk():
        i = keras.Input((8, 8, 3))
        h = keras.layers.Conv2D(2, 3, name="c", activation="relu")(i)
        h = keras.layers.BatchNormalization(name="b")(h)
        return keras.Model(i, keras.layers.Dense(2, name="d")(keras.layers.GlobalAveragePooling2D()(h)))

    a, b = drawn(mk()), mk()
    a.get_layer("b").set_weights([np.ones(2), np.zeros(2), np.full(2, 0.1), np.full(2, 2.0)])
    b.set_weights(a.get_weights())
    b.get_layer("d").set_weights([np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2)])
    return (
        rounded(a.get_layer("c").get_weights()[0].sum() - b.get_layer("c").get_weights()[0].sum()),
        rounded(b.predict(IM, verbose=0)[0]),
        next(l.name for l in a.layers if not isinstance(l, keras.layers.InputLayer)),
        a.layers[1].name,
    )


@program
def freeze_and_head(keras):
    base = drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)]))
    base.pop()
    base.trainable = False
    m = keras.Sequential([keras.Input((4,)), base, keras.layers.Dense(1)])
    m.build((None, 4))
    m.layers[-1].set_weights([np.ones((3, 1)), np.zeros(1)])
    sgd(keras, m)
    before = base.get_weights()[0]
    m.fit(X, Y, epochs=1, batch_size=24, verbose=0)
    return (
        bool(np.array_equal(before, base.get_weights()[0])),
        len(m.trainable_weights),
        len(m.non_trainable_weights),
        rounded(m.predict(X[:2], verbose=0)),
    )


@program
def sub_model(keras):
    i = keras.Input((4,))
    h = keras.layers.Dense(3, name="h", activation="relu")(i)
    m = drawn(keras.Model(i, keras.layers.Dense(1)(h)))
    f = keras.Model(m.input, m.get_layer("h").output)
    return rounded(f.predict(X[:2], verbose=0)), rounded(
        keras.Model(inputs=m.inputs, outputs=[l.output for l in m.layers[1:]])(X[:2])[0]
    )


@program
def augmentation(keras):
    aug = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation((0.25, 0.25), fill_mode="nearest", interpolation="nearest"),
        ]
    )
    o = np.asarray(aug(IM))
    return o.shape, bool(np.allclose(o, IM)), bool(np.allclose(aug(IM, training=False), IM, atol=1e-4))


@program
def multi_loss(keras):
    i = keras.Input((4,))
    m = drawn(
        keras.Model(i, [keras.layers.Dense(1, name="r")(i), keras.layers.Dense(3, activation="softmax", name="c")(i)])
    )
    m.compile(
        keras.optimizers.SGD(0.1),
        loss=["mse", "sparse_categorical_crossentropy"],
        loss_weights=[1.0, 0.5],
        metrics=[["mae"], ["accuracy"]],
    )
    h = m.fit(X, [Y, C], batch_size=24, epochs=2, verbose=0).history
    return {k: rounded(v) for k, v in sorted(h.items())}


@program
def class_and_sample_weight(keras):
    m = drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]))
    sgd(keras, m, "sparse_categorical_crossentropy")
    a = m.fit(X, C, batch_size=24, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, verbose=0).history["loss"]
    return rounded(a), rounded(m.evaluate(X, C, sample_weight=np.arange(24.0), verbose=0))


@program
def train_on_batch(keras):
    m = sgd(keras, drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])), metrics=["mae"])
    return [rounded(m.train_on_batch(X, Y)) for _ in range(3)], rounded(m.test_on_batch(X, Y))


@program
def optimizer_adam_clip(keras):
    m = drawn(
        keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(4, activation="gelu", kernel_regularizer=keras.regularizers.L2(0.01)),
                keras.layers.Dense(1),
            ]
        )
    )
    m.compile(keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), clipnorm=0.5), "huber")
    return rounded(m.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]), int(
        m.optimizer.iterations
    )


@program
def config_roundtrip(keras):
    i = keras.Input((4,), name="i")
    m = keras.Model(
        i, keras.layers.Dense(2, name="d", activation="relu")(keras.layers.Dropout(0.2, name="dr")(i)), name="net"
    )
    k = keras.Model.from_config(m.get_config())
    return (
        k.name,
        [l.name for l in k.layers],
        k.count_params(),
        keras.models.model_from_json(m.to_json()).get_layer("d").units,
    )


@program
def residual_shared(keras):
    s = keras.layers.Dense(4, name="s")
    i = keras.Input((4,))
    y = keras.layers.add([i, s(keras.layers.LayerNormalization(name="ln")(s(i)))])
    m = drawn(keras.Model(i, y))
    return rounded(m.predict(X[:2], verbose=0)), len(m.weights), [l.name for l in m.layers][1:3]


@program
def lambda_and_ops(keras):
    i = keras.Input((4,))
    y = keras.layers.Lambda(lambda t: keras.ops.relu(t) * 2)(i)
    y = y[:, :2] + keras.ops.mean(y, axis=-1, keepdims=True)
    m = keras.Model(i, y)
    return rounded(m(X[:2])), m.output_shape


@program
def sequential_grow(keras):
    m = keras.Sequential()
    m.add(keras.Input(shape=(4,)))
    m.add(keras.layers.Dense(3))
    m.summary(print_fn=lambda *a, **k: None)
    m.add(keras.layers.Dense(2))
    drawn(m)
    return (
        m.output_shape,
        rounded(m.predict(X[:1], verbose=0)),
        [l.name.split("_")[0] for l in m.layers],
        len(m.get_weights()),
    )


@program
def checkpoint(keras):
    f = "m.keras"
    m = sgd(keras, drawn(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])))
    m.fit(
        X,
        Y,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.ModelCheckpoint(f, monitor="loss", save_best_only=True)],
    )
    return rounded(keras.models.load_model(f).predict(X[:2], verbose=0))


def same(ours, theirs):
    """Whether two results agree, number by number."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, (list, tuple)):
        return len(ours) == len(theirs) and all(same(a, b) for a, b in zip(ours, theirs, strict=True))
    if isinstance(ours, np.ndarray):
        return np.shape(ours) == np.shape(theirs) and np.allclose(ours, theirs, rtol=2e-3, atol=2e-4)
    return ours == theirs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert PROGRAMS[name](thalweg) is not None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROGRAMS)
def test_keras_gives_the_same(name, keras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert same(PROGRAMS[name](thalweg), PROGRAMS[name](keras))


def test_a_difference_would_be_seen():
    assert same([1, np.ones(2)], (1, np.ones(2)))
    assert not same([1, np.ones(2)], (1, np.ones(2) + 0.01))
    assert not same({"loss": 1}, {"loss": 1, "mae": 2})
    assert not same(np.ones(2), np.ones((2, 1)))
