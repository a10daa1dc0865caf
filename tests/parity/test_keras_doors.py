"""Keras's small doors: programs that use its other names, functions and arguments run here, and give the same numbers.

Each is run with thalweg, and where Keras is installed also with it.
"""

import numpy as np
import pytest

import thalweg
from thalweg import initializers, layers, losses, metrics

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(16, 4)).astype("f")
Y = RANDOM.integers(0, 3, 16)
P = RANDOM.uniform(0.1, 0.9, (16, 3)).astype("f")
SHARES = P / P.sum(axis=1, keepdims=True)
BITS = RANDOM.integers(0, 2, (16, 3)).astype("f")
ONE_HOT = np.eye(3, dtype="f")[Y]
W = RANDOM.uniform(0, 2, 16).astype("f")
IMAGES = RANDOM.normal(size=(2, 8, 8, 3)).astype("f")

# Expressions whose values are compared; `keras` is either package.
VALUES = [
    "keras.layers.MaxPool1D is keras.layers.MaxPooling1D",
    "keras.layers.AvgPool2D is keras.layers.AveragePooling2D",
    "keras.layers.GlobalAvgPool2D is keras.layers.GlobalAveragePooling2D",
    "keras.layers.Convolution2DTranspose is keras.layers.Conv2DTranspose",
    "keras.layers.SeparableConvolution2D is keras.layers.SeparableConv2D",
    "keras.initializers.he_normal is keras.initializers.HeNormal",
    "keras.regularizers.l2(0.1).get_config()['l2']",
    "keras.regularizers.l1_l2 is keras.regularizers.L1L2",
    "keras.constraints.max_norm(2).get_config()['max_value']",
    "keras.Layer is keras.layers.Layer and keras.Loss is keras.losses.Loss and keras.Metric is keras.metrics.Metric",
    "keras.Optimizer is keras.optimizers.Optimizer and keras.Initializer is keras.initializers.Initializer",
    "keras.backend.floatx(), keras.backend.epsilon(), keras.backend.image_data_format()",
    "keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()",
    "keras.config.set_floatx('float32'), keras.config.set_image_data_format('channels_last')",
    "keras.utils.clear_session()",
    "keras.losses.huber([[0.0, 1.0], [2.0, 9.0]], [[0.5, 1.0], [4.0, 1.0]], 2.0)",
    "keras.losses.binary_crossentropy(BITS, 4 * P - 2, from_logits=True, label_smoothing=0.1)",
    "keras.losses.sparse_categorical_crossentropy(Y, SHARES)",
    "keras.losses.binary_crossentropy(1.1 * BITS - 0.05, P)",
    "keras.losses.BinaryCrossentropy()(1.1 * BITS - 0.05, P)",
    "keras.losses.BinaryCrossentropy(from_logits=True)(1.1 * BITS - 0.05, 4 * P - 2)",
    "keras.losses.categorical_crossentropy(ONE_HOT + 0.2 * P, SHARES)",
    "keras.losses.CategoricalFocalCrossentropy()(ONE_HOT + 0.2 * P, SHARES)",
    "keras.losses.mean_squared_error(IMAGES, IMAGES[::-1])",
    "keras.metrics.mean_absolute_error is keras.losses.mean_absolute_error",
    "keras.metrics.binary_accuracy(BITS, P, 0.4)",
    "keras.metrics.top_k_categorical_accuracy(ONE_HOT, P, k=2)",
    "keras.metrics.sparse_top_k_categorical_accuracy(Y, P, 1)",
    "not keras.layers.Dense.from_config(keras.layers.Dense(3, 'relu', trainable=False).get_config()).trainable",
    "keras.layers.Dense(3, input_dim=4, dtype='float32').units",
    "keras.layers.LeakyReLU(alpha=0.1).negative_slope",
    "keras.Sequential([keras.layers.Dense(3, input_shape=(4,))]).count_params()",
    "keras.Sequential([keras.layers.Conv2D(3, 3, input_shape=(8, 8, 1)), keras.layers.Flatten()]).count_params()",
    "[w.shape for w in keras.Sequential([keras.layers.Dense(3, input_dim=4)]).weights]",
    "[len(n) for n in frozen(keras)]",
    "keras.models.clone_model(model(keras)).count_params()",
    "keras.models.model_from_json(model(keras).to_json()).layers[1].rate",
    "keras.Sequential.from_config(model(keras).get_config()).layers[0].name",
    "(lambda m: (m.build((None, 4)), m.count_params()))(keras.Sequential([keras.layers.Dense(3)]))[1]",
    "keras.optimizers.Adam.from_config(keras.optimizers.Adam(0.5, amsgrad=True).get_config()).amsgrad",
    "keras.losses.Poisson.from_config(keras.losses.Poisson(reduction='sum').get_config())(BITS, P)",
    "float(keras.metrics.Recall.from_config(keras.metrics.Recall(0.3).get_config())(BITS, P))",
    "keras.metrics.Precision(thresholds=[0.2, 0.5, 0.8])(BITS, P)",
    "keras.metrics.TruePositives([0.2, 0.5])(BITS, P)",
    "state(keras.metrics.BinaryAccuracy())",
    "state(keras.metrics.RootMeanSquaredError())",
    "state(keras.metrics.CategoricalCrossentropy())",
    "state(keras.metrics.Recall())",
    "state(keras.metrics.FalsePositives())",
    "state(keras.metrics.AUC(num_thresholds=50))",
    "state(keras.metrics.R2Score())",
    "state(keras.metrics.F1Score(average='macro'))",
    "state(keras.metrics.MeanMetricWrapper(keras.losses.mean_squared_error, 'mse'))",
    "total(keras.metrics.Mean())",
    "total(keras.metrics.Sum(name='all'))",
    "np.concatenate([np.ravel(v.numpy()) for v in variables(keras)])",
    "np.asarray(keras.Variable([1.0, 4.0]) * 2 - keras.ops.sqrt(keras.Variable([1.0, 4.0])))",
    "[str(np.asarray(keras.Variable(v).value).dtype) for v in (3, 2.5, [1, 2], P, np.arange(3, dtype='int32'))]",
    "[float(v) for v in added(keras)]",
    "keras.utils.normalize(P, axis=1, order=1)",
    "keras.utils.pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2, padding='post', truncating='post', value=7)",
    "keras.preprocessing.sequence.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]], dtype='float32')",
    "descent(keras, keras.optimizers.SGD(0.1, nesterov=True))",
    "descent(keras, keras.optimizers.SGD(lambda: 0.1, momentum=0.9, nesterov=True))",
    "descent(keras, keras.optimizers.Adam(learning_rate=lambda: 0.05))",
    "descent(keras, 'adam', jit_compile='auto', steps_per_execution=1, run_eagerly=False, auto_scale_loss=True)",
    "descent(keras, keras.optimizers.Adam(), loss=keras.losses.mean_absolute_error)",
    "validated(keras, validation_freq=2, validation_steps=2, validation_batch_size=3)",
    "validated(keras, validation_freq=[1, 4], steps_per_epoch=4)",
    "weighted(keras).evaluate(X, X[:, :1], batch_size=4, steps=2, verbose=0)",
    "weighted(keras).predict(X, batch_size=4, steps=2, verbose=0)",
    "streamed(keras)",
    "weighted(keras).evaluate(halves(keras), verbose=0)",
    "weighted(keras).predict(halves(keras), verbose=0)",
]

