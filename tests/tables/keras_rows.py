"""The rows of docs/keras-differences.md as programs: what happens here, and that something else happens in Keras.

A program is Python text that Keras runs too, with `keras` for the library. It is refused here, or leaves in `r` what
the row says; with Keras installed it runs there, or leaves something else.
"""

from dataclasses import dataclass
from typing import Any

REFUSED = "refused"  # raises an error of thalweg, an AttributeError or a TypeError
RUNS = "runs"  # here, while Keras raises
OURS_ALONE = {"theirs": False}  # a program that Keras can't run, for want of the name or of TensorFlow


@dataclass(frozen=True)
class Row:
    """What a row says."""

    cell: str  # how its first cell begins, as far as it is unique
    programs: tuple[str, ...]
    ours: Any = REFUSED
    theirs: bool = True  # whether Keras's outcome is another; False: it can't run the program


def each(pattern, *arguments):
    """The pattern with each of these in the place of {}."""
    return tuple(pattern.replace("{}", argument) for argument in arguments)


def row(cell, *programs, ours=REFUSED, theirs=True):
    flat = [text for p in programs for text in (p if isinstance(p, tuple) else (p,))]
    return Row(cell, tuple(flat), ours, theirs)


FITTED = "m = built(keras); m.fit(X, Y, verbose=0); "
STATEFUL = (
    "m = keras.Sequential([keras.Input(batch_shape=(2, 3, 1)), keras.layers.SimpleRNN(1, stateful=True)]); "
    "m.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.ones(1)]); "
)
NETWORK = "[keras.Input((4,)), keras.layers.Dense(1)]"
LOOKUPS = ("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "CategoryEncoding", "Discretization")

MODELS = [
    row("GPU, TPU, mixed precision", *each("keras.layers.Dense(3, dtype={})", "'float16'", "'mixed_float16'")),
    row('`compile(optimizer="rmsprop", loss=None)`', "built(keras).compile()"),
    row(
        "a loss after softmax or sigmoid uses the probabilities",
        "m = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, 'sigmoid', kernel_initializer='ones')])\n"
        "m.compile('sgd', 'binary_crossentropy')\n"
        "r = round(float(m.evaluate(np.full((2, 1), 50.0), np.zeros((2, 1)), verbose=0)), 3)",
        ours=50.0,
    ),
    row(
        "NaN goes on",
        "m = keras.Sequential(" + NETWORK + "); m.compile(keras.optimizers.SGD(1e30), 'mse')\n"
        "m.fit(X, X[:, :1], epochs=9, verbose=0)",
    ),
    row("`fit(steps_per_epoch)` other", "built(keras).fit(X, Y, batch_size=4, steps_per_epoch=2, verbose=0)"),
    row(
        "`fit` on a generator, a `PyDataset` …: each",
        "made, seen = [], []\n"
        "on_end = keras.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: seen.append(len(made)))\n"
        "built(keras).fit((made.append(1) or (X, Y) for _ in range(4)), steps_per_epoch=4, verbose=0,\n"
        "    callbacks=[on_end]); r = seen == [4] * 4",
        ours=True,
    ),
    row(
        "`fit` on a generator that ends",
        "import warnings; warnings.simplefilter('ignore')\n"
        "built(keras).fit(((X, Y) for _ in range(3)), steps_per_epoch=2, epochs=2, verbose=0)",
    ),
    row(
        "`validation_freq` above 1",
        "built(keras).fit(X, Y, epochs=2, validation_data=(X, Y), validation_freq=2, verbose=0,\n"
        "    callbacks=[keras.callbacks.EarlyStopping('val_loss')])",
    ),
    row(
        "`fit`, `evaluate`, `train_on_batch`, `test_on_batch` without `x`",
        *each("built(keras).{}(X)", "train_on_batch", "test_on_batch"),
        **OURS_ALONE,
    ),
    row(
        "`add(rebuild)`, `pop(rebuild)`",
        *each(
            "keras.Sequential(" + NETWORK + ").{}",
            "add(keras.layers.Dense(1), rebuild=False)",
            "pop(rebuild=False)",
        ),
        **OURS_ALONE,
    ),
    row(
        "`save(zipped)`",
        "built(keras).save_weights('m.weights.h5', max_shard_size=1)",
        "built(keras).save('m.keras', zipped=True)",
        *each("built(keras).save('n.keras'); keras.models.load_model('n.keras', {})", "safe_mode=True"),
    ),
    row("`compile(loss_weights, metrics)` in this order", "built(keras).compile('sgd', 'mse', [1.0])"),
    row(
        "`compile(run_eagerly, steps_per_execution",
        "import warnings\nwith warnings.catch_warnings(record=True) as w:\n"
        "    warnings.simplefilter('always')\n    built(keras).compile('sgd', 'mse', steps_per_execution=2)\n"
        "r = 'without effect' in ' '.join(str(one.message) for one in w)",
        ours=True,
    ),
    row(
        "`train_step`, `test_step` in the words of a backend",
        "class M(keras.Model):\n    def train_step(self, data):\n"
        "        loss = keras.ops.mean(keras.ops.square(self(data[0]) - data[1])); self.minimize(loss)\n"
        "        return {'squares': loss}\n"
        "x = keras.Input((4,)); m = M(x, keras.layers.Dense(1)(x)); m.compile('sgd')\n"
        "m.fit(X, X[:, :1], verbose=0)",
        ours=RUNS,
    ),
    row(
        "overridden methods that Keras would call",
        "class M(keras.Model):\n    def predict_step(self, data): pass",
        "class O(keras.optimizers.Optimizer):\n    def update_step(self, *a): pass",
    ),
    row(
        "a network whose output the loss can't take",
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n"
        "    m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\n"
        "    m.compile('sgd', 'categorical_crossentropy')\n"
        "    m.build()\nr = 'softmax' in ' '.join(str(one.message) for one in w)",
        ours=True,
    ),
    row(
        "saved as .keras or .h5", "built(keras).save('m.keras'); r = open('m.keras', 'rb').read(2) == b'PK'", ours=False
    ),
    row("a weight's `name` is kernel", "r = built(keras).weights[0].name", ours="W"),
    row(
        "a clone never has the initial weights of its model",
        "keras.utils.set_random_seed(1); m = built(keras)\nif hasattr(m, 'seed'): m._compiled.seed_given = True\n"
        "c = keras.models.clone_model(m); c.build(); m = keras.models.clone_model(c); m.build()\n"
        "r = bool(np.array_equal(np.asarray(c.weights[0]), np.asarray(m.weights[0])))",
        ours=True,
    ),
    row(
        "`clone_model(input_tensors)`",
        "x = keras.Input((4,)); m = keras.Model(x, keras.layers.Dense(1)(x))\n"
        "keras.models.clone_model(m, clone_function=lambda one: one.__class__.from_config(one.get_config()))",
        "keras.models.clone_model(built(keras), input_tensors=keras.Input((4,)))",
    ),
    row("axes of unknown length besides the steps", "keras.Input((None, None, 3))"),
    row(
        "`fit` of a model that has no weights to train",
        "m = built(keras); m.layers[0].trainable = False; m.compile('sgd', 'mse'); m.fit(X, X[:, :3], verbose=0)",
    ),
    row(
        "`Dropout(0.5)(x, training=True)` in a functional model",
        "x = keras.Input((4,)); m = keras.Model(x, keras.layers.Dropout(0.5)(x, training=True))\n"
        "r = bool((np.asarray(m.predict(np.ones((50, 4)), verbose=0)) == 0).any())",
        ours=True,
    ),
    row(
        "`input_shape` of a layer that isn't the first",
        "keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1, input_shape=(5,))]).build()",
    ),
    row(
        "`compile(loss=…, metrics=…)` with functions of the whole batch",
        "m = keras.Sequential(" + NETWORK + ")\n"
        "m.compile('sgd', lambda y, p: keras.ops.sqrt(keras.ops.mean((y - p) ** 2)))\nm.fit(X, X[:, :1], verbose=0)",
    ),
    row("unnamed inputs and layers", "r = [keras.Input((4,)).name, keras.layers.Dense(2).name]", ours=["", None]),
    row(
        "`datasets`: files of imdb and reuters",
        "import inspect\nr = 'folder' in inspect.signature(keras.datasets.imdb.load_data).parameters",
        ours=True,
    ),
    row(
        "`backend.clear_session`",
        "keras.layers.Dense(1); keras.backend.clear_session(); r = keras.layers.Dense(1).name",
        ours=None,
    ),
    row("`utils.normalize(x, axis=0)` raises", "keras.utils.normalize(np.ones((2, 3)), axis=0)", ours=RUNS),
    row(
        "`image_dataset_from_directory`, `text",
        "keras.utils.timeseries_dataset_from_array(np.arange(9.0), None, 2, format='grain')",
        **OURS_ALONE,
    ),
    row(
        "`text_dataset_from_directory(max_length)`",
        "import pathlib, tempfile\n"
        "f = pathlib.Path(tempfile.mkdtemp()); (f / 'x.txt').write_text('aü', encoding='utf-8')\n"
        "r = next(iter(keras.utils.text_dataset_from_directory(f, labels=None, max_length=2, verbose=False)))[0]",
        ours="a",
        theirs=False,
    ),
    row("`optimizers.schedules`", "keras.schedules.CosineDecay", ours=RUNS),
]

WEIGHTS = [
    row(
        "random numbers of its backend",
        "r = round(float(np.asarray(keras.initializers.RandomNormal(seed=1)((9,)))[0]), 6)",
        ours=0.017279,
    ),
    row(
        "an initializer as a Python function",
        "m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1,\n"
        "    kernel_initializer=lambda shape, generator: np.full(shape, 2.0))]); m.build()\n"
        "r = m.get_weights()[0][0, 0]",
        ours=2.0,
    ),
    row(
        "every initializer's `input_axes`, `output_axes`",
        *each("keras.initializers.HeNormal({}=0)", "input_axes", "output_axes"),
    ),
    row("arrays and files as initial weights", "keras.initializers.FromArray(np.ones((4, 1)))", ours=RUNS),
    row(
        "`Variable(autocast=False)`",
        *each("keras.Variable(1.0, {})", "autocast=False", "aggregation='mean'", "synchronization='on_read'"),
    ),
    row(
        "a `Variable` of a model",
        "m = built(keras); m.step = keras.Variable(1.0)",
        "class L(keras.layers.Layer):\n    def __init__(self):\n"
        "        super().__init__(); self.step = keras.Variable(1)\nL()",
    ),
    row(
        "`layer.losses` of a layer inside",
        "m = keras.Sequential([keras.Input((4,)), keras.layers.ActivityRegularization(1.0)])\n"
        "m(X); r = len(m.layers[0].losses)",
        ours=0,
    ),
    row("`OrthogonalRegularizer` of one row", "keras.regularizers.OrthogonalRegularizer()(np.ones((1, 3), 'f'))"),
    row("constraints as Python functions", "keras.layers.Dense(1, kernel_constraint=lambda w: w)"),
    row(
        "a constraint's `axis` may be any",
        "keras.layers.Conv2D(2, 3, kernel_constraint=keras.constraints.UnitNorm(axis=[0, 3]), input_shape=(8, 8, 1))\n"
        "m = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3,\n"
        "    kernel_constraint=keras.constraints.UnitNorm(axis=[0, 3]))]); m.build()",
    ),
]

SCORES = [
    row("`activations.elu(x, alpha=.5)`", "keras.activations.elu.using(alpha=0.5)", ours=RUNS),
    row("`threshold` by name", "keras.layers.Activation('threshold')", **OURS_ALONE),
    row(
        "`sparsemax` with the JAX backend",
        "r = np.round(np.asarray(keras.activations.sparsemax(\n    np.full((1, 3), 0.5, 'f'))), 3).tolist()",
        ours=[[0.333, 0.333, 0.333]],
    ),
    row("`softmax(axis)`", "keras.layers.Softmax(axis=1)(np.ones((2, 3, 4)))"),
    row("the slope of `leaky_relu` at 0", "r = slope(keras, 'leaky_relu')", ours=0.2),
    row(
        "a loss called with one-dimensional predictions and a weight for each",
        "keras.losses.MeanSquaredError()(np.ones(3), np.zeros(3), sample_weight=np.ones(3))",
    ),
    row(
        "targets of `BinaryCrossentropy`, `CategoricalCrossentropy` and the focal",
        *each(
            "keras.losses.{}()(np.float32([[2]]), np.float32([[.5]]))", "BinaryCrossentropy", "CategoricalCrossentropy"
        ),
        "keras.losses.BinaryFocalCrossentropy()(np.float32([[1.1]]), np.float32([[.5]]))",
    ),
    row(
        "metrics `F1Score`, `FBetaScore`, `R2Score` of one-dimensional inputs raise",
        *each("keras.metrics.{}()(np.array([0., 1, 1]), np.array([.2, .9, .6]))", "R2Score", "F1Score"),
        ours=RUNS,
    ),
    row(
        "every loss's `name`, `dtype`, `axis`",
        *each("keras.losses.MeanSquaredError({})", "name='x'", "dtype='float32'"),
        "keras.losses.CategoricalCrossentropy(axis=1)",
    ),
    row(
        "a probability of 1 counts as",
        "r = round(float(keras.losses.BinaryCrossentropy()(np.zeros((1, 1)), np.ones((1, 1)))), 3)",
        ours=16.118,
    ),
    row(
        "`losses.MeanSquaredError()(y_true, y_pred, sample_weight=0.5)`",
        "keras.losses.MeanSquaredError()(X, X, sample_weight=0.5)",
    ),
    row('`metrics.get("mse")`', "keras.metrics.get('mse')"),
    row("`SparseCategoricalCrossentropy(ignore_class)`", "keras.losses.SparseCategoricalCrossentropy(ignore_class=0)"),
    row("`CategoricalFocalCrossentropy(alpha=[…])`", "keras.losses.CategoricalFocalCrossentropy(alpha=[.25, .5, .25])"),
    row(
        "every metric's `dtype`, `axis`",
        "keras.metrics.MeanSquaredError(dtype='float32')",
        "keras.metrics.BinaryAccuracy('accuracy')",
        "keras.metrics.CategoricalCrossentropy(axis=1)",
    ),
    row(
        "`SparseTopKCategoricalAccuracy(from_sorted_ids)`",
        "keras.metrics.SparseTopKCategoricalAccuracy(from_sorted_ids=True)",
    ),
    row(
        "`R2Score(num_regressors)`",
        "m = keras.metrics.R2Score(num_regressors=1)\nm.update_state(X, X + 0.5)\nr = round(float(m.result()), 4)",
        ours=0.6528,
    ),
    row(
        "`R2Score`, `PearsonCorrelation` of targets that are all equal",
        "r = bool(np.isnan(float(keras.metrics.R2Score()(np.ones((4, 1)), np.arange(4.0)[:, None]))))",
        ours=True,
    ),
    row(
        '`reduction=None` or "mean_with_sample_weight"',
        *each("keras.losses.MeanSquaredError(reduction={})", "None", "'mean_with_sample_weight'"),
    ),
    row(
        "`Dice` and `Tversky` sum over the batch by default",
        "r = round(float(keras.losses.Dice()(np.array([[1, 1], [0, 1]], 'f'), \n"
        "    np.array([[.9, .1], [.5, .5]], 'f'))), 3)",
        ours=0.417,
    ),
    row("center loss: own code", "keras.losses.CenterLoss(0.1, 0.5)", ours=RUNS),
    row("metrics weighted by `sample_weight`", "built(keras).compile('sgd', 'mse', weighted_metrics=['mae'])"),
    row(
        "metrics with an `update_state` of one's own in `compile`",
        "m = built(keras)\nkinds = []\n"
        "m.compile('adam', 'mse', metrics=[keras.metrics.MeanMetricWrapper(lambda y, p: kinds.append(type(y)) or y)])\n"
        "m.evaluate(X, X[:, :3], verbose=0); r = all(issubclass(kind, np.ndarray) for kind in kinds)",
        ours=True,
    ),
    row(
        "`IoU`, `BinaryIoU`, `MeanIoU` …: weights",
        "import warnings; warnings.simplefilter('ignore')\n"
        "r = float(keras.metrics.MeanIoU(2)([0, 1], [0, 0], np.array([0.5, 0.25]))) > 0.3",
        ours=True,
    ),
    row(
        "`compile(metrics=[…])` with `thresholds` lists",
        "m = built(keras); m.compile('adam', 'mse', metrics=[keras.metrics.Precision(thresholds=[.3, .6])])",
        *each("keras.metrics.AUC({})", "thresholds=[.5]", "label_weights=[1.]", "num_labels=3, multi_label=True"),
    ),
]

TRAINING = [
    row("`loss_scale_factor`", "keras.optimizers.Adam(loss_scale_factor=2.0)"),
    row("`optimizer.learning_rate.assign(0.1)`", "built(keras).optimizer.learning_rate.assign(0.1)"),
    row("`Adam(decay=0.1)`", "keras.optimizers.Adam(decay=0.1)"),
    row(
        "`learning_rate` as a function",
        "o = keras.optimizers.SGD(lambda step: 0.5)\nm = keras.Sequential("
        + NETWORK
        + ")\nm.compile(o, 'mse'); m.fit(X, X[:, :1], verbose=0)",
        ours=RUNS,
    ),
    row(
        "an optimizer for several models",
        "o = keras.optimizers.SGD()\nfor _ in range(2):\n    m = keras.Sequential("
        + NETWORK
        + "); m.compile(o, 'mse')",
    ),
    row("`Lamb` of gradients below", "r = one_step(keras, keras.optimizers.Lamb(1.0), 1e-30) != 1.0", ours=True),
    row(
        "`Ftrl(initial_accumulator_value=0)`",
        "r = bool(np.isnan(one_step(keras, keras.optimizers.Ftrl(initial_accumulator_value=0.0), 0.0)))",
        ours=False,
    ),
    row("learning-rate multipliers", "keras.optimizers.SGD(learning_rate_factors={'dense': 0.1})", ours=RUNS),
    row(
        "`TensorBoard(write_images, profile_batch",
        *each(
            "keras.callbacks.TensorBoard('logs', {})",
            "write_images=True",
            "profile_batch=2",
            "embeddings_freq=1",
            "embeddings_metadata='m.tsv'",
        ),
        **OURS_ALONE,
    ),
    row(
        "`TensorBoard`: needs TensorFlow",
        "import pytest; pytest.importorskip('tensorboardX')\nm = built(keras)\n"
        "m.fit(X, Y, verbose=0, callbacks=[keras.callbacks.TensorBoard('logs')])",
        ours=RUNS,
    ),
    row(
        "`BackupAndRestore(save_freq=<batches>",
        *each("keras.callbacks.BackupAndRestore('backup', {})", "save_freq=10", "save_before_preemption=True"),
        **OURS_ALONE,
    ),
    row(
        "a monitored name that isn't logged",
        "built(keras).fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping('val_loss')])",
    ),
    row(
        "evaluation and prediction always go batch by batch",
        "calls = []\nclass C(keras.callbacks.Callback):\n"
        "    def on_predict_end(self, logs=None): calls.append('end')\nm = built(keras)\n"
        "m.predict(X, batch_size=4, verbose=0, callbacks=[C()]); r = calls",
        ours=["end"],
        theirs=False,
    ),
    row("`LambdaCallback(**kwargs)`", "keras.callbacks.LambdaCallback(on_epoch_ends=lambda epoch, logs: None)"),
    row(
        "Ctrl-C ends `fit` at once",
        "import _thread\nseen = []\nclass C(keras.callbacks.Callback):\n"
        "    def on_epoch_begin(self, epoch, logs=None): _thread.interrupt_main()\n"
        "    def on_train_end(self, logs=None): seen.append('end')\nm = built(keras)\ntry:\n"
        "    m.fit(X, Y, epochs=9, verbose=0, callbacks=[C()])\nexcept KeyboardInterrupt: pass\nr = seen",
        ours=["end"],
    ),
    row(
        '`verbose=1` and "auto" print every epoch',
        "import io, contextlib\nout = io.StringIO()\n"
        "with contextlib.redirect_stdout(out): built(keras).fit(X, Y, epochs=300, verbose=1)\n"
        "r = out.getvalue().count('loss') < 300",
        ours=True,
    ),
    row(
        "`predict` shows progress by default",
        "import io, contextlib\nout = io.StringIO()\n"
        "with contextlib.redirect_stdout(out): built(keras).predict(X)\nr = out.getvalue()",
        ours="",
    ),
]

LAYERS = [
    row(
        "`Input(shape=None, batch_size, sparse",
        "keras.Input()",
        *each("keras.Input((4,), {})", "sparse=True", "ragged=True", "optional=True"),
        *each("keras.layers.InputLayer((4,), {})", "sparse=True", "ragged=True", "optional=True"),
        **OURS_ALONE,
    ),
    row("`PReLU` has the slope 0 at x = 0", "r = slope(keras, 'PReLU')", ours=0.0, theirs=False),
    row(
        "every layer's `dtype` other than its model's",
        "keras.layers.Dense(3, dtype='float16')",
        "keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype='float64')]).build()",
    ),
    row("every layer's `data_format`", "keras.layers.Conv2D(3, 3, data_format='channels_first')"),
    row(
        "`stateful=True` over JAX",
        STATEFUL + "x = np.ones((2, 3, 1)); r = np.array_equal(*(m.predict(x, 2, verbose=0) for _ in range(2)))",
        ours=False,
    ),
    row(
        "`stateful=True` and `fit` with `shuffle=True`",
        STATEFUL + "m.compile('sgd', 'mse'); m.fit(np.ones((4, 3, 1)), np.ones((4, 1)), batch_size=2, verbose=0)",
    ),
    row(
        "`stateful=True` and `batch_size=None`",
        STATEFUL + "m.predict(np.ones((4, 3, 1)), verbose=0)",
        ours=RUNS,
    ),
    row("`stateful=True`: `states` of a layer", STATEFUL + "m.layers[0].states[0].assign(np.ones((2, 1)))"),
    row(
        "`stateful=True` in a model with a `train_step`",
        "class Own(keras.Model):\n"
        "    def train_step(self, data):\n"
        "        loss = keras.ops.mean(self(data[0], training=True))\n"
        "        self.minimize(loss)\n"
        "        return {'loss': loss}\n"
        "x = keras.Input(batch_shape=(2, 3, 1)); m = Own(x, keras.layers.SimpleRNN(1, stateful=True)(x))\n"
        "m.compile('sgd'); m.fit(np.ones((2, 3, 1)), np.ones((2, 1)), batch_size=2, verbose=0)",
        **OURS_ALONE,
    ),
    row(
        "a mask at `ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`",
        "keras.layers.ConvLSTM2D(1, 2)(np.ones((2, 3, 4, 4, 1), 'f'), mask=np.ones((2, 3)) > 0)",
        ours=RUNS,
    ),
    row("`LSTM(use_cudnn=True)`", *each("keras.layers.{}(3, use_cudnn=True)", "LSTM", "GRU")),
    row("`SimpleRNN`, `LSTM`, `GRU` with an activation of a row", "keras.layers.LSTM(3, 'softmax')"),
    row("`GRU(implementation=0)`", "keras.layers.GRU(2, implementation=0)"),
    row(
        "`TimeDistributed` called with a mask",
        "keras.layers.TimeDistributed(keras.layers.Dense(2))(np.ones((1, 3, 2)), mask=np.ones((1, 3, 1), bool))",
    ),
    row(
        "`RNN(cell)` with a cell that is no layer",
        "class Cell:\n    state_size = 3\n    def call(self, x, states): return x, states\nkeras.layers.RNN(Cell())",
    ),
    row(
        "behind `LSTM(go_backwards=True, return_sequences=True)`",
        "def layer(**k):\n"
        "    return keras.layers.SimpleRNN(1, None, kernel_initializer='ones', recurrent_initializer='zeros', **k)\n"
        "back = layer(return_sequences=True, go_backwards=True)\n"
        "m = keras.Sequential([keras.Input((3, 1)), keras.layers.Masking(), back, layer()])\n"
        "r = float(np.sum(m.predict(np.array([[[1.0], [0.0], [0.0]]]), verbose=0)))",
        ours=1.0,
    ),
    row(
        "the output of a first step that the mask leaves out",
        "layer = keras.layers.SimpleRNN(1)\n"
        "r = float(np.sum(layer(np.ones((1, 1, 1)), initial_state=[np.ones((1, 1))], mask=np.zeros((1, 1)) > 0)))",
        ours=0.0,
    ),
    row(
        "`activity_regularizer` of one's own that takes a mean over the rows: divided by their number once more",
        "penalty = lambda a: keras.ops.mean(a)\n"
        "dense = keras.layers.Dense(1, use_bias=False, kernel_initializer='ones', activity_regularizer=penalty)\n"
        "m = keras.Sequential([keras.Input((1,)), dense])\n"
        "m.compile('sgd', 'mse')\n"
        "r = float(m.evaluate(np.ones((4, 1)), np.ones((4, 1)), verbose=0))",
        ours=1.0,
    ),
    row("`Layer(activity_regularizer)`", "keras.layers.Layer(activity_regularizer='l2')"),
    row(
        "`Dense(lora_rank, lora_alpha, quantization_config)`",
        *each("keras.layers.Dense(3, {})", "lora_rank=2", "lora_alpha=2"),
        *each("keras.layers.EinsumDense('ab,bc->ac', 3, {})", "lora_rank=2", "lora_alpha=2"),
        **OURS_ALONE,
    ),
    row(
        "`BatchNormalization(renorm",
        *each("keras.layers.BatchNormalization({})", "renorm=True", "synchronized=True"),
        "keras.layers.BatchNormalization(axis=1)(np.ones((2, 3, 4)))",
        **OURS_ALONE,
    ),
    row(
        "`beta_constraint`, `gamma_constraint`",
        *each(
            "keras.layers.{}_constraint='non_neg')",
            "BatchNormalization(beta",
            "BatchNormalization(gamma",
            "LayerNormalization(beta",
            "GroupNormalization(beta",
        ),
    ),
    row(
        "`Embedding`: every row of the table is updated",
        "r = keras.layers.Embedding(4, 2).get_config().get('sparse', False)",
        ours=True,
    ),
    row("`Embedding(lora_rank", *each("keras.layers.Embedding(4, 2, {})", "lora_rank=2")),
    row(
        "`Embedding`: an id beyond the table",
        *each("keras.layers.Embedding(4, 2)(np.array([[{}]]))", "9", "1.5"),
    ),
    row("`layer.build(shape)` with any number of rows", "keras.layers.EinsumDense('ab,bc->ac', 3).build((32, 4))"),
    row(
        "`Discretization`, `CategoryEncoding`, `IntegerLookup`, `Hashing` behind other layers",
        "keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Discretization([0.0])])",
    ),
    row(
        "`TextVectorization(sparse, ragged)`, `StringLookup(sparse)`, `IntegerLookup(sparse)`",
        "keras.layers.TextVectorization(ragged=True)",
        "keras.layers.StringLookup(sparse=True)",
        "keras.layers.Hashing(3, sparse=True)",
        "keras.layers.HashedCrossing(3, sparse=True)",
        "keras.layers.IntegerLookup(sparse=True)",
        "keras.layers.CategoryEncoding(3, sparse=True)",
        "keras.layers.Discretization([0.], sparse=True)",
        **OURS_ALONE,
    ),
    row(
        "`HashedCrossing` of tensors takes two columns",
        "keras.layers.HashedCrossing(3)([keras.Input((1,), dtype='int32') for _ in range(3)])",
        ours=RUNS,
    ),
    row(
        "`utils.FeatureSpace` needs TensorFlow",
        "keras.utils.FeatureSpace({'a': 'float_normalized'}).adapt({'a': [1.0, 2.0]})",
        "import pandas; keras.utils.FeatureSpace({'a': 'float_normalized'}).adapt(pandas.DataFrame({'a': [1.0, 2.0]}))",
        ours=RUNS,
        theirs=False,
    ),
    row(
        "`FeatureSpace.float_discretized(None, bin_boundaries)`",
        "f = keras.utils.FeatureSpace\nf({'a': f.float_discretized(None, [0.0])}).get_encoded_features()",
        ours=RUNS,
        theirs=False,
    ),
    row(
        "`TextVectorization`, `StringLookup`, `IntegerLookup`, `Hashing`, `HashedCrossing` need TensorFlow",
        "keras.layers.TextVectorization(vocabulary=['a'])(np.array(['a']))",
        "keras.layers.StringLookup(vocabulary=['a'])(np.array(['a']))",
        "keras.layers.HashedCrossing(3)([np.array(['a']), np.array([1])])",
        ours=RUNS,
        theirs=False,
    ),
    row(
        "`StringLookup(invert=True)` returns bytes",
        "r = keras.layers.StringLookup(vocabulary=['a'], invert=True)(\n    np.array([1]))[0]",
        ours="a",
        theirs=False,
    ),
    row(
        "`adapt(steps)` of look-ups",
        "keras.layers.Discretization(num_bins=2).adapt(X, steps=1)",
        **OURS_ALONE,
    ),
    row(
        "look-ups of NaN, missing cells",
        "keras.layers.Discretization([0.0])(np.array([[np.nan]]))",
        "keras.layers.CategoryEncoding(3, output_mode='one_hot')(np.array([[7]]))",
        **OURS_ALONE,
    ),
    row("look-ups that haven't been adapted", "keras.layers.StringLookup()(np.array(['a']))", **OURS_ALONE),
    row(
        "look-ups loaded with a model can be adapted again", "keras.layers.Discretization([0.0]).adapt(X)", **OURS_ALONE
    ),
    row(
        "`MultiHeadAttention(flash_attention=True)`",
        *each("keras.layers.MultiHeadAttention(1, 2, {})", "flash_attention=True", "attention_axes=(1, 2)"),
        "keras.layers.MultiHeadAttention(1, 2)(np.ones((1, 2, 2, 3)), np.ones((1, 2, 2, 3)))",
        "keras.layers.Attention()([np.ones((1, 2, 2, 3)), np.ones((1, 2, 2, 3))])",
    ),
    row(
        "`Attention(dropout)`, `AdditiveAttention(dropout)` in training",
        *each(
            "x, a = np.ones((1, 2, 3), 'f'), keras.layers.{}(dropout=0.2)\n"
            "r = float(np.asarray(a([x, x], return_attention_scores=True, training=True)[1]).sum().round(4))",
            "Attention",
            "AdditiveAttention",
        ),
        ours=2.0,
    ),
    row(
        "`MultiHeadAttention`: a query that may look at no key",
        "x, m = np.ones((1, 2, 3), 'f'), keras.layers.MultiHeadAttention(1, 2)\n"
        "r = m(x, x, attention_mask=np.zeros((1, 2, 2)), return_attention_scores=True)[1]\n"
        "r = np.asarray(r).round(3).tolist()",
        ours=[[[[0.5, 0.5], [0.5, 0.5]]]],
    ),
    row(
        "`Dropout(noise_shape)` that doesn't begin with None, `AlphaDropout(noise_shape)`",
        "keras.layers.Dropout(0.5, noise_shape=(1, 2))",
        "keras.layers.AlphaDropout(0.5, noise_shape=(None, 1))",
    ),
    row(
        "`Normalization(axis)` of several axes",
        "keras.layers.Normalization(axis=(1, 2)).adapt(np.ones((2, 3, 4)))",
        "keras.layers.Normalization().adapt(np.array([[np.nan]]))",
    ),
    row(
        "`Resizing`, `CenterCrop` and the random layers called on one image",
        "keras.layers.Resizing(2, 2)(np.zeros((4, 4, 1)))",
        "keras.layers.RandomErasing(bounding_box_format='xyxy')",
        "keras.layers.RandomFlip()({'images': np.zeros((1, 4, 4, 1)), 'labels': np.zeros(1)})",
    ),
    row(
        "`Resizing` of whole numbers rounds",
        "r = str(np.asarray(keras.layers.Resizing(3, 3)(\n    np.arange(4, dtype='uint8').reshape(1, 2, 2, 1))).dtype)",
        ours="float32",
    ),
    row(
        "`RandomCrop`: one place for all images",
        "x = np.arange(400.0).reshape(1, 20, 20, 1).repeat(50, axis=0)\n"
        "r = len({float(z) for z in np.asarray(keras.layers.RandomCrop(2, 2)(x, training=True))[:, 0, 0, 0]}) > 1",
        ours=True,
    ),
    row(
        "`RandomCrop` in prediction leaves images as they are",
        "r = np.asarray(keras.layers.RandomCrop(2, 2)(\n    np.zeros((1, 4, 4, 1)), training=False)).shape",
        ours=(1, 2, 2, 1),
    ),
    row(
        "`RandomErasing(fill_value=[r, g, b])` raises",
        "keras.layers.RandomErasing(fill_value=[1., 2., 3.])(\n    np.zeros((1, 9, 9, 3), 'f'), training=True)",
        ours=RUNS,
    ),
    row(
        "augmentation layers may stand anywhere",
        "m = keras.Sequential([keras.Input((4, 4, 1)),\n"
        "    keras.layers.Conv2D(1, 3, padding='same'), keras.layers.RandomFlip(), keras.layers.Flatten(),\n"
        "    keras.layers.Dense(1)]); m.compile('sgd', 'mse'); \n"
        "m.fit(np.ones((4, 4, 4, 1)), np.ones((4, 1)), verbose=0)",
    ),
]


def in_a_layer(*expressions):
    """The shape of what a layer's call returns for two rows of five steps."""
    head = "class Own(keras.layers.Layer):\n    def call(self, x):\n        ops = keras.ops\n        return "
    return tuple(f"{head}{text}\nr = tuple(Own()(np.ones((2, 5, 3), 'f')).shape)" for text in expressions)


CHECKED = [
    row(
        "`ops.outer` of tensors with rows",
        "x = keras.Input((3,)); keras.ops.outer(x, x)",
        "keras.ops.diagonal(keras.Input((3, 3)))",
    ),
    row(
        "`ops.scan` along the leading axis",
        *in_a_layer("ops.scan(lambda c, v: (c + v, c), x[:, 0], x)[0]"),
        ours=(2, 3),
    ),
    row(
        "`ops.while_loop` goes on for the whole batch",
        *in_a_layer("ops.while_loop(lambda v: ops.max(v) < 9, lambda v: v + 1, x)"),
    ),
    row(
        "`ops.fori_loop` with bounds",
        *in_a_layer("ops.fori_loop(0, ops.cast(ops.max(x), 'int32'), lambda k, v: v + 1, x)"),
    ),
    row(
        "`ops.segment_sum`, `ops.segment_max` along axis 0",
        *in_a_layer("ops.segment_sum(x, [0, 1, 0, 1, 1], 2)", "ops.segment_max(x, [0, 1, 0, 1, 1])"),
        ours=(2, 2, 3),
    ),
    row(
        "`ops.eigh` and `ops.svd` in a network",
        "keras.ops.eigh(keras.Input((33, 33)))",
        "keras.ops.svd(keras.Input((20, 13)))",
    ),
    row(
        "`ops.lstsq` takes one matrix",
        "keras.ops.lstsq(np.ones((2, 3, 1), 'f'), np.ones((2, 3, 1), 'f'))",
        ours=RUNS,
    ),
    row(
        "`ops.image.gaussian_blur` without `data_format`",
        "r = np.asarray(keras.ops.image.gaussian_blur(np.ones((1, 5, 5, 3), 'f')))[0, 2, 2].round(2).tolist()",
        ours=[1.0, 1.0, 1.0],
    ),
    row(
        "`ops.image.map_coordinates` of tensors",
        "keras.ops.image.map_coordinates(keras.Input((3, 4)), keras.Input((2, 6)), 1)",
        ours=RUNS,
    ),
    row(
        "`ops.image.elastic_transform` moves",
        "x = np.stack(np.meshgrid(np.arange(15.0), np.arange(15.0)), -1)[None].astype('f')\n"
        "m = (np.asarray(keras.ops.image.elastic_transform(x, 0.3, 1.0, seed=1)) - x)[0, 5:-5, 5:-5]\n"
        "r = bool(np.allclose(m[..., 0], m[..., 1], atol=1e-3))",
        ours=False,
    ),
    row(
        "`ops.image.affine_transform` of one transform",
        "r = keras.ops.image.affine_transform(np.ones((2, 3, 3, 1), 'f'), np.eye(3, dtype='f').ravel()[:8]).shape",
        ours=(2, 3, 3, 1),
    ),
    row(
        "`ops.inv`, `ops.solve` of matrices",
        "keras.ops.inv(np.zeros((2, 2), 'f'))",
        "keras.ops.solve(np.zeros((2, 2), 'f'), np.ones((2, 1), 'f'))",
    ),
    row("`ops.norm(x, 2)`", each("keras.ops.norm(keras.Input((3, 3)), {}, axis=(1, 2))", "2", "-2", "'nuc'")),
    row(
        "`Lambda(output_shape=…)`",
        "keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x, output_shape=(9,))])(X)",
        **OURS_ALONE,  # it holds by the backend that Keras has
    ),
    row("`ops` on arrays give tensors", "r = isinstance(keras.ops.exp(X), np.ndarray)", ours=True),
    row(
        "`register_keras_serializable` of two things",
        "register = keras.saving.register_keras_serializable\n"
        "register('a')(type('Twin', (keras.layers.Layer,), {}))\n"
        "register('b')(type('Twin', (keras.layers.Layer,), {}))",
    ),
]

MASKED = "keras.Sequential([keras.Input((3, 2)), keras.layers.Masking(), {}])\n"
STEPS = "np.array([[[1, 1], [0, 0], [0, 0]], [[1, 1], [1, 1], [0, 0]]], 'f')"
MASKS = [
    row(
        "a mask at `BatchNormalization` in training",
        "m = " + MASKED.format("keras.layers.BatchNormalization(), keras.layers.LSTM(2)") + "m.compile('sgd', 'mse')\n"
        "m.fit(" + STEPS + ", np.ones((2, 2), 'f'), verbose=0)",
    ),
    row(
        "metrics that are no mean over steps",
        "m = " + MASKED.format("keras.layers.Dense(1, 'sigmoid')") + "m.compile('sgd', 'mse', metrics=['auc'])\n"
        "m.fit(" + STEPS + ", np.ones((2, 3, 1), 'f'), verbose=0)",
    ),
    row(
        "metrics of `fit` with the JAX backend",
        "m = " + MASKED.format("keras.layers.Dense(1, kernel_initializer='ones')") + "m.compile(\n"
        "    keras.optimizers.SGD(0.0), 'mse', metrics=['mae'])\n"
        "h = m.fit(" + STEPS + ", np.zeros((2, 3, 1), 'f'), verbose=0).history\n"
        "r = round(float(h['mae'][0]), 3)",
        ours=2.0,
    ),
    row(
        "a mask of a row of an array",
        "r = hasattr(keras.layers.Masking()(" + STEPS + "), '_keras_mask')",
        ours=False,
    ),
    row(
        "`sample_weight` of shape (rows,) for outputs with steps",
        "m = keras.Sequential([keras.Input((3, 2)), keras.layers.Dense(1)]); m.compile('sgd', 'mse')\n"
        "m.fit(" + STEPS + ", np.ones((2, 3, 1), 'f'), sample_weight=np.ones(2, 'f'), verbose=0)",
        ours=RUNS,
    ),
]

ROWS = [*MODELS, *WEIGHTS, *SCORES, *TRAINING, *LAYERS, *MASKS, *CHECKED]
