"""Networks in which every pass has something to do, and those in which it has to leave something as it is: mostly
because a second instruction reads a value that would be gone."""

from collections.abc import Callable
from typing import Any

import numpy as np
from recurrent_networks import RECURRENT

from thalweg import Input, Model, Sequential, ops
from thalweg.activations import custom
from thalweg.layers import (
    Activation,
    Add,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    Layer,
    Masking,
    MaxPooling2D,
    Parallel,
    PeriodicEmbedding,
    ReLU,
    Reshape,
    Residual,
)
from thalweg.optimizers import SGD

Made = tuple[Any, ...]  # the model, the loss or losses, and metrics


def normalized(filters: int, **options: Any) -> list[Layer]:
    return [Conv2D(filters, 3, padding="same", use_bias=False), BatchNormalization(**options)]


def chain(value: Any, *layers: Layer) -> Any:
    for layer in layers:
        value = layer(value)
    return value


def cube(x: float) -> float:
    return x * x * x


def slope_of_cube(x: float) -> float:
    return 3 * x * x


class Gate(Layer):
    """x·σ(2x)·c, in pointwise operations."""

    def forward(self, program: Any, x: Any) -> Any:
        gate = program.unary("sigmoid", program.scalar("multiply", x, 2.0))
        return program.binary("multiply", program.binary("multiply", x, gate), program.constant(np.arange(1.0, 5.0)))


class Both(Layer):
    """softmax(x), σ(x), of which the second is computed first."""

    def call(self, x: Any) -> Any:
        second = ops.sigmoid(x)
        return ops.softmax(x), second


def sequential(shape: tuple[int, ...], loss: str, *layers: Layer) -> Made:
    return Sequential([Input(shape), *layers], seed=2), loss


# --- something to do: between them for every pass that one lane needs -------------------------------------------------


def narrow() -> Made:
    return sequential((5,), "mse", Dense(3, "relu"), Dense(1, "sigmoid"))


def joined() -> Made:
    parts = Parallel([[], [Dense(3, "tanh")], [PeriodicEmbedding(4, 2)], []])
    return sequential((5,), "mse", parts, Dense(4), Dropout(0.4), Dense(2))


def operations() -> Made:
    return sequential((5,), "mse", Dense(4), Gate(), Dense(2))


def ids() -> Made:
    return sequential(
        (6,), "binary_crossentropy", Embedding(9, 4, "normal"), GlobalAveragePooling1D(), Dense(1, "sigmoid")
    )


def few_channels() -> Made:
    layers = [Conv2D(6, 5, activation="relu"), AveragePooling2D(2), Flatten(), Dense(4, "softmax")]
    return sequential((12, 12, 1), "sparse_categorical_crossentropy", *layers)


def many_channels() -> Made:
    layers = [
        Conv2D(32, 3, padding="same"),
        ReLU(),
        MaxPooling2D(2),
        *normalized(16),
        ReLU(),
        Residual(normalized(16)),
        ReLU(),
        Residual([Conv2DTranspose(16, 3, padding="same", activation="relu")]),
        Flatten(),
        Dense(3, "sigmoid"),
    ]
    return sequential((10, 8, 16), "binary_crossentropy", *layers)


# --- second readers, and what else stands in a pass's way -------------------------------------------------------------


def relu_of_a_sum() -> Made:
    """h and relu(h) are added: the product can't leave h away."""
    x = Input((5,))
    h = Dense(4)(x)
    return Model(x, Dense(2)(Add()([h, ReLU()(h)])), seed=2), "mse"


def relu_and_linear() -> Made:
    """Backward, relu's adjoint isn't the only reader of what a product gives; nor is what follows it always one."""
    x = Input((5,))
    a = Dense(4, "relu")(x)
    b = Dense(4, "tanh")(a)
    return Model(x, Dense(2)(Add()([a, Dense(4)(b)])), seed=2), "mse"


