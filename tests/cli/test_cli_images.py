"""The command line on images, as a new user meets it: training, predictions, pictures, and the wrong turns."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from thalweg import Sequential, layers
from thalweg.data.tables import read_table
from thalweg.errors import ArgumentError, NotFoundError
from thalweg.runs import image_run as image_runs
from thalweg.runs import judging, presets
from thalweg.runs.image_options import warm_cosine
from thalweg.runs.judging import Judgement
from thalweg.runs.scores import class_scores
from thalweg.views import plots
from thalweg.views.figures import new_figure, write_figure

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("yaml")
pytest.importorskip("matplotlib")

SMALL = """
- Conv2D: {filters: 4, kernel_size: 3, activation: relu}
- MaxPooling2D
- Flatten
- Dense: {units: 8, activation: relu}
"""


def stripes(rows, seed=0):
    """Images of 8×8 with horizontal (0) or vertical (1) stripes, in noise."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    pattern = np.where(np.arange(8) % 2, 200, 50)
    x = np.where(y[:, None, None] == 0, pattern[None, :, None], pattern[None, None, :])
    return (x + random.integers(-40, 40, (rows, 8, 8))).astype(np.uint8), y


@pytest.fixture
def thalweg(run_thalweg):
    """Runs a command in a folder with stripes.npz and small.yaml; returns exit code, output, errors."""
    (x, y), (x_test, y_test) = stripes(120), stripes(40, seed=1)
    np.savez("stripes.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    Path("small.yaml").write_text(SMALL)
    return run_thalweg


QUICK = ("--seed", "0", "--batch-size", "16", "--learning-rate", "0.01")


def test_few_pictures_and_scores_no_better_than_guessing_are_warned_of(thalweg):
    x, y = stripes(24)
    noise = np.random.default_rng(2).permutation(y)  # the pictures say nothing
    np.savez("few.npz", x=np.concatenate([x, x[:1]]), y=np.append(noise, 2))
    code, out, error = thalweg("train", "few.npz", "--model", "small.yaml", "--epochs", "40", "--out", "run", *QUICK)
    assert code == 0, error
    facts = json.loads(Path("run/run.json").read_text())
    warnings = " ".join(facts["warnings"])
    assert re.search(r"few pictures to learn from \(.*\): 2 1, ", warnings)  # the class with one
    assert re.search(r"\d pictures to watch by: .* --validation-share", warnings)
    assert re.search(r"\d pictures held out: .* --test-share", warnings)
    assert re.search(r"accuracy \S+: no better than \S+, .*either the pictures say nothing about the target", warnings)
    assert facts["baseline"]["scores"].keys() == facts["held-out"].keys() == facts["intervals"].keys()
    assert all(part in " ".join(out.split()) for part in ("warning: few pictures", "95 % interval"))
    assert "There are too few rows to learn anything that holds for others." in out
    assert thalweg("inspect", "run")[0] == 0


@pytest.mark.parametrize("said", ["is better", "does about as well", ""])
def test_a_linear_model_is_better_only_beyond_the_interval(said):
    """Not both: "is better" and "may be chance" in one sentence."""
    y = np.arange(100) % 2
    own = class_scores(y, np.where((np.arange(100) < 90)[:, None], np.eye(2)[y], 1 - np.eye(2)[y]) * 0.9 + 0.05)
    here = own["log loss"]
    theirs = {"is better": 0.9 * here.low, "does about as well": (here.low + here.value) / 2}.get(said, here.value + 1)
    linear = {"model": "logistic regression", "scores": {"log loss": theirs}}
    warned = judging.beaten(
        Judgement(own, {}), {"scores": {"accuracy": 0.5, "log loss": 9.0}}, linear, False, "columns"
    )
    assert [said in text and "chance" not in text for text in warned] == [True] * (said != "")


def test_probabilities_worse_than_the_shares_of_the_classes_are_warned_of():
    baseline = {"scores": {"accuracy": 0.5, "log loss": 0.69}}
    y = np.arange(40) % 2
    shares = np.where((np.arange(40) % 4 < 3)[:, None], np.eye(2)[y], 1 - np.eye(2)[y]) * 0.98 + 0.01
    (said,) = judging.beaten(Judgement(class_scores(y, shares), {}), baseline, None, False, "pictures")
    assert said.startswith("log loss 1.159: worse than 0.69, that of giving every row the shares of the classes")
    assert not judging.beaten(Judgement(class_scores(y, shares), {}), baseline, None, True, "pictures")  # weighted


def test_the_whole_way(thalweg):
    code, out, error = thalweg("train", "stripes.npz", "--model", "small.yaml", "--epochs", "8", "--out", "run", *QUICK)
    assert code == 0, error
    for part in ("images of 8×8 pixels, channels: 1, as bytes", "2 classes: 0, 1", "108 to learn from", "40 held out"):
        assert part in out
    facts = json.loads(Path("run/run.json").read_text())
    assert facts["held-out"]["accuracy"] >= 0.95 > facts["baseline"]["scores"]["accuracy"]
    about = json.loads(Path("run/images.json").read_text())
    shape = {"height": 8, "width": 8, "channels": 1}
    read = {"scale": 1 / 255, "range": [0, 255], "fit": "stretch", "transparency": "white"}
    assert about == {"classes": ["0", "1"], **shape, **read}

    code, out, _ = thalweg("evaluate", "run", "stripes.npz")
    assert code == 0
    assert "40 rows" in out

    x, _ = stripes(2, seed=2)
    Path("new").mkdir()
    for number in range(2):
        Image.fromarray(x[number]).resize((16, 16), 0).save(f"new/{number}.png")
    code, out, _ = thalweg("predict", "run", "new/1.png")
    assert code == 0
    assert "1 " in out.splitlines()[-1]
    code, out, _ = thalweg("predict", "run", "new", "--out", "answers.csv")
    assert code == 0
    answers = read_table("answers.csv")
    assert [float(label) for label in answers["prediction"]] == [0, 1]
    assert answers.names == ["file", "prediction", "probability of 0", "probability of 1"]

    code, out, _ = thalweg("inspect", "run")
    assert code == 0
    assert "images of 8×8×1; classes: 0, 1" in out
    assert "conv2d (Conv2D)" in out

    for arguments, file in (
        (("filters", "run"), "filters.png"),
        (("filters", "run", "--epochs"), "kernels.png"),
        (("features", "run", "new/0.png", "--out", "maps.svg"), "maps.svg"),
    ):
        code, out, error = thalweg(*arguments)
        assert code == 0, error
        assert file in out
        assert Path(file).stat().st_size > 2000
    picture = Path("new/0.png").read_bytes()
    code, _, error = thalweg("features", "run", "new/0.png", "--out", "new/0.png")
    assert code == 2
    assert "new/0.png exists already and is not overwritten: give another --out" in error
    assert Path("new/0.png").read_bytes() == picture
    with Image.open("filters.png") as drawn:
        assert drawn.size[0] > 300
    with np.load("run/kernels.npz") as archive:
        kernels = archive["kernels"]
    assert kernels.shape == (9, 3, 3, 1, 4)  # before, and after each of 8 epochs
    assert (kernels[0] != kernels[-1]).any()


@pytest.mark.parametrize(
    ("options", "said", "rates"),
    [
        ((), "up to 0.003 in 2 steps, then to 0 in 19 along half a cosine", (0.001, 0.0015, 0.0)),
        (("--learning-rate", "0.02"), "up to 0.02 in 2 steps, then to 0 in 19 along", (0.02 / 3, 0.01, 0.0)),
        (("--optimizer", "sgd"), "SGD's learning rate: up to 0.03 in 2 steps", (0.01, 0.015, 0.0)),
        (("--schedule", "constant"), "Adam's learning rate: 0.001, constant", (0.001, 0.001, 0.001)),
        (("--schedule", "constant", "--learning-rate", "0.02"), "0.02, constant", (0.02, 0.02, 0.02)),
    ],
)
def test_the_learning_rate_rises_and_falls_unless_it_is_to_be_constant(thalweg, options, said, rates):
    """108 images in batches of 16: 7 steps an epoch. Rates of the first step, half-way down, and after the last."""
    arguments = ("--model", "small.yaml", "--epochs", "3", "--batch-size", "16", "--seed", "0", "--out", "run")
    code, out, error = thalweg("train", "stripes.npz", *arguments, *options)
    assert code == 0, error
    assert said in out
    optimizer = image_runs.load(Path("run")).model.optimizer
    assert optimizer.iterations == 21
    course = optimizer.schedule or (lambda step: optimizer.learning_rate)
    assert [course(step) for step in (0, 11.5, 21)] == pytest.approx(rates, abs=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 1000])