# Statements that run in both.
STATEMENTS = [
    "keras.layers.MaxPool2D(2)",
    "keras.layers.AvgPool1D(2)",
    "keras.layers.GlobalAvgPool2D()",
    "keras.layers.Convolution2D(3, 3)",
    "keras.initializers.he_normal()",
    "keras.regularizers.l2(0.1)",
    "keras.constraints.max_norm(2)",
    "keras.layers.Dense.from_config(keras.layers.Dense(3).get_config())",
    "keras.optimizers.Adam.from_config(keras.optimizers.Adam().get_config())",
    "keras.losses.Huber.from_config(keras.losses.Huber().get_config())",
    "keras.Sequential.from_config(built(keras).get_config())",
    "built(keras).get_config()",
    "built(keras).to_json()",
    "keras.models.clone_model(built(keras))",
    "keras.Sequential([keras.Sequential([keras.layers.Dense(3)])])",
    "keras.Sequential([keras.layers.Dense(3)]).summary()",
    "built(keras).summary(80, [0.5, 0.8, 1.0], print, True, True, ['.*', '.*'])",
    "keras.Sequential([keras.layers.Dense(3)]).build((None, 4))",
    "keras.layers.Dense(3, input_shape=(4,))",
    "keras.layers.Dense(3, input_dim=4)",
    "keras.layers.Conv2D(3, 3, input_shape=(8, 8, 1))",
    "built(keras).compile('adam', ['mse'])",
    "built(keras).compile('adam')",
    "built(keras).compile('adam', lambda y, p: (y - p) ** 2)",
    "built(keras).compile('adam', 'mse', run_eagerly=True)",
    "keras.layers.Dense(3)(X)",
    "keras.Model(i := keras.Input((4,)), keras.layers.Dense(3)(i))",
    "keras.Model",
    "built(keras).layers[0].kernel",
    "built(keras).weights",
    "built(keras).trainable_variables",
    "built(keras).layers[0].output",
    "built(keras).inputs",
    "built(keras).layers[0].add_loss",
    "keras.losses.mean_squared_error(X, X)",
    "keras.metrics.mean_squared_error(X, X)",
    "keras.metrics.MeanSquaredError().update_state(X, X)",
    "keras.metrics.Mean()",
    "keras.layers.Dense(3, dtype='float32')",
    "keras.layers.Dense(3, trainable=False)",
    "keras.layers.Concatenate()",
    "keras.layers.concatenate",
    "keras.backend.clear_session()",
    "keras.utils.normalize(X)",
    "keras.Loss",
    "built(keras).fit(X, Y, sample_weight=W, steps_per_epoch=1, verbose=0)",
    "built(keras).evaluate(X, Y, steps=1, verbose=0)",
    "built(keras).fit(((X, Y) for _ in range(4)), epochs=2, steps_per_epoch=2, verbose=0)",
    "built(keras).predict(((X,) for _ in range(2)), steps=2, verbose=0)",
]