def pooled_twice() -> Made:
    """A relu is read by a max pooling and by a mean; another pooling follows no relu."""
    x = Input((8, 8, 3))
    r = ReLU()(Conv2D(4, 3, padding="same")(x))
    one = Flatten()(MaxPooling2D(2)(r))
    two = GlobalAveragePooling2D()(r)
    three = Flatten()(MaxPooling2D(4)(Activation("tanh")(Conv2D(4, 3, padding="same")(r))))
    return Model(x, Dense(2)(Concatenate()([one, two, three])), seed=2), "mse"


def pooled_relus() -> Made:
    """Two poolings, one of a relu that is read by it alone and one of a relu that the first reads, too."""
    x = Input((8, 8, 3))
    r = Conv2D(4, 3, padding="same", activation="relu")(x)
    s = Conv2D(4, 3, padding="same", activation="relu")(Add()([r, MaxPooling2D(1)(r)]))
    return Model(x, Dense(2)(Flatten()(MaxPooling2D(2)(s))), seed=2), "mse"


def ids_read_twice() -> Made:
    """The vectors of all ids are read by a mean and by a maximum; a second table by a mean alone."""
    x = Input((6,))
    vectors = Embedding(9, 4, "normal")(x)
    both = [GlobalAveragePooling1D()(vectors), GlobalMaxPooling1D()(vectors)]
    return Model(
        x, Dense(2)(Concatenate()([*both, GlobalAveragePooling1D()(Embedding(9, 3, "normal")(x))])), seed=2
    ), "mse"


def ids_in_parts() -> Made:
    """Means of some ids each, or of other elements than a vector's, aren't the mean over all ids."""
    x = Input((6,))
    some = Flatten()(AveragePooling1D(2)(Embedding(9, 4, "normal")(x)))
    other = Flatten()(AveragePooling1D(6)(Reshape((12, 2))(Embedding(9, 4, "normal")(x))))
    wide = GlobalAveragePooling1D()(Reshape((3, 8))(Embedding(9, 4, "normal")(x)))
    return Model(x, Dense(2)(Concatenate()([some, other, wide])), seed=2), "mse"


def one_table_twice() -> Made:
    """The gradient of a table has two contributions."""
    x = Input((6,))
    table = Embedding(9, 4, "normal")
    one = GlobalAveragePooling1D()(table(x))
    return Model(x, Dense(2)(Concatenate()([one, GlobalMaxPooling1D()(ops.square(table(x)))])), seed=2), "mse"


def norms_read_twice() -> Made:
    """A normalisation read by a relu and a sum, one added to itself, one whose sum is read twice, one without relu."""
    x = Input((6, 6, 4))
    n = chain(x, *normalized(4))
    one = Add()([n, ReLU()(n)])
    m = chain(one, *normalized(4))
    two = ReLU()(Add()([m, m]))
    s = Add()([chain(two, *normalized(4)), two])
    three = Add()([ReLU()(s), Activation("tanh")(s)])
    return Model(x, Dense(2)(Flatten()(Add()([chain(three, *normalized(4)), one]))), seed=2), "mse"


def norms_joined() -> Made:
    """Both sides of a sum are normalisations; a relu is read by three others."""
    x = Input((6, 6, 4))
    r = ReLU()(Add()([chain(x, *normalized(4)), chain(x, *normalized(4))]))
    rest = [chain(r, *normalized(4)), chain(r, *normalized(4), ReLU()), r]
    return Model(x, Dense(2)(Flatten()(Add()([Add()(rest[:2]), rest[2]]))), seed=2), "mse"


def norm_of_the_inputs() -> Made:
    """Two read a normalisation whose input wants no gradient, so that its sums alone read its adjoint."""
    layers = [BatchNormalization(), Residual(normalized(3)), GlobalAveragePooling2D(), Dense(2)]
    return sequential((5, 6, 3), "mse", *layers)


def steps_left_out() -> Made:
    """A mask leaves steps out of the loss and a metric, so that lanes find out together how many count."""
    x = Input((4, 3))
    return Model(x, Dense(3)(Masking()(x)), seed=2), "mse", "mae"


