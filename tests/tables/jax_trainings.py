"""Trainings by which engine="jax" is compared: with the reference engine, and on several devices or in two processes.

`python jax_trainings.py devices` prints "equal" if all devices that there are train as the reference engine does, and
"divided" if each has its own rows; `python jax_trainings.py process NUMBER PORT` is one of two processes, which do the
first, and then refuse to differ."""

import sys

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers, losses, metrics, optimizers
from thalweg.engine.contract import Chunk
from thalweg.errors import ThalwegError

EPOCHS = 4


def two_outputs(**how):
    x = Input((6,))
    h = layers.Dense(8, "tanh")(x)
    return Model(x, [layers.Dense(1)(h), layers.Dense(3, "softmax")(layers.BatchNormalization()(h))], **how)


def chain(shape, *stack):
    return lambda **how: Sequential([Input(shape), *(make() for make in stack)], **how)


def layer(kind, *values, **options):
    return lambda: getattr(layers, kind)(*values, **options)


CONVNET = (
    layer("Conv2D", 6, 3, activation="relu"), layer("MaxPooling2D", 2), layer("Conv2D", 8, 2, padding="same"),
    layer("Flatten"), layer("Dropout", 0.4), layer("Dense", 3, "softmax"),
)  # fmt: skip
OUTPUT = layer("Dense", 3, "softmax")
CLASSES = "sparse_categorical_crossentropy"
# A model, its optimizer, its loss and metrics. Of 47 rows a batch has 12, so that the last one has fewer.
NETWORKS = {
    "dense": (chain((6,), layer("Dense", 16, "relu"), OUTPUT), lambda: "adam", CLASSES, ["accuracy"]),
    "batch normalisation": (
        chain((6,), layer("Dense", 9), layer("BatchNormalization"), layer("Dropout", 0.3), layer("ReLU"),
              layer("Dense", 3, "softmax", kernel_regularizer="l2", kernel_constraint="max_norm")),
        lambda: optimizers.SGD(0.05, momentum=0.9, global_clipnorm=0.5, gradient_accumulation_steps=2), CLASSES, [],
    ),
    "convnet": (chain((8, 8, 2), *CONVNET), lambda: "adam", CLASSES, ["accuracy"]),
    "convnet by SGD": (chain((8, 8, 2), *CONVNET), lambda: optimizers.SGD(0.05), CLASSES, []),
    "images": (
        chain((8, 8, 2), layer("RandomFlip", seed=1), layer("RandomRotation", 0.1, seed=1),
              layer("RandomCrop", 6, 6, seed=2), layer("DepthwiseConv2D", 3, padding="same"),
              layer("Conv2DTranspose", 3, 2, strides=2),
              layer("GlobalAveragePooling2D"), layer("Dense", 3, "softmax")),
        lambda: optimizers.Adafactor(0.05), CLASSES, [],
    ),
    "embedding": (
        chain((5,), layer("Embedding", 20, 4), layer("Flatten"), layer("GaussianNoise", 0.1), OUTPUT),
        lambda: optimizers.Adam(0.01, clipvalue=0.1), CLASSES, [],
    ),
    "centres": (
        chain((6,), layer("Dense", 4, "tanh"), layer("GaussianDropout", 0.2), layer("Dense", 3, "softmax")),
        lambda: optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=3), lambda: losses.CenterLoss(), [],
    ),
    "two outputs": (
        two_outputs, lambda: optimizers.Muon(0.01, learning_rate_factors={}), ["mse", "categorical_crossentropy"], [],
    ),
    "one output": (
        chain((6,), layer("Dense", 8, "selu"), layer("AlphaDropout", 0.1), layer("Dense", 1, "sigmoid")),
        lambda: optimizers.Lamb(0.01), "binary_crossentropy", [lambda: metrics.AUC(), lambda: metrics.F1Score()],
    ),
}  # fmt: skip


def made(thing):
    return thing() if callable(thing) else thing


def trained(name, **how):
    """The weights, what the optimizer keeps, scores and predictions after twenty steps with weights of rows."""
    build, optimizer, loss, scores = NETWORKS[name]
    random, model = np.random.default_rng(0), build(seed=1, **how)
    model.compile(optimizer(), made(loss), [made(score) for score in scores])
    shape = model.input_shape[1:]
    x = random.integers(0, 20, (47, *shape)) if name == "embedding" else random.normal(size=(47, *shape))
    y, weights = random.integers(0, 3, 47), random.uniform(0.5, 1.5, 47)
    if name == "one output":
        y = y > 1
    elif name == "two outputs":
        y, weights = [random.normal(size=47), np.eye(3)[y]], None
    history = model.fit(x, y, batch_size=12, epochs=EPOCHS, sample_weight=weights, verbose=0).history
    outputs = model.predict(x[:7], verbose=0)
    return {
        "weights": model.vector.copy(),
        "state": np.concatenate([v.ravel() for v in model.training_state().values()] or [[]]),
        **{key: np.array(values) for key, values in history.items()},
        "evaluation": np.ravel(model.evaluate(x, y, verbose=0)),
        "prediction": np.concatenate([o.ravel() for o in outputs]) if isinstance(outputs, list) else outputs,
    }


def compare(names):
    """All devices and the reference engine, in float64: sums in another order."""
    import jax

    assert len(jax.devices()) > 1
    for name in names:
        want, got = (trained(name, engine=engine, dtype="float64") for engine in ("reference", "jax"))
        for what, right in want.items():
            np.testing.assert_allclose(got[what], right, 1e-9, 1e-10, err_msg=f"{name}: {what}")
    print("equal", flush=True)


def look():
    """At what a step is compiled to: the gradients of the devices' rows are summed."""
    from thalweg.engine.jax.chunks import JaxExecutor
    from thalweg.engine.jax.devices import double

    model = Sequential([Input((6,)), layers.Dense(3)], seed=0, engine="jax")
    model.compile("sgd", "mse")
    model._compiled.ready()
    job = model._compiled.training_job(model._compiled.data(np.ones((8, 6)), np.ones((8, 3))), 8, None, False)
    executor, chunk = JaxExecutor(job), Chunk(0, 0, 1, 0, np.ones(1))
    executor.run(chunk)
    lasting = [executor.devices.put(vector) for vector in (job.parameters, job.slots)]
    with double():
        given = executor.steps(chunk, 0)
        text = executor.loop.run.lower(*lasting, executor.data, {}, executor.totals, given).compile().as_text()
    assert "all-reduce" in text
    print("divided", flush=True)


def differ(number):
    """Data that only one of the processes has."""
    model = Sequential([Input((2,)), layers.Dense(1)], seed=0, engine="jax")
    model.compile("sgd", "mse")
    with pytest.raises(ThalwegError, match="the processes differ in the data"):
        model.fit(np.full((4, 2), number), np.zeros(4), verbose=0)
    print("refused", flush=True)


def join(number, port):
    """Becomes one of two processes."""
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, number)


if __name__ == "__main__":
    if sys.argv[1] == "devices":
        compare(["batch normalisation", "convnet", "embedding"])
        look()
    else:
        join(int(sys.argv[2]), sys.argv[3])
        compare(["batch normalisation"])
        differ(int(sys.argv[2]))
