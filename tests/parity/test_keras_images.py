"""The functions of ops.image beside Keras's, on arrays."""

import numpy as np
import pytest

import thalweg

DRAW = np.random.default_rng(3)
IMAGES = DRAW.uniform(size=(2, 7, 5, 3)).astype("f")
BYTES = DRAW.integers(0, 256, (2, 7, 5, 3)).astype(np.uint8)
VOLUMES = DRAW.normal(size=(2, 5, 4, 6, 2)).astype("f")
AFFINE = np.array([[1.31, 0.42, -2.13, -0.23, 0.84, 1.62, 0, 0], [0.72, 0, 4.34, 0.11, 1.93, -5.436, 0, 0]], "f")
BEFORE = np.array([[[0, 0], [0, 6], [4, 0], [4, 6]], [[1, 0], [0, 5], [4, 1], [3, 6]]], "f")
AFTER = np.array([[[0.5, -1], [1, 5], [4.5, 0.2], [3.1, 6]], [[0, 0.3], [0, 6], [4, 0], [4.4, 5]]], "f")
PLACES = DRAW.uniform(-9, 12, (3, 4, 6)).astype("f")
LAST = "channels_last"  # without it, Keras with JAX takes channels first
KINDS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")

CASES = {
    **{
        f"{kind}, {size}, {antialias}": (
            lambda i, kind=kind, size=size, antialias=antialias: i.resize(IMAGES, size, kind, antialias)
        )
        for kind in KINDS
        for size in ((3, 9), (14, 2))
        for antialias in (False, True)
    },
    **{f"bytes by {kind}": (lambda i, kind=kind: i.resize(BYTES, (4, 6), kind)) for kind in ("nearest", "bilinear")},
    "cropped": lambda i: i.resize(IMAGES, (4, 4), crop_to_aspect_ratio=True),
    "cropped across": lambda i: i.resize(IMAGES, (9, 2), crop_to_aspect_ratio=True),
    "padded": lambda i: i.resize(IMAGES, (4, 4), pad_to_aspect_ratio=True, fill_value=0.5),
    "padded down": lambda i: i.resize(IMAGES, (9, 2), pad_to_aspect_ratio=True, fill_value=2),
    "one image": lambda i: i.resize(IMAGES[0], (4, 4)),
    "crop": lambda i: i.crop_images(IMAGES, 1, 2, target_height=3, target_width=2),
    "crop from below": lambda i: i.crop_images(IMAGES[0], None, 2, 1, 1, target_height=3),
    "pad": lambda i: i.pad_images(IMAGES, 1, 2, 3, 4),
    "pad to": lambda i: i.pad_images(BYTES, 1, right_padding=2, target_height=9, target_width=8),
    "patches": lambda i: i.extract_patches(IMAGES, 2),
    "patches of one image": lambda i: i.extract_patches(IMAGES[0], (3, 2), 1),
    "patches, same": lambda i: i.extract_patches(IMAGES, (3, 2), (2, 3), padding="same"),
    "patches, dilated": lambda i: i.extract_patches(IMAGES, 2, 1, 2),
    "patches of volumes": lambda i: i.extract_patches(VOLUMES, (2, 3, 2), (1, 1, 2), padding="same"),
    "patches of volumes by their name": lambda i: i.extract_patches_3d(VOLUMES, 2),
    "grey": lambda i: i.rgb_to_grayscale(IMAGES),
    "grey bytes": lambda i: i.rgb_to_grayscale(BYTES[0]),
    "grey already": lambda i: i.rgb_to_grayscale(IMAGES[..., :1]),
    "hsv": lambda i: i.rgb_to_hsv(np.concatenate([IMAGES, IMAGES[:, :, :, :1].repeat(3, -1), 0 * IMAGES])),
    **{
        f"affine by {kind}, {mode}": (
            lambda i, kind=kind, mode=mode: i.affine_transform(IMAGES, AFFINE, kind, mode, 0.5)
        )
        for kind in ("nearest", "bilinear")
        for mode in ("constant", "nearest", "wrap", "mirror", "reflect")
    },
    "affine of one image": lambda i: i.affine_transform(IMAGES[0], AFFINE[1]),
    "affine of bytes": lambda i: i.affine_transform(BYTES, AFFINE, fill_value=9),
    **{
        f"perspective by {kind}": (lambda i, kind=kind: i.perspective_transform(IMAGES, BEFORE, AFTER, kind, 0.5))
        for kind in ("nearest", "bilinear")
    },
    "perspective of one image": lambda i: i.perspective_transform(IMAGES[0], BEFORE[1], AFTER[1]),
    **{
        f"blurred {size}": (lambda i, size=size, sigma=sigma: i.gaussian_blur(IMAGES, size, sigma, LAST))
        for size, sigma in (((3, 3), (1.0, 1.0)), ((5, 2), (0.7, 1.9)), ((1, 9), (0.5, 3.0)))
    },
    "blurred, one image": lambda i: i.gaussian_blur(IMAGES[0], data_format=LAST),
    **{
        f"coordinates, {order}, {mode}": (
            lambda i, order=order, mode=mode: i.map_coordinates(IMAGES[0], PLACES, order, mode, 0.5)
        )
        for order in (0, 1)
        for mode in ("constant", "nearest", "wrap", "mirror", "reflect")
    },
    "coordinates along one axis": lambda i: i.map_coordinates(IMAGES[0, 0, :, 0], PLACES[:1, 0], 1),
    "coordinates of bytes": lambda i: i.map_coordinates(BYTES[0], PLACES, 1),
    "coordinates in a list": lambda i: i.map_coordinates(IMAGES[0, ..., 0], [PLACES[0], PLACES[1]], 1, "mirror"),
    "rgb": lambda i: i.hsv_to_rgb(IMAGES * [3, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_images_are_keras_s(name, keras):
    ours, theirs = CASES[name](thalweg.ops.image), np.asarray(CASES[name](keras.ops.image))
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype or name == "rgb"  # float64, which JAX hasn't
    np.testing.assert_allclose(ours.astype(float), theirs.astype(float), 1e-4, 1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda i: i.resize(IMAGES, (3, 3), "cubic"),
        lambda i: i.resize(IMAGES, (3, 3), fill_mode="reflect"),
        lambda i: i.resize(IMAGES, (3, 3), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
        lambda i: i.resize(IMAGES, (3, 3, 3)),
        lambda i: i.resize(IMAGES[0, 0], (3, 3)),
        lambda i: i.crop_images(IMAGES, 1, 1),
        lambda i: i.pad_images(IMAGES, 1, 1, target_height=7, target_width=9),
        lambda i: i.pad_images(IMAGES, 1, 1, 1, 1, target_height=9),
        lambda i: i.rgb_to_grayscale(VOLUMES[0]),
        lambda i: i.rgb_to_hsv(BYTES),
        lambda i: i.hsv_to_rgb(IMAGES[0, 0]),
        lambda i: i.affine_transform(IMAGES, AFFINE, "bicubic"),
        lambda i: i.affine_transform(IMAGES, AFFINE, fill_mode="edge"),
        lambda i: i.affine_transform(IMAGES[0, 0], AFFINE[0]),
        lambda i: i.affine_transform(IMAGES, AFFINE[:, :6]),
        lambda i: i.perspective_transform(IMAGES, BEFORE[0, :3], AFTER[0, :3]),
        lambda i: i.perspective_transform(IMAGES, BEFORE, AFTER, "bicubic"),
        lambda i: i.map_coordinates(IMAGES[0], PLACES[:2], 1),
        lambda i: i.map_coordinates(IMAGES[0], PLACES, 2),
        lambda i: i.map_coordinates(IMAGES[0], PLACES, 1, "edge"),
        lambda i: i.map_coordinates(IMAGES[0], PLACES[:, 0, 0], 1),
        lambda i: i.gaussian_blur(IMAGES[0, 0]),
        lambda i: i.elastic_transform(IMAGES, fill_mode="edge"),
    ],
)
def test_both_refuse(wrong, keras):
    for library in (keras, thalweg):
        with pytest.raises((ValueError, TypeError)):
            wrong(library.ops.image)
