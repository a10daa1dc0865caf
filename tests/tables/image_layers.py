"""The table of layers for images: (how it is made, input shape, output shape, number of weights)."""

from collections.abc import Callable

from thalweg.layers import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    BatchNormalization,
    CenterCrop,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Cropping1D,
    Cropping2D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    GroupNormalization,
    Layer,
    LayerNormalization,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    Normalization,
    Parallel,
    Permute,
    RandomBrightness,
    RandomCrop,
    RandomErasing,
    RepeatVector,
    Reshape,
    Resizing,
    RMSNormalization,
    SeparableConv1D,
    SeparableConv2D,
    SpatialDropout1D,
    SpatialDropout2D,
    UnitNormalization,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)

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
    GlobalMaxPooling2D: [(lambda: GlobalMaxPooling2D(), (5, 4, 3), (3,), 0)],
    BatchNormalization: [
        (lambda: BatchNormalization(), (4, 3), (4, 3), 12),
        (lambda: BatchNormalization(momentum=0.5, scale=False, epsilon=0.1), (2, 3, 5), (2, 3, 5), 15),
        (lambda: BatchNormalization(center=False, gamma_regularizer="l2"), (6,), (6,), 18),
    ],
    Parallel: [
        (
            lambda: Parallel([Conv2D(2, 1), [Conv2D(3, 3, padding="same"), BatchNormalization()], []]),
            (4, 3, 2),
            (4, 3, 7),
            6 + 57 + 12,
        ),
    ],
    ZeroPadding2D: [
        (lambda: ZeroPadding2D(), (3, 2, 2), (5, 4, 2), 0),
        (lambda: ZeroPadding2D(((1, 0), (2, 3))), (3, 2, 2), (4, 7, 2), 0),
    ],
    Cropping2D: [(lambda: Cropping2D((1, 0)), (4, 3, 2), (2, 3, 2), 0)],
    UpSampling2D: [
        (lambda: UpSampling2D((2, 3)), (2, 3, 2), (4, 9, 2), 0),
        (lambda: UpSampling2D(2, "bilinear"), (2, 3, 2), (4, 6, 2), 0),
    ],
    ZeroPadding1D: [(lambda: ZeroPadding1D((2, 1)), (3, 2), (6, 2), 0)],
    Cropping1D: [(lambda: Cropping1D((2, 1)), (5, 2), (2, 2), 0)],
    UpSampling1D: [(lambda: UpSampling1D(3), (4, 2), (12, 2), 0)],
    Resizing: [
        (lambda: Resizing(3, 7), (5, 4, 2), (3, 7, 2), 0),
        (lambda: Resizing(8, 2, "nearest", crop_to_aspect_ratio=True), (5, 4, 2), (8, 2, 2), 0),
        (lambda: Resizing(3, 3, "bicubic", pad_to_aspect_ratio=True, fill_value=0.5), (5, 8, 1), (3, 3, 1), 0),
        (lambda: Resizing(3, 2, "lanczos3", antialias=True), (8, 7, 3), (3, 2, 3), 0),
    ],
    CenterCrop: [
        (lambda: CenterCrop(2, 3), (5, 4, 2), (2, 3, 2), 0),
        (lambda: CenterCrop(7, 3), (5, 4, 2), (7, 3, 2), 0),
    ],
    RandomCrop: [
        (lambda: RandomCrop(3, 4, seed=2), (5, 4, 2), (3, 4, 2), 0),
        (lambda: RandomCrop(6, 3), (5, 4, 2), (6, 3, 2), 0),
    ],
    RandomBrightness: [(lambda: RandomBrightness((-0.1, 0.2), (-2, 2)), (4, 3, 2), (4, 3, 2), 0)],
    RandomErasing: [
        (lambda: RandomErasing(0.5, value_range=(-2, 2), seed=3), (4, 3, 2), (4, 3, 2), 0),
        (lambda: RandomErasing((0.1, 0.2), 0.3, [0.1, 0.2, 9], (-1, 1)), (4, 5, 3), (4, 5, 3), 0),
    ],
    RepeatVector: [(lambda: RepeatVector(3), (4,), (3, 4), 0)],
    Reshape: [(lambda: Reshape((4, -1)), (2, 6), (4, 3), 0)],
    Conv1D: [
        (lambda: Conv1D(4, 3), (9, 2), (7, 4), 28),
        (lambda: Conv1D(6, 2, strides=2, padding="same", groups=2, activation="relu"), (9, 4), (5, 6), 30),
        (lambda: Conv1D(3, 3, padding="causal", activation="tanh"), (5, 2), (5, 3), 21),
        (lambda: Conv1D(2, 4, padding="causal", dilation_rate=2, use_bias=False), (4, 3), (4, 2), 24),
        (lambda: Conv1D(2, 2, strides=2, padding="causal"), (5, 1), (3, 2), 6),
    ],
    DepthwiseConv1D: [
        (lambda: DepthwiseConv1D(3, padding="same", depth_multiplier=2), (5, 3), (5, 6), 24),
        (lambda: DepthwiseConv1D(2, 2, activation="tanh", use_bias=False), (4, 3), (2, 3), 6),
    ],
    DepthwiseConv2D: [
        (lambda: DepthwiseConv2D(3, padding="same", depth_multiplier=2), (4, 5, 3), (4, 5, 6), 60),
        (lambda: DepthwiseConv2D((2, 1), 2, activation="tanh", use_bias=False), (4, 5, 3), (2, 3, 3), 6),
    ],
    LayerNormalization: [
        (lambda: LayerNormalization(), (4, 6), (4, 6), 12),
        (lambda: LayerNormalization(center=False, epsilon=0.1), (7,), (7,), 7),
    ],
    RMSNormalization: [
        (lambda: RMSNormalization(), (4, 6), (4, 6), 6),
        (lambda: RMSNormalization(epsilon=0.1), (7,), (7,), 7),
    ],
    UnitNormalization: [
        (lambda: UnitNormalization(), (4, 6), (4, 6), 0),
        (lambda: UnitNormalization([1, -1]), (4, 3, 2), (4, 3, 2), 0),
    ],
    GroupNormalization: [
        (lambda: GroupNormalization(2), (3, 2, 4), (3, 2, 4), 8),
        (lambda: GroupNormalization(-1, scale=False, center=False), (3, 2, 4), (3, 2, 4), 0),
    ],
    SeparableConv2D: [(lambda: SeparableConv2D(5, 3, depth_multiplier=2, activation="relu"), (5, 4, 3), (3, 2, 5), 89)],
    SeparableConv1D: [
        (lambda: SeparableConv1D(5, 3, depth_multiplier=2, activation="relu"), (6, 3), (4, 5), 53),
        (lambda: SeparableConv1D(2, 2, 2, "same", use_bias=False), (5, 3), (3, 2), 12),
    ],
    Conv3D: [
        (lambda: Conv3D(4, 3), (4, 5, 6, 2), (2, 3, 4, 4), 220),
        (lambda: Conv3D(4, (2, 3, 1), (1, 2, 2), "same", groups=2, activation="relu"), (3, 5, 4, 2), (3, 3, 2, 4), 28),
        (lambda: Conv3D(2, 2, dilation_rate=(1, 2, 1), use_bias=False), (3, 4, 3, 1), (2, 2, 2, 2), 16),
        (lambda: Conv3D(6, (1, 2, 2), (2, 1, 1), groups=2, kernel_regularizer="l2"), (3, 3, 2, 4), (2, 2, 1, 6), 54),
        (lambda: Conv3D(3, 1, activation="tanh"), (2, 2, 3, 2), (2, 2, 3, 3), 9),
    ],
    MaxPooling3D: [
        (lambda: MaxPooling3D(), (5, 4, 3, 2), (2, 2, 1, 2), 0),
        (lambda: MaxPooling3D((1, 3, 2), (2, 1, 2), "same"), (3, 4, 3, 2), (2, 4, 2, 2), 0),
    ],
    AveragePooling3D: [
        (lambda: AveragePooling3D((1, 2, 3)), (3, 4, 3, 2), (3, 2, 1, 2), 0),
        (lambda: AveragePooling3D(3, 2, "same"), (3, 4, 3, 2), (2, 2, 2, 2), 0),
    ],
    GlobalAveragePooling3D: [
        (lambda: GlobalAveragePooling3D(), (3, 4, 2, 3), (3,), 0),
        (lambda: GlobalAveragePooling3D(keepdims=True), (3, 4, 2, 3), (1, 1, 1, 3), 0),
    ],
    GlobalMaxPooling3D: [(lambda: GlobalMaxPooling3D(), (3, 4, 2, 3), (3,), 0)],
    MaxPooling1D: [(lambda: MaxPooling1D(3, 2, "same"), (7, 2), (4, 2), 0)],
    AveragePooling1D: [(lambda: AveragePooling1D(), (7, 2), (3, 2), 0)],
    GlobalAveragePooling1D: [
        (lambda: GlobalAveragePooling1D(), (7, 2), (2,), 0),
        (lambda: GlobalAveragePooling1D(keepdims=True), (7, 2), (1, 2), 0),
    ],
    GlobalMaxPooling1D: [(lambda: GlobalMaxPooling1D(), (7, 2), (2,), 0)],
    Conv2DTranspose: [
        (lambda: Conv2DTranspose(4, 3), (3, 2, 3), (5, 4, 4), 112),
        (lambda: Conv2DTranspose(2, (3, 2), 2, "same", activation="relu"), (3, 2, 3), (6, 4, 2), 38),
        (lambda: Conv2DTranspose(2, 2, (3, 1), output_padding=(1, 0)), (2, 3, 2), (6, 4, 2), 18),
        (lambda: Conv2DTranspose(2, 2, dilation_rate=(2, 1), use_bias=False), (2, 3, 2), (4, 4, 2), 16),
        (lambda: Conv2DTranspose(3, 1, kernel_regularizer="l2"), (2, 3, 2), (2, 3, 3), 9),
    ],
    Conv1DTranspose: [
        (lambda: Conv1DTranspose(4, 3), (3, 2), (5, 4), 28),
        (lambda: Conv1DTranspose(4, 2, 3, activation="tanh"), (3, 2), (9, 4), 20),
    ],
    Permute: [
        (lambda: Permute((2, 1)), (3, 2), (2, 3), 0),
        (lambda: Permute((3, 1, 2)), (3, 2, 4), (4, 3, 2), 0),
    ],
    SpatialDropout2D: [(lambda: SpatialDropout2D(0.2, seed=3), (3, 2, 4), (3, 2, 4), 0)],
    SpatialDropout1D: [(lambda: SpatialDropout1D(0.2), (3, 4), (3, 4), 0)],
    Normalization: [
        (lambda: Normalization(), (3, 2), (3, 2), 4),
        (lambda: Normalization(mean=[1, 2, 0], variance=[4, 1, 0.25]), (3,), (3,), 6),
        (lambda: Normalization(None, 2.0, 9.0), (2, 2, 3), (2, 2, 3), 6),
        (lambda: Normalization(mean=1, variance=4, invert=True), (3,), (3,), 6),
    ],
}
