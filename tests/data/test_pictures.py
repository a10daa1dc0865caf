"""One picture file as pixels: kinds that mean the same give the same bytes, and others are refused in a sentence."""

import struct

import numpy as np
import pytest

from thalweg.data.images.image_set import range_of
from thalweg.data.images.picture_files import Reading, read_picture
from thalweg.errors import ArgumentError, DataError

Image = pytest.importorskip("PIL.Image")
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 8), np.uint8)


def saved(path, image, **more):
    image.save(path, **more)
    return path


def read(path, **reading):
    return read_picture(path, Reading(**reading))[0]


# --- kinds of pixels -------------------------------------------------------------------------------------------------


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(GREY.astype(np.uint16) * 257))
    assert np.array_equal(read(path)[:, :, 0], GREY)
    assert np.array_equal(read(path, channels=3), np.dstack([GREY] * 3))
    path = saved(tmp_path / "a.tif", Image.fromarray(GREY.astype(np.uint16) * 257))
    assert np.array_equal(read(path, channels=1)[:, :, 0], GREY)


def test_transparent_pixels_are_laid_on_white(tmp_path):
    """Black ink on nothing, as a drawing program exports it, in three ways of saying so: dark on white, in shades."""
    ink = GREY
    black = Image.new("L", (8, 6), 0)
    both = Image.merge("LA", [black, Image.fromarray(ink)])
    for path in (saved(tmp_path / "la.png", both), saved(tmp_path / "rgba.png", both.convert("RGBA"))):
        assert abs(read(path, channels=1)[:, :, 0].astype(int) - (255 - ink)).max() <= 1
    key = saved(tmp_path / "key.png", Image.fromarray(np.where(ink > 99, 200, 0).astype(np.uint8)), transparency=0)
    assert np.array_equal(read(key)[:, :, 0], np.where(ink > 99, 200, 255))
    palette = Image.fromarray(np.where(ink > 99, 200, 0).astype(np.uint8)).convert("P")
    path = saved(tmp_path / "p.png", palette, transparency=palette.getpixel((0, 0)) if ink[0, 0] <= 99 else 0)
    assert read(path).max() == 255
    assert read(tmp_path / "rgba.png", channels=4)[..., 3].tolist() == ink.tolist()


def test_an_old_run_keeps_dropping_transparency(tmp_path):
    both = Image.merge("LA", [Image.new("L", (8, 6), 7), Image.fromarray(GREY)])
    path = saved(tmp_path / "a.png", both)
    assert (read(path, channels=1, transparency="dropped") == 7).all()


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3)],
)
def test_without_a_wish_grey_pictures_have_one_channel_and_others_three(tmp_path, mode, channels):
    path = saved(tmp_path / f"a.{'tif' if mode == 'CMYK' else 'png'}", Image.new(mode, (8, 6)))
    assert read(path).shape == (6, 8, channels)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_inverted_is_dark_for_light_and_keeps_transparency(tmp_path, mode):
    image = Image.fromarray(RANDOM.integers(0, 256, (6, 8, 4), np.uint8), "RGBA").convert(mode)
    path = saved(tmp_path / "a.png", image)
    channels = len(mode)
    plain, turned = (read(path, channels=channels, invert=invert) for invert in (False, True))
    colours = min(channels, 3)
    assert np.array_equal(turned[..., :colours], 255 - plain[..., :colours])
    assert np.array_equal(turned[..., colours:], plain[..., colours:])


# --- proportions -----------------------------------------------------------------------------------------------------


def test_other_proportions_are_stretched_cropped_or_padded(tmp_path):
    """A white square in the middle of a grey picture of 20×40, brought to 10×10."""
    pixels = np.full((20, 40), 100, np.uint8)
    pixels[:, 10:30] = 255
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    stretched, factor = read_picture(path, Reading((10, 10)))
    assert factor == 0.5
    assert stretched[5, [0, 5, 9], 0].tolist() == [100, 255, 100]
    cropped, factor = read_picture(path, Reading((10, 10), fit="crop"))
    assert factor == 1
    assert (cropped[:, 1:-1] == 255).all()
    padded, factor = read_picture(path, Reading((10, 10), fit="pad"))
    assert factor == 1
    assert padded[[0, 5, 9], 5, 0].tolist() == [0, 255, 0]
    turned = read(path, size=(10, 10), fit="pad", invert=True)
    assert turned[[0, 5, 9], 5, 0].tolist() == [0, 0, 0]  # what is added is black, also beside inverted pixels


def test_an_unknown_fit_is_named():
    with pytest.raises(ArgumentError, match="unknown fit 'cropp'; did you mean 'crop'"):
        Reading(fit="cropp")


# --- what is refused -------------------------------------------------------------------------------------------------


def animation(path):
    frames = [Image.new("L", (8, 6), 80 * k) for k in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def with_bytes(content):
    return lambda path: path.write_bytes(content)


REFUSED = [
    ("a.gif", animation, "a.gif is an animation of 3 frames: save the one that counts as a PNG"),
    ("a.webp", animation, "a.webp is an animation of 3 frames"),
    ("a.png", animation, "a.png is an animation of 3 frames"),
    ("a.tif", animation, "a.tif is a file of 3 pages: save the one that counts as a PNG"),
    ("f.tif", lambda path: Image.new("F", (8, 6)).save(path), "f.tif has pixels of the kind 'F', not of 8 or 16 bits"),
    ("i.tif", lambda path: Image.new("I", (8, 6)).save(path), "i.tif has pixels of the kind 'I', not of 8 or 16 bits"),
    ("a.heic", with_bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(40)), "a.heic is a HEIC picture, .* save it as"),
    ("b.jpg", with_bytes(struct.pack(">I", 24) + b"ftypmif1" + bytes(40)), "b.jpg is a HEIC picture"),
    (
        "a.svg",
        with_bytes(b"<?xml version='1.0'?>\n<svg xmlns='x'></svg>"),
        r"a.svg is a drawing \(SVG\), .*: export it",
    ),
    ("a.pdf", with_bytes(b"%PDF-1.7\n"), "a.pdf is a PDF document"),
    ("none.png", with_bytes(b""), "none.png is empty"),
    ("text.png", with_bytes(b"no picture"), "text.png is not an image"),
]


@pytest.mark.parametrize(("name", "make", "said"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_what_is_no_single_picture_of_bytes_is_refused_in_a_sentence(tmp_path, name, make, said):
    make(tmp_path / name)
    with pytest.raises(DataError, match=said):
        read_picture(tmp_path / name)


def test_a_photograph_with_a_thumbnail_behind_it_is_one_picture(tmp_path):
    """Phones write MPO files, whose further pictures belong to the first."""
    first = Image.new("RGB", (8, 6), (1, 2, 3))
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[Image.new("RGB", (4, 3))])
    assert read(tmp_path / "a.mpo").shape == (6, 8, 3)


# --- black and white of arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([False, True]), (0, 1)),
        (np.array([0, 16], np.uint8), (0, 16)),
        (np.array([0.0, 16.0]), (0, 16)),
        (np.array([0, 17]), (0, 255)),
        (np.array([0, 4095]), (0, 4095)),
        (np.array([0, 65535]), (0, 65535)),
        (np.array([0.2, 0.9]), (0, 1)),
        (np.array([0.5, 200.25]), (0, 255)),
        (np.array([-1, 0.3]), (-1, 1)),
        (np.array([-0.4242, 2.8]), None),
        (np.array([0.1, 2.8]), None),
        (np.array([0, 70_000]), None),
    ],
)
def test_black_and_white_follow_from_the_numbers(x, expected):
    assert range_of(x) == expected
