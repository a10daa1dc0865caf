"""Pictures as Pillow has them, from and to files and arrays."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from thalweg.errors import ArgumentError, DataError, NotFoundError, ShapeError, ThalwegWarning
from thalweg.support.extras import need
from thalweg.support.naming import choose
from thalweg.support.untrusted import reason

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}  # Keras's names, and Pillow's
GREY = ("L", "I;16", "I")  # that stay as they are
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
ORDERS = ("channels_last", "channels_first")


def load_img(
    path: str | bytes | Path | io.BytesIO,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image:
    """A picture file as a Pillow image.

    Args:
        path: the file, or its bytes in an `io.BytesIO`.
        color_mode: "grayscale" (pictures of 16 and 32 bits stay as they are), "rgb" or "rgba".
        target_size: (height, width) to which it is brought.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: cuts off what would distort the picture, at both sides.

    Raises: NotFoundError: there is no such file. DataError: it is no picture, or a damaged one.

    >>> with io.BytesIO() as file:
    ...     save_img(file, np.zeros((2, 3, 3)), file_format="png")
    ...     load_img(file, target_size=(4, 6)).size
    (6, 4)
    """
    need("PIL", "images", "load_img")
    from PIL import Image

    mode = choose("color_mode", color_mode, MODES)
    method = Image.Resampling[choose("interpolation", interpolation, INTERPOLATIONS).upper()]
    try:
        held = path if isinstance(path, io.BytesIO) else io.BytesIO(Path(_text(path)).read_bytes())
        picture: Image.Image = Image.open(held)
        if color_mode != "grayscale" or picture.mode not in GREY:
            picture = picture.convert(mode)
        picture.load()
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {_text(path)}") from None
    except Exception as error:  # Pillow's plugins raise anything
        raise DataError(f"{_text(path)} can't be read as a picture: {reason(error)}") from error
    if target_size is None or picture.size == tuple(target_size)[::-1]:
        return picture
    height, width = target_size
    if not keep_aspect_ratio:
        return picture.resize((width, height), method)
    wide, tall = (
        min(picture.width, picture.height * width // height),
        min(picture.height, picture.width * height // width),
    )
    left, top = (picture.width - wide) // 2, (picture.height - tall) // 2
    return picture.resize((width, height), method, box=(left, top, left + wide, top + tall))


def _text(path: Any) -> str:
    return path.decode() if isinstance(path, bytes) else str(path)


def img_to_array(img: Any, data_format: str | None = None, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """A Pillow image as an array (height, width, channels).

    Args:
        img: the image, or an array of two or three axes.
        data_format: None or "channels_last"; "channels_first": (channels, height, width).
        dtype: float32 if None.

    >>> img_to_array(array_to_img([[[0.0], [1.0]]])).ravel()
    array([  0., 255.], dtype=float32)
    """
    choose("data_format", data_format or "channels_last", ORDERS)
    pixels: NDArray[Any] = np.asarray(img, "float32" if dtype is None else dtype)
    if pixels.ndim not in (2, 3):
        raise ShapeError(f"img_to_array takes a picture of two or three axes, got the shape {pixels.shape}")
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return pixels.transpose(2, 0, 1) if data_format == "channels_first" else pixels


def array_to_img(
    x: ArrayLike, data_format: str | None = None, scale: bool = True, dtype: DTypeLike | None = None
) -> Image:
    """An array (height, width, channels) of 1, 3 or 4 channels as a Pillow image.

    Args:
        x: the numbers.
        data_format: None or "channels_last"; "channels_first": (channels, height, width).
        scale: the least number becomes 0 and the greatest 255; if False, they are taken as they are.
        dtype: in which type this is computed; float32 if None.

    >>> array_to_img(np.zeros((2, 3, 3))).size
    (3, 2)
    """
    need("PIL", "images", "array_to_img")
    from PIL import Image

    choose("data_format", data_format or "channels_last", ORDERS)
    pixels = np.array(x, "float32" if dtype is None else dtype)
    if pixels.ndim != 3:
        raise ShapeError(f"array_to_img takes one picture of three axes, got the shape {pixels.shape}")
    if data_format == "channels_first":
        pixels = pixels.transpose(1, 2, 0)
    if scale:
        pixels = pixels - pixels.min()
        pixels = pixels / (pixels.max() or 1) * 255
    if pixels.shape[2] not in (1, 3, 4):
        raise ShapeError(f"array_to_img takes a picture of 1, 3 or 4 channels, got {pixels.shape[2]}")
    if pixels.shape[2] > 1:
        return Image.fromarray(pixels.astype(np.uint8))
    return Image.fromarray(pixels[:, :, 0].astype(np.int32 if pixels.max() > 255 else np.uint8))


def save_img(
    path: str | Path | io.IOBase,
    x: ArrayLike,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an array as a picture file.

    Args:
        path: the file, whose name says the format, or an open one.
        x, data_format, scale: see `array_to_img`.
        file_format: "png", "jpeg" …, needed if `path` is an open file.
        **kwargs: for Pillow's `Image.save`.
    """
    if file_format is None:
        if not isinstance(path, (str, Path)):
            raise ArgumentError("save_img to an open file needs its file_format, such as 'png'")
        file_format = Path(path).suffix[1:]
    file_format = "jpeg" if file_format.lower() == "jpg" else file_format.lower()
    picture = array_to_img(x, data_format, scale)
    if picture.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("JPEG has no transparency: the picture is saved without it", ThalwegWarning, stacklevel=2)
        picture = picture.convert("RGB")
    picture.save(path, format=file_format, **kwargs)  # type: ignore[arg-type]
