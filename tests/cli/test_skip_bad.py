"""One bad row, picture or class: named with the first three of its kind, and left out where that is asked."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from thalweg.data.images import Images, is_image_source, read_images
from thalweg.data.tables import Table, read_table, write_table
from thalweg.errors import BadRowsError, DataError
from thalweg.runs import image_run as image_runs
from thalweg.runs import table_run as runs
from thalweg.tabular import Features, Target, without_bad_rows

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def thalweg(run_thalweg):
    """Runs a command in an empty folder; returns exit code, output, errors."""
    return run_thalweg


def columns(rows=60):
    """A table with five bad cells in four rows: 4, 8 (twice), 21 and 45."""
    x, z = np.arange(float(rows)), np.arange(rows).astype(object)
    x[[3, 20]] = np.inf, -np.inf
    x[7] = np.inf
    z[[7, 44]] = "3 kg", "?!"
    return {"x": x, "z": np.array(list(map(str, z)), object), "y": np.array(["a", "b", "b"] * (rows // 3), object)}


MESSAGE = "; ".join(f"row {row} of the column 'x' holds {x}" for row, x in ((4, "inf"), (8, "inf"), (21, "-inf")))
MESSAGE += "; and 1 more"
TRAIN = (
    "train",
    "t.parquet",
    "--target",
    "y",
    "--members",
    "1",
    "--layers",
    "4",
    "--epochs",
    "3",
    "--seed",
    "0",
    "--out",
    "run",
)


# --- tables ----------------------------------------------------------------------------------------------------------


def test_all_columns_bad_rows_are_told_together():
    table = read_table(columns())
    with pytest.raises(BadRowsError) as caught:
        Features.fit(table, "y")
    assert list(caught.value.problems) == [4, 8, 21, 45]
    assert str(caught.value).startswith(MESSAGE)
    assert "only finite numbers can be used" in str(caught.value)
    assert "where the others are numbers" in str(caught.value)


def test_rows_are_left_out_by_their_number_in_the_source():
    """Also where rows were taken out before: those without a target."""
    given = columns()
    given["y"][[0, 1, 2, 10]] = None
    table, skipped = without_bad_rows(read_table(given), lambda rows: Features.fit(rows, "y"))
    assert [problem.split()[1] for problem in skipped] == ["4", "8", "21", "45"]
    assert table.rows == 56
    assert [table.row_number(k) for k in range(5)] == [1, 2, 3, 5, 6]
    assert np.isfinite(Features.fit(table, Target.of(table, "y")).matrix(table)).all()


def test_where_nothing_is_left_it_is_an_error():
    with pytest.raises(BadRowsError, match=r"row 1 of the column 'x' holds inf; row 2 .*; row 3 .*; and 1 more; only"):
        without_bad_rows(Table.of({"x": [np.inf] * 4, "y": list("abab")}), lambda rows: Features.fit(rows, "y"))


def test_a_table_s_whole_way(thalweg):
    write_table("t.parquet", columns())
    code, _, error = thalweg(*TRAIN)
    assert code == 1
    assert MESSAGE in error
    assert error.endswith("; --skip-bad leaves them out\n")
    code, out, error = thalweg(*TRAIN, "--skip-bad")
    assert code == 0, error
    assert f"skipped 4: {MESSAGE}" in out
    rows = json.loads(Path("run/run.json").read_text("utf-8"))["rows"]
    assert rows["skipped"] == 4
    assert rows["train"] + rows["validation"] + rows["test"] == 56

    for command in (("evaluate", "run", "t.parquet"), ("predict", "run", "t.parquet", "--out", "p.csv")):
        code, _, error = thalweg(*command)
        assert code == 1
        assert MESSAGE in error
        assert "--skip-bad" in error
        code, out, error = thalweg(*command, "--skip-bad")
        assert code == 0, error
        assert "skipped 4: row 4" in out
        assert "56 " in out
    assert read_table("p.csv")["row"].tolist() == [n for n in range(1, 61) if n not in (4, 8, 21, 45)]


def test_comparing_skips_too(thalweg):
    write_table("t.parquet", columns())
    arguments = ("compare", "activation", "t.parquet", "--target", "y", "--entries", "relu", "--seeds", "1")
    code, _, error = thalweg(*arguments, "--epochs", "1", "--layers", "2")
    assert (code, "--skip-bad" in error) == (1, True)
    code, out, error = thalweg(*arguments, "--epochs", "1", "--layers", "2", "--skip-bad")
    assert code == 0, error
    assert "skipped 4: row 4" in out


def test_a_label_that_the_network_has_never_met(thalweg):
    given = columns()
    write_table("t.parquet", given)
    assert thalweg(*TRAIN, "--skip-bad")[0] == 0
    given["y"][[12, 13]] = "c"
    write_table("new.parquet", given)
    run, table = runs.load("run"), read_table("new.parquet")
    assert [problem.split()[1] for problem in runs.usable(run, table, with_targets=True)[1]] == [
        *("4", "8", "21", "45"),
        *("13", "14"),
    ]
    assert len(runs.usable(run, table)[1]) == 4


# --- images ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path):
    """Three classes of four pictures; five of them are none, and a class is empty."""
    for number, name in enumerate(("cat", "dog", "fish")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(4):
            Image.new("RGB", (8, 6), (60 * number, 50 * k, 0)).save(tmp_path / "photos" / name / f"{k}.png")
    (tmp_path / "photos" / "empty").mkdir()
    (tmp_path / "photos" / "cat" / "1.png").write_text("no picture")
    (tmp_path / "photos" / "dog" / "2.png").write_bytes((tmp_path / "photos" / "dog" / "0.png").read_bytes()[:40])
    return tmp_path / "photos"


def test_bad_pictures_and_empty_classes_are_told_together(photos):
    with pytest.raises(
        BadRowsError,
        match=r"cat/1.png, .*dog/2.png: each is not an image; .*empty is a class folder without images$",
    ):
        read_images(photos)


def test_they_are_left_out_and_classes_numbered_anew(photos):
    for file in (photos / "cat").iterdir():
        file.write_text("no picture")
    images = read_images(photos, skip_bad=True)
    assert images.classes == ("dog", "fish")
    assert images.y.tolist() == [0] * 3 + [1] * 4
    assert images.x[:, 0, 0].tolist() == [[60, 50 * k, 0] for k in (0, 1, 3)] + [[120, 50 * k, 0] for k in range(4)]
    assert len(images.skipped) == 7  # five pictures, two classes
    assert "a class folder without images" in images.skipped[-1]


def test_one_class_is_not_enough(photos):
    for name in ("cat", "dog"):
        for file in (photos / name).iterdir():
            file.unlink()
    with pytest.raises(DataError, match="has images of one class only, 'fish'"):
        read_images(photos, skip_bad=True)


def test_a_class_for_testing_only(photos, tmp_path):
    (tmp_path / "both").mkdir()
    photos.rename(tmp_path / "both" / "train")
    for name in ("cat", "owl"):
        (tmp_path / "both" / "test" / name).mkdir(parents=True)
        Image.new("RGB", (8, 6)).save(tmp_path / "both" / "test" / name / "0.png")
    images = read_images(tmp_path / "both", skip_bad=True)
    assert images.test is not None
    assert images.test.y.tolist() == [0]
    assert "owl is a class that " in images.skipped[3]


def test_images_that_are_not_finite(tmp_path):
    x = np.random.default_rng(0).random((8, 4, 3))
    x[1, 2, 0], x[5, 0, 1] = np.nan, np.inf
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(8) % 2)
    with pytest.raises(BadRowsError, match=r"image 1 .* holds nan at pixel \(2, 0, 0\); .*image 5 .* holds inf"):
        read_images(tmp_path / "a.npz")
    images = read_images(tmp_path / "a.npz", skip_bad=True)
    assert images.y.tolist() == [0, 0, 1, 0, 0, 1]
    assert np.allclose(images.x[0, :, :, 0], x[0])
    assert len(images.skipped) == 2


@pytest.mark.filterwarnings("ignore:.* of nearly one colour")  # as they are
def test_pictures_whole_way(thalweg, photos):
    train = ("train", photos, "--model", "mlp", "--epochs", "1", "--seed", "0", "--out", "run")
    code, _, error = thalweg(*train)
    assert code == 1
    assert error.endswith("is a class folder without images; --skip-bad leaves them out\n")
    code, out, error = thalweg(*train, "--skip-bad")
    assert code == 0, error
    assert "skipped 3: " in out
    assert json.loads(Path("run/run.json").read_text("utf-8"))["rows"]["skipped"] == 3
    code, out, error = thalweg("evaluate", "run", photos, "--skip-bad")
    assert code == 0, error
    assert "10 rows" in out
    code, _, error = thalweg("predict", "run", photos / "cat")
    assert (code, "cat/1.png is not an image; --skip-bad" in error) == (1, True)
    code, out, error = thalweg("predict", "run", photos / "cat", "--out", "p.csv", "--skip-bad")
    assert code == 0, error
    assert [Path(file).name for file in read_table("p.csv")["file"]] == ["0.png", "2.png", "3.png"]


# --- small folders ---------------------------------------------------------------------------------------------------


def test_few_images_are_passed_often_in_small_batches():
    def chosen(rows, **asked):
        options = image_runs.course(rows, image_runs.ImageOptions(**asked))
        return options.batch_size, options.epochs

    assert chosen(54_000) == (128, 15)
    assert chosen(86) == (16, 100)
    for rows in (1, 10, 86, 319, 320, 640, 1000, 2559, 2560, 5000, 10**6):
        batch, epochs = chosen(rows)
        assert batch in (16, 32, 64, 128)
        assert epochs == 100 or epochs * -(-rows // batch) >= 600
    assert chosen(86, batch_size=86, epochs=3) == (86, 3)
    assert chosen(86, batch_size=128) == (128, 100)
    assert chosen(54_000, epochs=2) == (128, 2)


def test_what_was_chosen_is_said_and_kept(thalweg, photos):
    arguments = ("train", photos, "--model", "mlp", "--seed", "0", "--skip-bad")
    code, out, error = thalweg(*arguments, "--out", "run")
    assert code == 0, error
    why = r"100 steps \(with \d+ images, the usual batches of 128 and 15 epochs would be only 15 steps\)"
    assert re.search(f"batches of 16, 100 epochs: {why}", out)
    assert thalweg("inspect", "run")[0] == 0
    options = json.loads(Path("run/run.json").read_text("utf-8"))["options"]
    assert (options["batch_size"], options["epochs"]) == (16, 100)
    code, out, error = thalweg(*arguments, "--batch-size", "4", "--epochs", "2", "--out", "run2")
    assert code == 0, error
    assert "batches of 4, 2 epochs: 4 steps\n" in out


def test_a_small_folder_is_learned(tmp_path):
    """Discs, squares and triangles in any colours, 120 of them; 15 steps of 128, the control, don't learn them."""
    pytest.importorskip("yaml")
    block = "- Conv2D: {filters: %d, kernel_size: 3, activation: relu}\n- MaxPooling2D\n"
    (tmp_path / "net.yaml").write_text(block % 8 + block % 16 + "- Flatten\n- Dense: {units: 16, activation: relu}\n")
    images, held = shapes(120), shapes(300, seed=1)
    shares = []
    for more in ({"batch_size": 128, "epochs": 15}, {}):
        run = image_runs.train(images, image_runs.ImageOptions(model=str(tmp_path / "net.yaml"), seed=0, **more))
        shares.append(image_runs.score(run, held).values["accuracy"])
    assert shares[0] < 0.7
    assert shares[1] > 0.85


