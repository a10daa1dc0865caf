"""Pictures that don't look like training's: said with their number, and turned round where that is asked for."""

import json
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg.data.images import Images
from thalweg.data.images.likeness import Likeness
from thalweg.data.tables import read_table
from thalweg.errors import ArgumentError, DataError, ModelFileError, ThalwegWarning
from thalweg.runs import image_run
from thalweg.runs.image_options import ImageOptions

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
SMALL = "- Conv2D: {filters: 4, kernel_size: 3, activation: relu}\n- Flatten\n"


def strokes(rows, seed=0):
    """White strokes on black, 12×12, lying (0) or standing (1)."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    x = np.zeros((rows, 12, 12), np.uint8)
    for image, kind in zip(x, y, strict=True):
        at, begin = random.integers(3, 9), random.integers(2, 5)
        image[at, begin : begin + 6] = random.integers(180, 256, 6)
        if kind:
            image[:] = image.T.copy()
    return x, y


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run on strokes."""
    folder = tmp_path_factory.mktemp("strokes")
    (folder / "small.yaml").write_text(SMALL)
    x, y = strokes(200)
    images = Images(x[..., None], y, ("lying", "standing"), "strokes")
    options = ImageOptions(
        model=str(folder / "small.yaml"), epochs=20, batch_size=16, learning_rate=0.01, seed=0, lanes=1
    )
    image_run.train(images, options).save(folder / "run", ["thalweg", "train"])
    return folder


@pytest.fixture
def drawn(tmp_path):
    """Ten strokes as they were learned from, as ink on paper, and as ink on nothing."""
    x, y = strokes(10, seed=5)
    for name in ("learned", "paper", "clear"):
        (tmp_path / name).mkdir()
    for number, image in enumerate(x):
        Image.fromarray(image).save(tmp_path / "learned" / f"{number}.png")
        Image.fromarray(255 - image).resize((48, 48), 0).save(tmp_path / "paper" / f"{number}.png")
        ink = Image.merge("LA", [Image.new("L", (12, 12), 0), Image.fromarray(image)])
        ink.save(tmp_path / "clear" / f"{number}.png")
    return np.array(["lying", "standing"], object)[y]