def one_norm_twice() -> Made:
    """A normalisation is called twice, and its moving averages change twice."""
    x = Input((5,))
    norm, dense = BatchNormalization(), Dense(3)
    return Model(x, Add()([norm(dense(x)), ReLU()(norm(dense(ops.tanh(x))))]), seed=2), "mse"


def softmax_needed_before() -> Made:
    """The last activation is read by a layer whose result is an output of its own, before the loss."""
    x = Input((5,))
    y = Dense(3, "softmax")(x)
    return Model(x, [Dense(2)(y), y], seed=2), ["mse", "categorical_crossentropy"]


def softmax_needed_after() -> Made:
    """The same, after the loss."""
    x = Input((5,))
    y = Dense(3, "softmax")(x)
    return Model(x, [y, Dense(2)(y)], seed=2), ["categorical_crossentropy", "mse"]


def softmax_of_others() -> Made:
    """The logits have other activations than the one that the loss computes, one of them computed before it."""
    x = Input((5,))
    h = Dense(3)(x)
    losses = ["categorical_crossentropy", "mse", "mse"]
    return Model(x, [*Both()(h), Dense(2)(Activation("tanh")(h))], seed=2), losses, "mae", "mae", "mae"


def outputs_read_on(activation: str = "sigmoid") -> Made:
    """What the loss reads is read by another layer, too, so that the loss's gradient is only one contribution."""
    x = Input((5,))
    y = Dense(3, activation)(x)
    return Model(x, [y, Dense(2)(ops.stop_gradient(y)), Dense(2)(y)], seed=2), ["mse", "mse", "mse"]


def outputs_seen(activation: str) -> Callable[[], Made]:
    """What the loss reads is read by another layer through which no derivative comes back."""

    def made() -> Made:
        x = Input((5,))
        y = Dense(3, activation)(x)
        return Model(x, [y, Dense(2)(ops.stop_gradient(y))], seed=2), ["mse", "mse"]

    return made


def last(activation: str, loss: str, units: int = 3) -> Callable[[], Made]:
    """An activation, and a loss that may take it up."""
    return lambda: sequential((5,), loss, Dense(4, "tanh"), Dense(units), Activation(activation))


def output_and_a_constant() -> Made:
    """The loss reads a sum, whose adjoint is that of the activation in it unchanged."""
    x = Input((5,))
    return Model(x, Add()([Dense(5, "sigmoid")(x), x]), seed=2), "mse"


def logits_activated() -> Made:
    """Logits that are an activation themselves, and the probabilities are read by another layer after the loss."""
    x = Input((5,))
    y = Activation("sigmoid")(Dense(3, "tanh")(x))
    return Model(x, [y, Dense(2)(ops.stop_gradient(y))], seed=2), ["binary_crossentropy", "mse"]


