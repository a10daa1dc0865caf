"""The table of layers for images: (how it is made, input shape, output shape, number of weights)."""

from collections.abc import Callable

from thalweg.layers import AveragePooling2D, Conv2D, GlobalAveragePooling2D, Layer, MaxPooling2D

Row = tuple[Callable[[], Layer], tuple[int, ...], tuple[int, ...], int]

IMAGE_LAYERS: dict[type[Layer], list[Row]] = {
    Conv2D: [
        (lambda: Conv2D(4, 3), (7, 6, 3), (5, 4, 4), 112),
        (lambda: Conv2D(6, (3, 1), 2, "same", groups=3, activation="relu"), (5, 6, 3), (3, 3, 6), 24),
        (lambda: Conv2D(2, 2, dilation_rate=(2, 1), use_bias=False, kernel_regularizer="l2"), (5, 4, 2), (3, 3, 2), 16),
        (lambda: Conv2D(5, 1, activation="tanh"), (3, 4, 2), (3, 4, 5), 15),
    ],
    MaxPooling2D: [
        (lambda: MaxPooling2D(), (5, 4, 3), (2, 2, 3), 0),
        (lambda: MaxPooling2D((3, 2), (2, 1), "same"), (5, 4, 3), (3, 4, 3), 0),
    ],
    AveragePooling2D: [
        (lambda: AveragePooling2D(2), (5, 4, 3), (2, 2, 3), 0),
        (lambda: AveragePooling2D(3, 2, "same"), (5, 4, 3), (3, 2, 3), 0),
    ],
    GlobalAveragePooling2D: [
        (lambda: GlobalAveragePooling2D(), (5, 4, 3), (3,), 0),
        (lambda: GlobalAveragePooling2D(keepdims=True), (5, 4, 3), (1, 1, 3), 0),
    ],
}