def shapes(rows, side=16, seed=0):
    from PIL import ImageDraw

    random = np.random.default_rng(seed)
    pictures = []
    for number in range(rows):
        ground, colour = random.integers(0, 100, 3).tolist(), random.integers(155, 256, 3).tolist()
        picture = Image.new("RGB", (side, side), tuple(ground))
        (x, y), r = random.integers(side // 3, side - side // 3, 2).tolist(), int(random.integers(side // 5, side // 3))
        draw = ImageDraw.Draw(picture)
        box, corners = (x - r, y - r, x + r, y + r), [(x, y - r), (x - r, y + r), (x + r, y + r)]
        if number % 3 == 2:
            draw.polygon(corners, tuple(colour))
        else:
            (draw.ellipse, draw.rectangle)[number % 3](box, tuple(colour))
        pictures.append(np.asarray(picture))
    return Images(np.stack(pictures), np.arange(rows) % 3, ("disc", "square", "triangle"), "shapes")


# --- what a folder holds ---------------------------------------------------------------------------------------------


def test_folders_of_tables_are_no_images(thalweg):
    for year in (2023, 2024):
        Path(f"data/year={year}").mkdir(parents=True)
        write_table(f"data/year={year}/part.parquet", {"x": np.arange(30.0), "y": np.arange(30) % 2})
        Path(f"data/year={year}/_SUCCESS").touch()
    assert not is_image_source("data")
    code, _, error = thalweg("train", "data", "--target", "y")
    assert code == 1
    assert f"data is a folder; name a file in it, or several with a glob such as {Path('data/**/*.parquet')}" in error
    assert read_table("data/**/*.parquet").rows == 60
    Image.new("L", (4, 4)).save("data/year=2023/a.png")
    assert is_image_source("data")  # pictures with their tables


@pytest.mark.parametrize(("command", "file"), [("filters", "filters"), ("features", "features")])
def test_drawings_overwrite_nothing(thalweg, photos, command, file):
    pytest.importorskip("matplotlib")
    pytest.importorskip("yaml")
    Path("net.yaml").write_text("- Conv2D: {filters: 2, kernel_size: 3}\n- Flatten\n")
    train = ("train", photos, "--model", "net.yaml", "--epochs", "1", "--seed", "0", "--out", "run", "--skip-bad")
    assert thalweg(*train)[0] == 0
    arguments = (command, "run", *([photos / "dog" / "0.png"] if command == "features" else []))
    for name in (f"{file}.png", f"{file}-2.png"):
        code, out, error = thalweg(*arguments)
        assert code == 0, error
        assert f"picture: {name}" in out
    before = Path(f"{file}.png").read_bytes()
    code, _, error = thalweg(*arguments, "--out", f"{file}.png")
    assert (code, error) == (2, f"thalweg: {file}.png exists already and is not overwritten: give another --out\n")
    assert Path(f"{file}.png").read_bytes() == before
