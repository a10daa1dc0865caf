"""Reports in a browser: of the demo, of tables, of a convnet, of a failed training, and of runs side by side.

Each at 1280 and 400 pixels: quiet, every figure drawn; their sizes are printed, and their pictures lie beside them.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from chinese_words import is_english
from test_gallery import BOX, SEEN, opened

from thalweg import Sequential, layers
from thalweg.data import read_table
from thalweg.data.images import Images
from thalweg.errors import DivergedError
from thalweg.optimizers import SGD
from thalweg.runs import image_run, table_training
from thalweg.runs.reports import pages
from thalweg.runs.table_run import TableOptions

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
QUICK = {"seed": 1, "lanes": 1, "members": 3, "layers": (32, 32), "epochs": 6, "trees": False}
SECONDS = 60.0  # there is time for all
TABLE = {"overview", "findings", "course", "judgement", "mistakes", "influence", "network", "layers", "landscape"}
CLASSES = {"Confusion matrix", "ROC", "Precision and recall", "Calibration", "If only sure answers count"}
NUMBERS = {"Predicted against true", "Residuals", "How large the residuals are", "Errors by the true value"}
INSIDES = {"The path of descent", "Around the solution", "Local valleys", "The program", "Importance of the columns"}
SHOWN = """() => {
    const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        if (!text.parentElement.closest("script, noscript, pre, code, .mono")) found.push(text.textContent);
    }
    return found;
}"""


@dataclass
class Made:
    """A page, and what has to be on it."""

    path: Path
    sections: set[str]
    figures: set[str] = field(default_factory=set)
    text: str = ""


def of_table(folder, source, target, figures, **more):
    run = table_training.train(read_table(source), TableOptions(target=target, **QUICK, **more))
    run.save(folder, ["thalweg", "train", str(source), "--target", target])
    pages.write_stored(folder, folder / pages.REPORT, seconds=SECONDS)
    return Made(folder / pages.REPORT, TABLE | {"program", "reproduction"}, figures | INSIDES)


def needed(name):
    if not (DATA / name).is_file():
        pytest.skip(f"shared/data/{name} isn't here")
    return DATA / name


def demo(folder):
    return of_table(folder / "demo", str(ROOT / "examples" / "penguins.csv"), "target", CLASSES)


def adult(folder):
    source = f"SELECT * EXCLUDE split FROM '{needed('adult.parquet')}' LIMIT 4000"
    return of_table(folder / "adult", source, "target", {*CLASSES, "From which probability on the answer is >50K"})


def diamonds(folder):
    source = f"FROM '{needed('diamonds.parquet')}' USING SAMPLE 4000 (reservoir, 1)"
    return of_table(folder / "diamonds", source, "target", NUMBERS)


def mnist(folder):
    with np.load(needed("mnist.npz")) as file:
        x, y = file["X_train"][:1200, ..., None], file["y_train"][:1200].astype(int)
    images = Images(x, y, tuple("0123456789"), "mnist")
    network = folder / "small.yaml"
    network.write_text("- Conv2D: {filters: 8, kernel_size: 3, activation: relu}\n- MaxPooling2D\n- Flatten\n")
    options = image_run.ImageOptions(model=str(network), epochs=2, seed=1, lanes=1)
    run = image_run.train(images, options)
    run.save(folder / "mnist", ["thalweg", "train", "mnist.npz"])
    pages.write_stored(folder / "mnist", folder / "mnist" / pages.REPORT, seconds=SECONDS)
    figures = {*CLASSES, "Saliency: the pixels that matter", "The program", "Around the solution"}
    return Made(folder / "mnist" / pages.REPORT, TABLE - {"influence"} | {"convolutions", "program"}, figures)


def failed(folder):
    rng = np.random.default_rng(0)
    model = Sequential([layers.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)], seed=0, name="failed")
    model.compile(SGD(0.02), "mse")
    x = 10 * rng.normal(size=(300, 4))
    with pytest.raises(DivergedError):
        model.fit(x, x[:, :1] ** 2, epochs=50, verbose=0, record=True, lanes=1)
    path = folder / "failed.html"
    model.report(path)
    wanted = {"overview", "findings", "course", "network", "layers", "program", "reproduction"}
    return Made(
        path, wanted, {"Loss by batch", "The network with its weights"}, "The training failed: training stopped"
    )


def compared(folder):
    for name, epochs in (("a", 3), ("b", 6)):
        options = TableOptions(target="target", **QUICK | {"epochs": epochs})
        run = table_training.train(read_table(str(ROOT / "examples" / "penguins.csv")), options)
        run.save(folder / name, ["thalweg", "train"])
    pages.write_comparison([folder / "a", folder / "b"], folder / "comparison.html")
    figures = {"Scores on rows held out", "accuracy", "loss", "Settings that differ", "Sizes and times"}
    return Made(folder / "comparison.html", {"scores", "course", "settings"}, figures, "judged by the same rows")


@pytest.fixture(scope="module", params=[demo, adult, diamonds, mnist, failed, compared], ids=lambda make: make.__name__)
def made(request, browser, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("reports"))


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (400, "zh")])
def test_a_report_is_drawn(new_page, made, width, language):
    size = made.path.stat().st_size
    print(f"{made.path.parent.name}/{made.path.name}: {size / 1e6:.2f} MB", end=" ")
    assert size < 1_000_000
    page = opened(new_page(width), made.path)
    titles = page.locator("figure .figure-title").all_text_contents()
    assert made.figures <= set(titles), made.figures - set(titles)
    assert made.sections <= set(page.locator("section").evaluate_all("all => all.map(one => one.id)"))
    assert made.text in page.locator("main").inner_text()
    if language == "zh":
        page.get_by_role("button", name="中文").click()
        assert [
            text for text in page.evaluate(SHOWN) if is_english(text, ("Li et al.", "squared error", "max pooling"))
        ] == []
    full, inner, _, scripts = page.evaluate(BOX)
    assert full <= inner, "the page scrolls sideways"
    assert scripts == 2
    for figure in page.locator("figure").evaluate_all(f"figures => figures.map({SEEN})"):
        assert figure["colours"] or figure["marks"] > 2 or figure["words"] > 5, f"{figure['title']} is empty"
        assert min(figure["colours"], default=2) > 1, f"{figure['title']}: a canvas of one colour"
    assert page.locator(".broken").count() == 0
    picture = made.path.with_suffix(f".{width}.png")
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 50_000