def test_the_learning_rate_of_any_number_of_steps(steps):
    """Never 0, the peak once, and 0 where training has ended."""
    rates = warm_cosine(0.1, steps)(np.arange(steps + 1))
    assert rates[:-1].min() > 0
    assert np.argwhere(np.isclose(rates, 0.1, rtol=1e-12)).tolist() == [[steps // 10]]
    assert (np.diff(rates)[: steps // 10] > 0).all()
    assert (np.diff(rates)[steps // 10 :] < 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_a_folder_of_photographs_with_every_augmentation(thalweg):
    x, y = stripes(24)
    for number, (image, label) in enumerate(zip(x, y, strict=True)):
        Path("photos", ("flat", "steep")[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert("RGB").save(f"photos/{('flat', 'steep')[label]}/{number}.jpg")
    more = ("--flip", "horizontal", "--shift", "0.1", "--rotate", "0.02", "--zoom", "0.1", "--contrast", "0.2")
    code, out, error = thalweg("train", "photos", "--model", "mlp", "--epochs", "2", "--size", "10x12", *more, *QUICK)
    assert code == 0, error
    assert "images of 10×12 pixels, channels: 3" in out
    for layer in ("RandomFlip", "RandomTranslation", "RandomRotation", "RandomZoom", "RandomContrast", "Rescaling"):
        assert layer in out
    code, out, error = thalweg("evaluate", "runs/photos", "photos")
    assert code == 0, error
    code, _, error = thalweg("filters", "runs/photos")
    assert code == 2
    assert "no convolution layer" in error


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("train", "stripes.npz", "--target", "y"), 2, "--target is for tables; stripes.npz holds images"),
        (("train", "stripes.npz", "--size", "8"), 2, "taken as they are"),
        (("train", "stripes.npz", "--model", "covnet"), 2, "unknown model 'covnet'; did you mean 'convnet'?"),
        (("train", "stripes.npz", "--model", "none.yaml"), 2, "there is no file none.yaml"),
        (("train", "stripes.npz", "--flip", "sideways"), 2, "unknown RandomFlip's mode"),
        (("train", "stripes.npz", "--schedule", "cosin"), 2, "unknown schedule 'cosin'; did you mean 'cosine'?"),
        (("train", "stripes.npz", "--learning-rate", "-1"), 2, "Adam: learning_rate has to be a number in [0,"),
        (("train", "a.csv", "--target", "a", "--schedule", "cosine"), 2, "--schedule is for images"),
        (("train", "stripes.npz", "--shift", "-1"), 2, "shift has to be a number in [0,"),
        (("train", "a.csv"), 2, "give the column to predict: --target NAME"),
        (("train", "a.csv", "--target", "a", "--zoom", "0.1"), 2, "--zoom is for images; a.csv is a table"),
        (("train", "photos", "--size", "big"), 2, "--size takes a number of pixels such as 64"),
        (("train", "nothing.npz"), 2, "there is no file or folder nothing.npz"),
        (("train", "bad.npz"), 1, "bad.npz: image 3 (counted from 0) holds nan at pixel (0, 0, 0)"),
        (("train", "a.png"), 2, "a.png is a single picture: give a folder with a folder of pictures for each class"),
        (("train", "a.png", "--size", "8"), 2, "a.png is a single picture"),
        (("train", "none.png"), 2, "there is no file or folder none.png"),
        (("compare", "activation", "stripes.npz"), 2, "compare is for tables; train a run with each setting"),
        (("compare", "activation", "a.png"), 2, "compare is for tables"),
        (("compare", "activation", "a.csv"), 2, "give the column to predict: --target NAME"),
        (("tune", "stripes.npz"), 2, "tune is for tables"),
        (("train", "stripes.npz", "--fit", "crop"), 2, "leave out --size, --channels and --fit"),
        (("train", "a.csv", "--target", "a", "--fit", "crop"), 2, "--fit is for images"),
        (("train", "photoz"), 2, "there is no file or folder photoz"),
        (
            ("train", "stripes.npz", "--model", "wide.yaml"),
            1,
            "Conv2D's window spans (9, 9), more than its input of (8, 8)",
        ),
        (("train", "stripes.npz", "--model", "groups.yaml"), 1, "Conv2D's 2 groups don't divide the 1 channels"),
        (("train", "stripes.npz", "--model", "open.yaml"), 1, "end with Flatten or GlobalAveragePooling2D"),
        (("filters", "nothing"), 2, "there is no run folder nothing"),
    ],
)
def test_wrong_turns_are_told_in_one_line(thalweg, arguments, exit_code, said):
    Path("photos").mkdir()
    Path("a.csv").write_text("a,b\n1,2\n")
    Image.new("L", (8, 8)).save("a.png")
    Path("wide.yaml").write_text("- Conv2D: {filters: 4, kernel_size: 9}\n- Flatten\n")
    Path("groups.yaml").write_text("- Conv2D: {filters: 4, kernel_size: 3, groups: 2}\n- Flatten\n")
    Path("open.yaml").write_text("- Conv2D: {filters: 4, kernel_size: 3}\n")
    x = np.zeros((4, 3, 3))
    x[3, 0, 0] = np.nan
    np.savez("bad.npz", x=x, y=[0, 1, 0, 1])
    code, _, error = thalweg(*arguments)
    assert said in error
    assert code == exit_code
    assert len(error.splitlines()) == 1


# --- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets.PRESETS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (5, 9, 3), (64, 48, 3)])
def test_presets_fit_small_and_large_pictures(name, shape):
    hidden = presets.hidden_layers(name, shape)
    model = Sequential([layers.Input(shape), *hidden, layers.Dense(3, "softmax")], seed=0)
    model.build()
    assert model.output_shape == (None, 3)
    assert model.predict(np.ones((2, *shape))).shape == (2, 3)


def test_the_simple_preset_is_keras_s_network():
    """keras.io/examples/vision/mnist_convnet: 34,826 parameters, and these layers."""
    hidden = presets.hidden_layers("simple", (28, 28, 1))
    model = Sequential([layers.Input((28, 28, 1)), *hidden, layers.Dense(10, "softmax")])
    model.build()
    assert model.count_params() == 34_826
    assert [type(layer).__name__ for layer in hidden] == [
        *("Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dropout"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- Conv2D: {filters: 4}", "net.yaml: Conv2D: missing a required argument: 'kernel_size'"),
        ("- Conv2D: {filtres: 4}", "unknown argument of Conv2D .* did you mean 'filters'"),
        ("- MelSpectrogram", "unknown layer in .*: 'MelSpectrogram'"),
        ("- Dense: {units: -1}", "Dense's units"),
        ("- [1, 2]", "a layer is a name"),
        ("- Input: {shape: [2]}", "leave Input out"),
        ("Dense: 3", "has to be a list of layers"),
        ("- {", "is not YAML"),
    ],
)
def test_a_bad_yaml_file_is_named(tmp_path, text, said):
    (tmp_path / "net.yaml").write_text(text)
    with pytest.raises(ArgumentError, match=said) as error:
        presets.read_layers(tmp_path / "net.yaml")
    assert "net.yaml" in str(error.value)
    with pytest.raises(NotFoundError):
        presets.read_layers(tmp_path / "other.yaml")


def test_layers_inside_layers(tmp_path):
    (tmp_path / "net.yaml").write_text("- Residual: {layers: [Dense: {units: 3}, {LeakyReLU: {negative_slope: 0.1}}]}")
    (residual,) = presets.read_layers(tmp_path / "net.yaml")
    assert [type(layer).__name__ for layer in residual.layers] == ["Dense", "LeakyReLU"]


# --- pictures --------------------------------------------------------------------------------------------------------


def test_feature_maps_are_what_the_layers_make():
    stack = [layers.Input((6, 5, 1)), layers.Conv2D(2, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    model = Sequential(stack, seed=0)
    picture = np.random.default_rng(0).integers(0, 256, (6, 5, 1), np.uint8)
    values = plots.feature_maps(model, picture)
    assert {name: value.shape for name, value in values.items()} == {
        "conv2d": (4, 3, 2),
        "flatten": (24,),
        "dense": (3,),
    }
    assert np.array_equal(values["conv2d"].ravel(), values["flatten"])
    np.testing.assert_allclose(values["dense"], model.predict(picture[None])[0], rtol=1e-5)


def test_feature_maps_are_drawn_without_layers_that_pass_on_and_with_the_classes():
    maps = [layers.Conv2D(20, 3), layers.BatchNormalization(), layers.Dropout(0.5)]
    model = Sequential([layers.Input((6, 6, 1)), *maps, layers.Flatten(), layers.Dense(3)], seed=0)
    picture = np.random.default_rng(0).integers(0, 256, (6, 6, 1), np.uint8)
    drawn = plots.draw_features(
        plots.feature_maps(model, picture), picture, "title", ("cat", "dog", "a long long name")
    )
    rows = [(axis.get_ylabel() or axis.get_yticklabels()[0].get_text()).partition("\n")[0] for axis in drawn.axes]
    assert rows == ["picture", "conv2d", "batch_normalization", "dense"]
    assert pictures_of(drawn) == 1 + 2 * plots.MOST
    assert [text.get_text() for text in drawn.axes[-1].get_xticklabels()] == ["cat", "dog", "a long lo…"]
    drawn.canvas.draw()
    left = {round(axis.get_position().x0, 3) for axis in drawn.axes if axis.images}
    assert len(left) == 1  # the rows begin at one place


def pictures_of(drawn):
    """How many pictures stand apart from each other."""
    return sum(ndimage.label(sheet.get_array()[:, :, 3])[1] for axis in drawn.axes for sheet in axis.images)


@pytest.mark.parametrize("inputs", [1, 3, 5])
def test_every_filter_is_drawn(inputs):
    kernel = np.random.default_rng(0).normal(size=(3, 3, inputs, 10))
    drawn = plots.draw_filters(kernel, "kernels")
    assert pictures_of(drawn) == (50 if inputs == 5 else 10)
    assert pictures_of(plots.draw_strip([kernel, kernel, kernel], "epochs")) == 30


@pytest.mark.parametrize("inputs", [1, 3, 5])
def test_filters_stand_in_rows_in_their_colours(inputs):
    """Blue below 0, red above; of three channels, each channel's share of its own colour."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, inputs, 10))
    (sheet,) = plots.draw_filters(kernel, "kernels").axes[0].images
    framed = plots.FRAME + 8  # the middle of a corner's cell
    across = 3 * 16 + 2 * plots.FRAME + plots.GAP
    row, column = (4, 7) if inputs == 5 else (1, 1)
    corner = sheet.get_array()[row * across + framed, column * across + framed, :3]
    own = kernel[0, 0, row, column] if inputs == 5 else kernel[0, 0, :, 8 + 1]
    if inputs == 3:
        np.testing.assert_allclose(corner, 0.5 + 0.5 * own / np.abs(kernel).max())
    else:
        assert (corner[0] > corner[2]) == (own > 0)


def test_a_picture_is_png_or_svg(tmp_path):
    with pytest.raises(ArgumentError, match=r"written as .png or .svg"):
        write_figure(new_figure(1, 1), tmp_path / "a.bmp")
    with pytest.raises(ArgumentError, match="no kernels were recorded"):
        plots.draw_strip([], "none")
