"""Folders of pictures: all problems in one message, what programs leave is skipped, and what isn't used is said."""

import numpy as np
import pytest

from thalweg.data.images import is_image_source, read_images
from thalweg.data.images.image_folders import pictures_in
from thalweg.errors import ArgumentError, BadRowsError, DataError, ThalwegWarning

Image = pytest.importorskip("PIL.Image")


def picture(path, mode="RGB", size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, 128 if mode in ("L", "LA") else (9, 99, 199)).save(path)


@pytest.fixture
def photos(tmp_path):
    """Two classes of three pictures."""
    for name in ("cat", "dog"):
        for number in range(3):
            picture(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def test_all_problems_are_in_one_message(photos):
    """Not an image (five), damaged, empty, an empty class folder, and other sizes."""
    for number in range(5):
        (photos / "cat" / f"note{number}.txt").write_text("no picture")
    (photos / "dog" / "1.png").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    Image.fromarray(noise).save(photos / "dog" / "2.png")
    (photos / "dog" / "2.png").write_bytes((photos / "dog" / "2.png").read_bytes()[:2000])
    (photos / "owl").mkdir()
    picture(photos / "cat" / "big.png", size=(9, 9))
    with pytest.raises(BadRowsError) as error:
        read_images(photos)
    said = str(error.value).replace(f"{photos}/", "")
    assert "4 of 6×8 (cat/0.png), 1 of 9×9 (cat/big.png): give a size for all, such as --size 64" in said
    assert "cat/note0.txt, cat/note1.txt, cat/note2.txt and 2 more: each is not an image" in said
    assert "dog/1.png is empty" in said
    assert "dog/2.png is a damaged image: " in said
    assert "owl is a class folder without images" in said
    assert len(said.splitlines()) == 1
    assert len(error.value.problems) == 8
    with pytest.raises(DataError, match=r"^the pictures differ in height × width: .* --size 64$"):
        read_images(photos, skip_bad=True)
    with pytest.warns(ThalwegWarning, match="a single picture, learned from and not judged by: .*dog"):
        images = read_images(photos, size=(8, 8), skip_bad=True)
    assert images.y.tolist() == [0, 0, 0, 0, 1]
    assert [path.name for path in images.files] == ["0.png", "1.png", "2.png", "big.png", "0.png"]


def test_both_parts_are_looked_at(photos, tmp_path):
    (tmp_path / "both").mkdir()
    photos.rename(tmp_path / "both" / "train")
    (tmp_path / "both" / "train" / "cat" / "0.png").write_text("no picture")
    picture(tmp_path / "both" / "test" / "dog" / "0.png")
    picture(tmp_path / "both" / "test" / "owl" / "0.png")
    (tmp_path / "both" / "test" / "dog" / "1.png").write_text("no picture")
    with pytest.raises(BadRowsError, match=r"train/cat/0.png, .*test/dog/1.png: each is not .*owl is a class that"):
        read_images(tmp_path / "both")


def test_what_programs_leave_is_skipped(photos):
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", ".hidden/1.png", "@eaDir/2.png", "__MACOSX/3.png"):
        path = photos / "cat" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no picture")
    (photos / ".git").mkdir()
    (photos / "$RECYCLE.BIN").mkdir()
    assert len(read_images(photos).y) == 6
    assert [path.name for path in pictures_in(photos / "cat")] == ["0.png", "1.png", "2.png"]
    picture(photos / "cat" / "__4.png")  # a picture, whatever it is called
    assert len(read_images(photos).y) == 7


def test_grey_and_coloured_pictures_together_are_coloured(photos):
    """Whichever comes first."""
    picture(photos / "cat" / "0.png", "L")
    picture(photos / "dog" / "2.png", "LA")
    with pytest.warns(ThalwegWarning, match=r"\(2 of 6 are grey\): all are taken in colour"):
        images = read_images(photos)
    assert images.shape == (6, 8, 3)
    assert images.x[:, 0, 0].tolist() == [[128] * 3, *[[9, 99, 199]] * 4, [images.x[5, 0, 0, 0]] * 3]


def test_pictures_for_validation_are_not_a_class(photos, tmp_path):
    """train/ and val/ once were two classes, told apart in silence."""
    (tmp_path / "all").mkdir()
    photos.rename(tmp_path / "all" / "train")
    for name in ("cat", "dog"):
        picture(tmp_path / "all" / "val" / name / "0.png")
    images = read_images(tmp_path / "all")
    assert images.classes == ("cat", "dog")
    assert images.test is not None
    assert images.test.y.tolist() == [0, 1]
    picture(tmp_path / "all" / "test" / "cat" / "0.png")
    with pytest.warns(ThalwegWarning, match=r"all/val isn't used: scores are those of .*all/test"):
        assert read_images(tmp_path / "all").test.y.tolist() == [0]


def test_what_is_not_used_or_not_meant_is_said(photos):
    picture(photos / "loose.png")
    picture(photos / "cat" / "inner" / "0.png")
    picture(photos / "owl" / "0.png")
    with pytest.warns(ThalwegWarning) as told:
        assert np.bincount(read_images(photos).y).tolist() == [4, 3, 1]
    said = [str(warning.message).replace(f"{photos}/", "") for warning in told]
    assert said == [
        "pictures beside the class folders aren't used: loose.png",
        "pictures in folders of a class folder count as that class: cat/inner",
        "class folders with a single picture, learned from and not judged by: owl",
    ]


def test_a_folder_one_too_high_or_without_classes_is_understood(photos):
    with pytest.raises(DataError, match=r"only one, 'photos': did you mean .*photos, which has cat, dog\?"):
        read_images(photos.parent)
    with pytest.raises(DataError, match="at least two classes, it has 3 pictures without one"):
        read_images(photos / "cat")


def test_a_picture_and_a_fit_alone_are_refused(photos):
    assert not is_image_source(photos / "cat" / "0.png")
    with pytest.raises(DataError, match="is a single picture: give a folder with a folder of pictures for each class"):
        read_images(photos / "cat" / "0.png")
    with pytest.raises(ArgumentError, match="--fit crop goes with --size"):
        read_images(photos, fit="crop")