@pytest.fixture
def run_thalweg(run_thalweg, monkeypatch):
    """As a user has it, notes are printed."""
    import warnings

    def run(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("always", ThalwegWarning)
            return run_thalweg(*arguments)

    return run


def answers(path):
    return read_table(path)["prediction"].tolist()


@pytest.mark.parametrize("folder", ["paper", "clear"])
def test_ink_on_paper_is_told_and_turned_round(run_thalweg, trained, drawn, folder):
    code, _, error = run_thalweg("predict", trained / "run", folder, "--out", "as-is.csv")
    assert code == 0
    assert f"note: 10 of 10 pictures ({folder}/0.png, {folder}/1.png, {folder}/2.png, …) are dark where" in error
    assert error.endswith("--invert turns them round\n")
    code, _, error = run_thalweg("predict", trained / "run", folder, "--invert", "--out", "turned.csv")
    assert (code, error) == (0, "")
    assert (np.array(answers("turned.csv")) == drawn).all()
    code, _, error = run_thalweg("predict", trained / "run", "learned", "--out", "learned.csv")
    assert (code, error) == (0, "")
    assert (np.array(answers("learned.csv")) == drawn).all()
    assert "leave out --invert" in run_thalweg("predict", trained / "run", "learned", "--invert")[2]


def test_one_picture_alone_is_judged_as_among_others(run_thalweg, trained, drawn):
    """The control: of one inverted picture among ten, one is told of."""
    assert run_thalweg("predict", trained / "run", "paper/3.png")[2].startswith("note: paper/3.png is dark where")
    among = [f"learned/{k}.png" for k in range(9)]
    assert (
        "note: 1 of 10 pictures (paper/3.png) is dark"
        in run_thalweg("predict", trained / "run", "paper/3.png", *among)[2]
    )
    assert run_thalweg("predict", trained / "run", "learned/3.png")[2] == ""


def test_what_is_as_far_the_other_way_round_is_not_called_dark_for_light(trained, tmp_path):
    """Warnings are errors here."""
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path in paths:
        Image.fromarray(random.choice([0, 255], (12, 12)).astype(np.uint8)).save(path)
    assert len(thalweg.load_run(trained / "run").predict(paths)) == 5


def test_every_command_that_takes_a_picture_tells(run_thalweg, trained, drawn):
    pytest.importorskip("matplotlib")
    for begin, more in ((["features"], []), (["trace"], ["--label", "lying"])):
        arguments = [*begin, trained / "run", "paper/0.png", *more]
        assert "--invert turns them round" in run_thalweg(*arguments)[2]
        assert run_thalweg(*arguments, "--invert")[2] == ""


def test_evaluation_tells_of_folders_and_of_arrays(run_thalweg, trained):
    x, y = strokes(20, seed=3)
    for number, (image, kind) in enumerate(zip(255 - x, y, strict=True)):
        path = Path("photos", ("lying", "standing")[kind], f"{number:02}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    np.savez("a.npz", x=255 - x, y=np.array(["lying", "standing"])[y])
    for source, first in (("photos", "photos/lying/00.png"), ("a.npz", "image 0 (counted from 0)")):
        code, out, error = run_thalweg("evaluate", trained / "run", source)
        assert code == 0, error
        assert f"note: 20 of 20 pictures ({first}, " in error
        code, out, error = run_thalweg("evaluate", trained / "run", source, "--invert")
        assert (code, error) == (0, "")
        assert out.split()[out.split().index("accuracy") + 1] == "1.0000"


def test_a_picture_of_one_colour_and_other_proportions_are_told(trained, tmp_path):
    run = thalweg.load_run(trained / "run")
    Image.new("L", (12, 12), 0).save(tmp_path / "black.png")
    with pytest.warns(ThalwegWarning, match=r"black.png is of nearly one colour"):
        run.predict(tmp_path / "black.png")
    x, _ = strokes(1)
    wide = np.zeros((12, 24), np.uint8)
    wide[:, 6:18] = x[0]
    Image.fromarray(wide).save(tmp_path / "wide.png")
    with pytest.warns(ThalwegWarning, match=r"wide.png is brought to other proportions .* --fit crop or --fit pad"):
        run.predict(tmp_path / "wide.png")
    run.read_as(invert=False, fit="crop")
    assert run.predict([tmp_path / "wide.png"] * 2).tolist() == ["lying"] * 2


# --- what a run keeps ------------------------------------------------------------------------------------------------


def test_a_run_reads_pictures_as_its_training_did(run_thalweg):
    random = np.random.default_rng(0)
    for number in range(24):
        path = Path("photos", ("dark", "light")[number % 2], f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 80, (10, 20), np.uint8) + np.uint8(160 * (number % 2))
        Image.fromarray(pixels).save(path)
    Path("small.yaml").write_text(SMALL)
    train = ("train", "photos", "--size", "8", "--model", "small.yaml", "--epochs", "2", "--seed", "0", "--no-report")
    code, out, error = run_thalweg(*train, "--out", "stretched")
    assert code == 0, error
    assert "proportions are changed in 17 of 17 pictures, at most 2.00 times" in out
    code, out, error = run_thalweg(*train, "--fit", "crop", "--out", "cropped")
    assert code == 0, error
    assert "proportions" not in out
    about = json.loads(Path("cropped/images.json").read_text())
    assert (about["fit"], about["transparency"], about["range"]) == ("crop", "white", [0, 255])
    assert thalweg.load_run("cropped").reading.fit == "crop"
    for run in ("stretched", "cropped"):
        assert run_thalweg("predict", run, "photos/dark")[2] == ""
    assert "did you mean 'crop'" in run_thalweg(*train, "--fit", "corp")[2]


def test_an_older_run_reads_pictures_as_it_did(trained, tmp_path):
    """Without the new lines of images.json: transparent pixels count as black, and nothing is compared."""
    import shutil

    shutil.copytree(trained / "run", tmp_path / "old")
    about = json.loads((tmp_path / "old" / "images.json").read_text())
    for name in ("range", "fit", "transparency"):
        del about[name]
    (tmp_path / "old" / "images.json").write_text(json.dumps(about))
    (tmp_path / "old" / "likeness.npz").unlink()
    x, _ = strokes(1)
    Image.merge("LA", [Image.new("L", (12, 12), 0), Image.fromarray(x[0])]).save(tmp_path / "clear.png")
    run = thalweg.load_run(tmp_path / "old")
    assert (run.pixels(tmp_path / "clear.png") == 0).all()
    assert run.range == (0, 255)
    about["fit"] = "cropp"
    (tmp_path / "old" / "images.json").write_text(json.dumps(about))
    with pytest.raises(ModelFileError, match=r"images.json is damaged: 'fit'"):
        thalweg.load_run(tmp_path / "old")


@pytest.mark.parametrize(
    ("scaled", "expected"),
    [
        (lambda x: x // 16, (0, 16)),
        (lambda x: x / 255, (0, 1)),
        (lambda x: x / 127.5 - 1, (-1, 1)),
        (lambda x: x.astype(np.uint16) * 257, (0, 65535)),
    ],
)
def test_pictures_are_brought_to_the_numbers_that_an_array_had(tmp_path, scaled, expected):
    """A network that learned from 0 … 16 gets 0 … 16 from a file, and answers as it does for the array."""
    x, y = strokes(120)
    (tmp_path / "small.yaml").write_text(SMALL)
    np.savez(tmp_path / "a.npz", x=scaled(x), y=y)
    images = image_run.read_images(tmp_path / "a.npz")
    options = ImageOptions(model=str(tmp_path / "small.yaml"), epochs=3, batch_size=16, seed=0, lanes=1)
    image_run.train(images, options).save(tmp_path / "run", ["thalweg"])
    run = thalweg.load_run(tmp_path / "run")
    assert run.range == expected
    Image.fromarray(x[0]).save(tmp_path / "a.png")
    assert run.pixels(tmp_path / "a.png").ravel() == pytest.approx(scaled(x)[0].ravel(), abs=1)
    at = run.model.predict(images.x[:1].astype(np.float32), verbose=0)
    assert run.predict_proba(tmp_path / "a.png") == pytest.approx(at, abs=0.05)


def test_numbers_whose_black_is_not_known_take_no_picture_files(tmp_path):
    x, y = strokes(60)
    (tmp_path / "small.yaml").write_text(SMALL)
    np.savez(tmp_path / "a.npz", x=(x - x.mean()) / x.std(), y=y)
    images = image_run.read_images(tmp_path / "a.npz")
    run = image_run.train(images, ImageOptions(model=str(tmp_path / "small.yaml"), epochs=1, seed=0, lanes=1))
    assert run.evaluate(tmp_path / "a.npz")["accuracy"] >= 0
    Image.fromarray(x[0]).save(tmp_path / "a.png")
    with pytest.raises(ArgumentError, match="black and white aren't known"):
        run.predict(tmp_path / "a.png")


def test_arrays_in_another_unit_are_refused(trained, tmp_path):
    x, y = strokes(20)
    run = thalweg.load_run(trained / "run")
    np.savez(tmp_path / "a.npz", x=x / 255, y=np.array(["lying", "standing"])[y])
    with pytest.raises(DataError, match=r"numbers from 0 to 1, and the network learned from 0 \(black\) to 255"):
        run.evaluate(tmp_path / "a.npz")


def test_a_damaged_likeness_is_refused(trained, tmp_path):
    np.savez(tmp_path / "likeness.npz", mean=1.0, spread=1.0, limits=[1.0, 2.0], stretched=[1.0, 1.0])
    with pytest.raises(ModelFileError, match="doesn't belong to images of 12×12×1"):
        Likeness.load(tmp_path / "likeness.npz", (12, 12, 1))
    grid = np.ones((8, 8, 1))
    for spread, limits in ((0 * grid, [1.0, 2.0]), (grid, [np.nan, 2.0])):
        np.savez(tmp_path / "likeness.npz", mean=grid, spread=spread, limits=limits, stretched=[1.0, 1.0])
        with pytest.raises(ModelFileError, match="its numbers aren't those of pictures"):
            Likeness.load(tmp_path / "likeness.npz", (12, 12, 1))


# --- how often it is right -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("rows", [300, 20_000])
def test_hits_and_false_alarms(name, rows):
    """Of 10,000 test pictures at most 0.1 % are told of; of the same ones, inverted, at least 99 %."""
    path = ROOT.parent / "shared" / "data" / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"there is no {path.name}")
    with np.load(path) as file:
        x, y, test = file["X_train"][:rows, ..., None], file["y_train"][:rows], file["X_test"][..., None]
    likeness = Likeness.of(Images(x, y, tuple("0123456789"), name))

    def told(pictures):
        said = likeness.warnings(pictures, (0, 255), str, None, inverted=False)
        return sum(int(sentence.partition(" of ")[0].replace(",", "")) for sentence in said)

    assert told(test) <= 10
    assert told(255 - test) >= 9900
