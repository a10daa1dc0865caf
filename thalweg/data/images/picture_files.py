"""One picture file as an array of bytes: whatever Pillow makes of it, the same in training and in prediction."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from thalweg.data.cells import Array
from thalweg.errors import DataError, NotFoundError, ThalwegError
from thalweg.support.extras import need
from thalweg.support.naming import choose
from thalweg.support.untrusted import VARIABLE, given_max_bytes, reason

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]  # height, width
CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}  # number, and Pillow's name
FITS = ("stretch", "crop", "pad")
TRANSPARENCY = ("white", "dropped")
GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N")
COLOUR = ("RGB", "RGBA", "RGBa", "P", "PA", "CMYK", "YCbCr", "HSV")
SEVERAL = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")  # formats whose further pictures are frames or pages of their own
PIXEL_BYTES = 24  # memory that reading a pixel may take; with 2 GiB this gives Pillow's own limit
HEAD = 1024  # bytes by which a file that Pillow can't read is told
OTHERS = {
    b"heic": "is a HEIC picture, which Pillow can't read: save it as JPEG or PNG",
    b"avif": "is an AVIF picture, which this Pillow can't read: save it as JPEG or PNG, or install a newer Pillow",
    b"<svg": "is a drawing (SVG), which has no pixels: export it as PNG",
    b"%PDF": "is a PDF document, not an image: export its pages as PNG",
}
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF = (b"avif", b"avis")


@dataclass(frozen=True)
class Reading:
    """How a picture file becomes pixels; a run keeps it, so that predictions see what training saw.

    Attributes:
        size: (height, width) to bring it to; None: its own.
        channels: 1 (grey), 3 (RGB) or 4 (with transparency); None: 1 if the file is grey, else 3.
        fit: how proportions that differ from the size's are dealt with: "stretch" changes them, "crop" cuts off what
            sticks out, "pad" adds black.
        transparency: "white", on which transparent pixels are laid for 1 and 3 channels. "dropped", as versions before
            did: the colour below counts, and 16 bits are cut off at 255.
        invert: dark for light, and light for dark.
    """

    size: Size | None = None
    channels: int | None = None
    fit: str = "stretch"
    transparency: str = "white"
    invert: bool = False

    def __post_init__(self) -> None:
        choose("fit", self.fit, FITS)
        choose("transparency", self.transparency, TRANSPARENCY)


def read_picture(file: Path, reading: Reading | None = None) -> tuple[Array, float]:
    """The pixels (height, width, channels), bytes, upright as the camera noted, and how much wider they were made.

    The latter is 1 unless `stretch` changes proportions: 0.5 means that the picture is squeezed to half its width.

    Raises:
        NotFoundError: there is no such file. DataError: it is no image, is damaged or too large, or isn't one picture.
    """
    need("PIL", "images", f"reading {file}")
    from PIL import Image, ImageOps, UnidentifiedImageError

    reading = reading or Reading()
    limit = Image.MAX_IMAGE_PIXELS
    if (given := given_max_bytes()) is not None:
        limit = given // PIXEL_BYTES
        Image.MAX_IMAGE_PIXELS = max(limit, Image.MAX_IMAGE_PIXELS or limit)  # Pillow's limit may only be raised
    many = DataError(
        f"{file} has more than {limit or 0:,} pixels: if you trust it, "
        f"set {VARIABLE} to {PIXEL_BYTES} times their number"
    )
    try:
        with warnings.catch_warnings(), Image.open(file) as opened:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if limit is not None and opened.width * opened.height > limit:
                raise many
            refuse_several(opened, file)
            refuse_wide(opened, file)
            picture = coloured(ImageOps.exif_transpose(opened), reading)
            if reading.invert:
                picture = inverted(picture)
            stretched = 1.0
            if reading.size is not None:
                picture, stretched = fitted(picture, reading.size, reading.fit)
            pixels = np.asarray(picture, np.uint8)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {file}") from None
    except UnidentifiedImageError:
        raise DataError(f"{file} {what_else(file)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise many from None
    except ThalwegError:
        raise
    except Exception as error:  # Pillow's plugins raise anything
        raise DataError(f"{file} is a damaged image: {reason(error)}") from error
    return (pixels if pixels.ndim == 3 else pixels[:, :, None]), stretched


def refuse_several(opened: Image, file: Path) -> None:
    """Raises for an animation and for several pages: a picture is one of them, and which one isn't known."""
    count = getattr(opened, "n_frames", 1)
    if count > 1 and opened.format in SEVERAL:
        kind, part = ("file", "pages") if opened.format == "TIFF" else ("animation", "frames")
        article = "an" if kind == "animation" or opened.format == "AVIF" else "a"
        raise DataError(f"{file} is {article} {kind} of {count:,} {part}: save the one that counts as a PNG")


def refuse_wide(opened: Image, file: Path) -> None:
    """Raises for pixels whose white isn't known, as 32 bits or floats have none."""
    sixteen = opened.mode == "I" and opened.format == "PNG"  # as older Pillows call them
    if opened.mode not in (*GREY, *COLOUR) and not sixteen:
        raise DataError(f"{file} has pixels of the kind {opened.mode!r}, not of 8 or 16 bits: save it as an 8-bit PNG")


def coloured(picture: Image, reading: Reading) -> Image:
    """The picture in grey, in colour, or with transparency; 16 bits are scaled to 8."""
    from PIL import Image

    wide = picture.mode.startswith("I")
    mode = CHANNELS[reading.channels] if reading.channels else "L" if wide or picture.mode in GREY else "RGB"
    if reading.transparency == "dropped":
        return picture.convert(mode)
    if wide:
        picture = Image.fromarray((np.asarray(picture, np.uint32) / 257 + 0.5).astype(np.uint8))
    elif mode != "RGBA" and (picture.mode in ("RGBA", "RGBa", "LA", "PA") or "transparency" in picture.info):
        full = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", full.size, "white"), full)
    return picture.convert(mode)


def inverted(picture: Image) -> Image:
    """Dark for light and light for dark; transparency stays."""
    from PIL import Image, ImageChops

    if picture.mode != "RGBA":
        return ImageChops.invert(picture)
    *colours, alpha = picture.split()
    return Image.merge("RGBA", [*map(ImageChops.invert, colours), alpha])


def fitted(picture: Image, size: Size, fit: str) -> tuple[Image, float]:
    """The picture in the size, and how much wider it was made."""
    from PIL import Image, ImageOps

    height, width = size
    method = Image.Resampling.BILINEAR
    if fit == "crop":
        return ImageOps.fit(picture, (width, height), method), 1.0
    if fit == "pad":
        return ImageOps.pad(picture, (width, height), method), 1.0
    stretched = (width / picture.width) / (height / picture.height)
    return picture.resize((width, height), method, reducing_gap=2.0), stretched


def what_else(file: Path) -> str:
    """What a file is that Pillow can't read."""
    with file.open("rb") as stream:
        head = stream.read(HEAD)
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in (*HEIC, *AVIF):
        return OTHERS[b"heic" if brand in HEIC else b"avif"]
    if not head:
        return "is empty"
    return next((said for mark, said in OTHERS.items() if mark in head), "is not an image")


def spell(shape: Sequence[int]) -> str:
    """ "28×28×1" """
    return "×".join(map(str, shape))