def built(keras):
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.build((None, 4))
    return model


def model(keras):
    return keras.Sequential([keras.layers.Dense(3, input_dim=4, name="hidden"), keras.layers.Dropout(0.25)])


def frozen(keras):
    m = keras.Sequential(
        [keras.layers.Dense(3, input_dim=4, trainable=False), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    return m.weights, m.trainable_weights, m.non_trainable_weights, m.trainable_variables, m.variables


def weighted(keras, optimizer="sgd", loss="mse", **more):
    m = keras.Sequential([keras.layers.Dense(1, input_dim=4, kernel_initializer="ones")])
    m.compile(optimizer, loss, **more)
    return m


def descent(keras, optimizer, **more):
    m = weighted(keras, optimizer, **more)
    m.fit(X, X[:, :1] - X[:, 1:2], epochs=3, batch_size=4, shuffle=False, verbose=0)
    return m.layers[0].kernel.numpy() if keras is thalweg else np.asarray(m.layers[0].kernel)


def variables(keras):
    """What variables hold after they were changed, by themselves and as a layer's weights in training."""

    class Scale(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.factor = keras.Variable(2 * np.ones(4, "f"), name="factor")
            self.shift = keras.Variable("zeros", shape=(4,), trainable=False)

        def call(self, x):
            return x * self.factor + self.shift

    alone = keras.Variable(W)
    alone.assign_add(W)
    alone.assign_sub(0.25 * W)
    scale = Scale()
    m = keras.Sequential([keras.Input((4,)), scale, keras.layers.Dense(1, kernel_initializer="ones")])
    m.compile("sgd", "mse")
    m.fit(X, X[:, :1], batch_size=4, shuffle=False, verbose=0)
    return alone, *m.weights


def added(keras):
    """The losses of a model: terms of layers, penalties on their outputs and weights."""

    class Term(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.mean(keras.ops.square(x)))
            return x

    dense = keras.layers.Dense(2, "tanh", kernel_initializer="ones", kernel_regularizer="l2", activity_regularizer="l1")
    m = keras.Sequential([keras.Input((4,)), keras.layers.ActivityRegularization(0.1, 0.2), dense, Term()])
    m(X)
    return m.losses


def validated(keras, **more):
    history = weighted(keras).fit(
        X, X[:, :1], batch_size=4, epochs=4, shuffle=False, validation_data=(X, X[:, :1]), verbose=0, **more
    )
    return history.history["val_loss"]


def halves(keras):
    class Halves(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            rows = slice(8 * index, 8 * index + 8)
            return X[rows], X[rows, :1] - X[rows, 1:2], W[rows]

    return Halves()


def streamed(keras):
    m = weighted(keras)
    history = m.fit(halves(keras), epochs=3, shuffle=False, validation_data=halves(keras), verbose=0).history
    return [history["loss"], history["val_loss"]]


def state(metric):
    """Three batches, two of them weighted, and after a reset one more."""
    targets = ONE_HOT if "Categorical" in type(metric).__name__ else BITS
    predictions = SHARES if "Categorical" in type(metric).__name__ else P
    results = []
    for rows, weight in ((slice(0, 5), None), (slice(5, 10), W[5:10]), (slice(10, 16), W[10:])):
        metric.update_state(targets[rows], predictions[rows], sample_weight=weight)
        results.append(float(metric.result()))
    metric.reset_state()
    metric.update_state(targets[3:12], predictions[3:12])
    return [*results, float(metric.result()), float(metric(targets, predictions))]


def total(metric):
    results = []
    for values, weight in ((W, None), (P, P), (P, W), (3.0, 2.0)):
        metric.update_state(values, sample_weight=weight)
        results.append(float(metric.result()))
    metric.reset_state()
    return [*results, float(metric.result()), float(metric([1.0, 5.0]))]


def value(code, package):
    return eval(code, globals() | {"keras": package})


def numbers(result):
    """A result as arrays; anything else stays as it is."""
    if isinstance(result, (tuple, list)) and result and not isinstance(result[0], (int, float, np.ndarray)):
        return [numbers(inner) for inner in result]
    return result if isinstance(result, (str, bool)) or result is None else np.asarray(result)


def compare(ours, theirs):
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b)
    elif isinstance(ours, np.ndarray) and ours.dtype.kind in "bif":
        assert ours.shape == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    else:
        assert ours == theirs


@pytest.mark.parametrize("code", VALUES)
def test_it_runs(code):
    result = numbers(value(code, thalweg))
    assert result is not False


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", STATEMENTS)
def test_a_statement_runs(code, capsys):
    exec(code, globals() | {"keras": thalweg})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", STATEMENTS)
def test_a_statement_runs_in_keras(code, keras, capsys):
    exec(code, globals() | {"keras": keras})


@pytest.mark.filterwarnings("ignore")  # Keras advises against input_shape, and against alpha
@pytest.mark.parametrize("code", VALUES)
def test_keras_gives_the_same(code, keras):
    compare(numbers(value(code, thalweg)), numbers(value(code, keras)))


def test_a_difference_would_be_seen():
    with pytest.raises(AssertionError):
        compare(numbers(state(metrics.Recall())), numbers(state(metrics.Precision())))


SAME = {  # the functions that Keras has, and where
    "losses": (losses.by_row.__all__, {"circle", "ctc"}),
    "metrics": (metrics.row_scores.__all__, {"concordance_correlation", "pearson_correlation"}),
    "initializers": (initializers.__all__, {"stft"}),
}


@pytest.mark.parametrize("module", SAME)
def test_every_function_of_keras_is_here(module, keras):
    ours, absent = SAME[module]
    theirs = {n for n in dir(getattr(keras, module)) if n.islower() and not n.startswith("_")}
    theirs -= {"get", "serialize", "deserialize"}
    assert theirs - absent == theirs & set(ours)


SHORT = {"MAE", "MAPE", "MSE", "MSLE", "bce", "kld", "mae", "mape", "mse", "msle"}  # names of Keras 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(set(losses.by_row.__all__) - {"LossFunction", "dice", "tversky"} - SHORT))
def test_a_loss_of_rows_is_keras_s(name, keras):
    sparse = name.startswith("sparse") or "generalized" in name
    y = Y if sparse else SHARES[::-1] if "kl" in name else ONE_HOT
    more = {"q": 0.5} if "generalized" in name else {}
    compare(getattr(losses, name)(y, SHARES, **more), np.asarray(getattr(keras.losses, name)(y, SHARES, **more)))


def test_an_alias_is_the_same_class_and_has_no_row_of_its_own():
    for name in layers.aliases.__all__:
        kind = getattr(layers, name)
        assert layers.CLASSES[kind.__name__] is kind
        assert name not in layers.CLASSES
    assert len(layers.aliases.__all__) >= 13