def learned_output(trainable: bool = True) -> Made:
    own = Activation("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25})
    own.trainable = trainable
    return sequential((5,), "mse", Dense(4, "tanh"), Dense(3), own)


def own_output() -> Made:
    """An activation that isn't an equation."""
    return sequential((5,), "mse", Dense(4, "tanh"), Dense(3, custom("cube", cube, slope_of_cube)))


def frozen_output() -> Made:
    return learned_output(trainable=False)


def measured_logits() -> Made:
    """A metric reads the probabilities that the loss computes from logits, which are an activation themselves."""
    return *sequential((5,), "binary_crossentropy", Dense(3, "tanh"), Activation("sigmoid")), "mae"


def two_convolutions() -> Made:
    """A relu between them, whose adjoint the second one's gradient may compute, and one that a third reads."""
    layers = [Conv2D(3, 3, activation="relu"), Conv2D(3, 3), Conv2DTranspose(2, 3, activation="relu")]
    return sequential((9, 9, 2), "mse", *layers, Conv2DTranspose(2, 3), Flatten(), Dense(2))


def reshaped_output() -> Made:
    return sequential((6,), "mse", Dense(6, "sigmoid"), Reshape((3, 2)))


def two_losses() -> Made:
    """Two losses of one activation: its gradient has two contributions."""
    x = Input((5,))
    y = Dense(3, "tanh")(x)
    return Model(x, [y, ops.multiply(y, 1.0)], seed=2), ["mse", "mae"]


def gated_twice() -> Made:
    """Pointwise operations whose values have two readers, other shapes, or sums in between."""
    x = Input((4,))
    h = ops.multiply(Dense(4)(x), 0.5)
    both = ops.add(ops.tanh(h), ops.multiply(ops.sin(h), h))
    total = ops.sum(ops.square(ops.subtract(both, 0.3)), axis=-1, keepdims=True)
    wide = ops.multiply(ops.exp(ops.negative(total)), ops.abs(both))
    return Model(x, Dense(2)(ops.add(wide, ops.multiply(ops.square(ops.multiply(h, h)), 0.1))), seed=2), "mse"


def columns_wanted() -> Made:
    """Of a dense layer's input, two parts want their gradient; of another's, all parts do."""
    x = Input((5,))
    parts = Concatenate()([x, Dense(2, "tanh")(x), x, Dense(3, "tanh")(x)])
    whole = Concatenate()([Dense(2, "tanh")(x), Dense(3, "tanh")(x)])
    wide = Dense(600)(Concatenate()([x, Dense(70, "tanh")(x), Dense(150)(ops.stop_gradient(x))]))
    return Model(x, Dense(2)(Concatenate()([Dense(4)(parts), Dense(4)(whole), wide])), seed=2), "mse"


def columns_read_whole() -> Made:
    """A gradient is cut into parts and used as a whole."""
    x = Input((5,))
    parts = Concatenate()([x, Dense(3, "tanh")(x)])
    return Model(x, Dense(2)(Add()([parts, Dense(8)(x)])), seed=2), "mse"


def rows_wanted() -> Made:
    """A gradient is cut in other axes, too."""
    x = Input((4, 6))
    h = Dense(6, "tanh")(x)
    h = Add()([Dense(6)(ops.pad(h, [[0, 0], [1, 1], [2, 0]]))[:, 1:5], h])
    return Model(
        x, Dense(2)(Flatten()(Add()([Dense(6)(ops.concatenate([h[:, :2], x[:, 2:]], axis=1)), h]))), seed=2
    ), "mse"


def masks() -> Made:
    """Dropouts whose outputs are kept for the backward half, or not, or are images."""
    x = Input((5,))
    kept = Dense(4)(Dropout(0.4)(Dense(4)(x)))
    gone = Activation("sigmoid")(Dropout(0.4)(Dense(4)(x)))
    image = Flatten()(Conv2D(2, 1)(Dropout(0.4)(Reshape((2, 2, 1))(Dense(4)(x)))))
    return Model(x, Dense(2)(Concatenate()([kept, gone, image])), seed=2), "mse"


def inputs_read_twice() -> Made:
    """The batch, narrow and with few units behind it, is read by something that doesn't take columns."""
    x = Input((5,))
    return Model(x, Add()([Dense(1)(x), Dense(1)(ops.tanh(x))]), seed=2), "mse"


def inputs_by_columns() -> Made:
    """The batch is read by two dense layers of one unit, whose biases have gradients of their own or none."""
    x = Input((5,))
    one, two = Dense(1)(x), Dense(1, use_bias=False)(x)
    return Model(x, Add()([Add()([one, two]), Dense(1)(ops.tanh(one))]), seed=2), "mse"


def images_left_as_they_are() -> Made:
    """Few channels with strides, groups, a learned activation, and a mean over places between two convolutions."""
    x = Input((12, 12, 2))
    c = Conv2D(4, 5, activation="relu")(x)
    d = Conv2D(4, 5, activation="relu")(c)
    strided = Conv2D(4, 3, strides=2)(c)
    grouped = Conv2D(4, 3, groups=2, padding="same")(c)
    scaled = ops.multiply(c, ops.mean(c, axis=(1, 2), keepdims=True))
    flat = [Flatten()(v) for v in (d, strided, grouped, scaled)]
    return Model(x, Dense(2)(Concatenate()(flat)), seed=2), "mse"


def windows_of_all_kinds() -> Made:
    """Convolutions of many channels that tiles can't or needn't compute, beside some that they can."""
    pixels = Input((9, 11, 4))
    x = Conv2D(16, 1)(pixels)
    convolutions = [
        Conv2D(32, 2),
        Conv2D(32, 7),
        Conv2D(32, (3, 5)),
        Conv2D(32, 3, strides=2),
        Conv2D(32, 3, dilation_rate=2),
        Conv2D(32, 3, groups=2),
        Conv2D(32, 5, padding="same"),
        Conv2DTranspose(16, 3),
    ]
    flat = [GlobalAveragePooling2D()(c(x)) for c in convolutions]
    small = GlobalAveragePooling2D()(Conv2D(32, 3, padding="same")(Cropping2D((4, 0))(x)))
    return Model(pixels, Dense(2)(Concatenate()([*flat, small])), seed=2), "mse"


def images_with_a_learned_activation() -> Made:
    """By columns, a channel's number would be found elsewhere."""
    own = Activation("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25})
    layers = [Conv2D(6, 5), own, AveragePooling2D(2), Flatten(), Dense(2)]
    return sequential((12, 12, 1), "mse", *layers)


def narrow_sequences() -> Made:
    return sequential((2, 3), "mse", Dense(2, "tanh"), Flatten(), Dense(2))


def one_input() -> Made:
    return sequential((1,), "mse", Dense(2, "tanh"), Dense(1))


def few_units() -> Made:
    return sequential((4,), "mse", Dense(2, "tanh", use_bias=False), Dense(1))


NETWORKS: dict[str, Callable[[], Made]] = {
    made.__name__.replace("_", " "): made
    for made in (
        narrow, joined, operations, ids, few_channels, many_channels, relu_of_a_sum, relu_and_linear, pooled_twice,
        pooled_relus, ids_read_twice, ids_in_parts, one_table_twice, norms_read_twice, norms_joined, one_norm_twice,
        steps_left_out,
        norm_of_the_inputs, softmax_needed_before, softmax_needed_after, softmax_of_others, outputs_read_on,
        reshaped_output, two_losses, output_and_a_constant, logits_activated, learned_output, two_convolutions,
        rows_wanted, gated_twice, columns_wanted, columns_read_whole, masks, inputs_read_twice, inputs_by_columns,
        images_left_as_they_are, frozen_output, own_output, windows_of_all_kinds, images_with_a_learned_activation,
        narrow_sequences, one_input, few_units, measured_logits,
    )
}  # fmt: skip
NETWORKS |= {f"{kind} seen": outputs_seen(kind) for kind in ("sigmoid", "silu", "relu")}
NETWORKS |= {
    "sigmoid, mse": last("sigmoid", "mse"),
    "softmax, mse": last("softmax", "mse"),
    "tanh, cosine": last("tanh", "cosine_similarity"),
    "linear, mse": last("linear", "mse"),
    "sigmoid, crossentropy": last("sigmoid", "binary_crossentropy"),
    "softmax, crossentropy": last("softmax", "categorical_crossentropy"),
    "sigmoid, softmax's loss": last("sigmoid", "categorical_crossentropy"),
}
NETWORKS |= RECURRENT


def network(name: str, **options: Any) -> Model:
    """The network, compiled and built."""
    model, loss, *metrics = NETWORKS[name]()
    if options:
        model = type(model).from_config(model.get_config() | options)
    model.compile(SGD(0.1, momentum=0.9), loss, metrics)
    model.build()
    model._compiled.prepare_slots()
    return model
