"""The page that predicts, in a browser: form, pictures and tables say what the run says, whatever the names are."""

import csv
import io
import re

import numpy as np
import pytest
from chinese_words import is_english
from test_gallery import BOX, opened
from test_reports import ROOT, SHOWN

from thalweg.data import read_table
from thalweg.data.tables import write_table
from thalweg.errors import ThalwegWarning
from thalweg.exchange.targets import export
from thalweg.runs import table_run, table_training
from thalweg.runs.table_run import TableOptions
from thalweg.sklearn import TabularRegressor

PENGUINS = ROOT / "examples" / "penguins.csv"
SMALL = {"members": 2, "layers": (8,), "epochs": 4, "seed": 0, "lanes": 1}
OUTCOME = ".outcome[data-state={}]"
TICKS = """
window.gaps = [];
let last = performance.now();
setInterval(() => {
  gaps.push(performance.now() - last);
  last = performance.now();
}, 10);
"""
LACKED = "'bill_length_mm', 'bill_depth_mm', 'flipper_length_mm', 'body_mass_g'"
HOSTILE = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "quotes ' \" ` ${x} \\",
    "line\u2028ends\u2029here",
    "身高（公分）", "🎈👩\u200d🔬 emoji", "long " + "name " * 400, "__proto__", "constructor",
    "=cmd|' /C calc'!A0", "--><!--",
]  # fmt: skip


def of(folder, table, target, **more):
    """A run, and its page."""
    trained = table_training.train(read_table(table), TableOptions(target=target, **SMALL | more))
    path = folder / "page.html"
    export(trained.ensemble, path, features=trained.features, scores=trained.facts["held-out"])
    return trained, path


@pytest.fixture(scope="module")
def penguins(browser, tmp_path_factory):
    return of(tmp_path_factory.mktemp("penguins"), str(PENGUINS), "target")


@pytest.fixture(scope="module")
def prices(browser, tmp_path_factory):
    """Numbers with a unit, dates, truth values; a number is predicted."""
    return of(tmp_path_factory.mktemp("prices"), priced(), "price", trees=False)


def priced():
    draw = np.random.default_rng(0)
    size = draw.uniform(20, 90, 120).round(1)
    days = np.datetime64("2023-01-01") + draw.integers(0, 500, 120)
    garden = draw.choice(["true", "false"], 120)
    price = 3000 * size + 40000 * (garden == "true") + 100 * (days - days.min()).astype(int)
    sizes = [f"{v} m²" for v in size]
    return {"size": sizes, "sold": days.astype(str).tolist(), "garden": garden.tolist(), "price": price.tolist()}


@pytest.fixture(scope="module")
def hostile(browser, tmp_path_factory):
    """Columns, categories, classes and the target have names that would like to be markup, code or formulas."""
    draw = np.random.default_rng(0)
    columns = {name: draw.normal(size=60).round(2).tolist() for name in HOSTILE}
    columns["kind"] = draw.choice(HOSTILE, 60).tolist()
    target = "<b>target</b>\u2028"
    columns[target] = [HOSTILE[n % 3] for n in range(60)]
    trained, path = of(tmp_path_factory.mktemp("hostile"), columns, target, trees=False, categories=("kind",))
    return trained, path, columns


def drawn(page, path):
    page = opened(page, path)
    page.wait_for_selector(".influences[data-drawn]")
    return page


def asked(page, name):
    return page.locator(".asks").get_by_label(name)


def uploaded(page, text, name="rows.csv", state="done"):
    data = text if isinstance(text, bytes) else text.encode()
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": data})
    page.wait_for_selector(OUTCOME.format(state))


def downloaded(page):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the answers").click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def written(trained, source, folder):
    """What `thalweg predict` writes."""
    table = read_table(str(source))
    path = folder / "predictions.csv"
    write_table(path, table_run.predictions(trained, table))
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def same(found, wanted):
    """Rows of two files of predictions agree: labels are alike, numbers to 1e-5."""
    assert len(found) == len(wanted)
    for name in wanted[0]:
        one, other = ([row[name] for row in rows] for rows in (found, wanted))
        if name.startswith("prediction") and not re.fullmatch(r"[-\d.e+]+", other[0]):
            assert one == other
        else:
            np.testing.assert_allclose(np.array(one, float), np.array(other, float), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_the_form_s_answer_is_the_run_s(new_page, penguins, width, scheme):
    trained, path = penguins
    page = drawn(new_page(width, scheme=scheme), path)
    assert page.locator("h1").text_content() == "Predict target"
    row = {"island": "Dream", "bill_length_mm": "50.5", "bill_depth_mm": "18.4", "flipper_length_mm": "", "sex": "MALE"}
    row |= {"body_mass_g": "3,900"}
    for name, cell in row.items():
        field = asked(page, name)
        field.select_option(cell) if name in ("island", "sex") else field.fill(cell)
    assert page.locator(".answer-none").text_content() == "No answer yet: body_mass_g can't be read."
    assert page.get_by_text("'3,900' is no number").count() == 1
    asked(page, "body_mass_g").fill("3900")
    shares = trained.predict_proba(row | {"body_mass_g": "3900", "flipper_length_mm": None})[0]
    said = [float(text.strip("<> %")) for text in page.locator(".answer .bar-value").all_text_contents()]
    np.testing.assert_allclose(said, 100 * shares, atol=0.11)
    assert page.locator(".answer-value").text_content().startswith(trained.target.classes[shares.argmax()])
    assert page.get_by_text("Of rows held out of training,").count() == 1
    asked(page, "body_mass_g").fill("9000")
    assert page.get_by_text("Outside of what training has seen: the answer is an extrapolation.").count() == 1
    asked(page, "island").select_option("-1")
    assert page.get_by_text("Training has seen no other").count() == 1
    full, inner, images, scripts = page.evaluate(BOX)
    assert full <= inner
    assert (images, scripts) == (0, 2)


def test_a_picture_runs_through_a_column(new_page, penguins):
    """What its ends say is what the run says of the row with that value."""
    trained, path = penguins
    page = drawn(new_page(), path)
    columns = {column.name: column for column in trained.features.columns}
    row = {n: c.categories[0] if hasattr(c, "categories") else c.median for n, c in columns.items()}
    best = trained.predict_proba(row)[0].argmax()
    spreads = {}
    for name, column in columns.items():
        cells = column.categories if hasattr(column, "categories") else np.linspace(column.low, column.high, 33)
        cells = [*cells, None] if hasattr(column, "categories") and column.missing else cells
        answers = trained.predict_proba([row | {name: cell} for cell in cells])[:, best]
        spreads[name] = np.ptp(answers)
        note = page.locator(f'figure[data-column="{name}"] .figure-note').text_content()
        low, high = (float(text.strip("<> %")) for text in note.split(" to "))
        np.testing.assert_allclose([low, high], [100 * answers.min(), 100 * answers.max()], atol=0.11)
    shown = page.locator("figure[data-column]").evaluate_all("all => all.map((one) => one.dataset.column)")
    assert shown == sorted(spreads, key=spreads.get, reverse=True)
    assert page.get_by_text("These are answers of the model, not causes").count() == 1
    plot = page.locator('figure[data-column="body_mass_g"] .plot')
    plot.focus()
    page.keyboard.press("ArrowRight")
    assert re.match(r"4,500: [\d.]+ %", page.locator('figure[data-column="body_mass_g"] .readout').text_content())
    drawings = page.locator(".influences").get_attribute("data-drawn")
    asked(page, "body_mass_g").fill("6000")
    page.wait_for_selector(f'.influences:not([data-drawn="{drawings}"])')


def test_a_table_s_answers_are_what_predict_writes(new_page, penguins, tmp_path):
    trained, path = penguins
    page = drawn(new_page(), path)
    text = PENGUINS.read_text(encoding="utf-8")
    uploaded(page, text, "penguins.csv")
    name, data = downloaded(page)
    assert name == "penguins-predictions.csv"
    found = list(csv.DictReader(io.StringIO(data.decode())))
    same(found, written(trained, PENGUINS, tmp_path))
    own = list(csv.DictReader(io.StringIO(text)))
    assert [{key: row[key] for key in own[0]} for row in found] == own
    assert page.get_by_text("Columns that the model doesn't use: target").count() == 1
    assert page.locator(".outcome tbody tr").count() == 8


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_files_are_read_as_spreadsheets_write_them(new_page, penguins, tmp_path, delimiter):
    """A mark of the byte order, CRLF, quotes, lines in a cell, columns in another order; it comes back so."""
    trained, path = penguins
    page = drawn(new_page(), path)
    rows = list(csv.DictReader(PENGUINS.read_text(encoding="utf-8").splitlines()))[:20]
    out = io.StringIO()
    names = ["note", *reversed(rows[0]), "prediction"]
    writer = csv.DictWriter(out, names, delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    notes = [f'say "{k}"{delimiter}\r\nor \n not' for k in range(20)]
    writer.writerows([row | {"note": note, "prediction": "=1+1"} for row, note in zip(rows, notes, strict=True)])
    place = page.evaluate_handle("new DataTransfer()")
    page.evaluate("([t, text]) => t.items.add(new File([text], 'a.txt'))", [place, "\ufeff" + out.getvalue() + "\r\n"])
    page.dispatch_event(".drop", "drop", {"dataTransfer": place})
    page.wait_for_selector(OUTCOME.format("done"))
    _, data = downloaded(page)
    assert data.startswith(b"\xef\xbb\xbf")
    found = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter))
    assert [row["note"] for row in found] == notes
    assert {row["prediction"] for row in found} == {"=1+1"}
    with (tmp_path / "rows.csv").open("w", encoding="utf-8") as file:
        csv.DictWriter(file, rows[0]).writeheader()
        csv.DictWriter(file, rows[0]).writerows(rows)
    wanted = [
        {k.replace("prediction", "prediction (2)"): v for k, v in row.items()}
        for row in written(trained, tmp_path / "rows.csv", tmp_path)
    ]
    same(found, wanted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("island,sex\nDream,MALE\n", f"rows.csv lacks {LACKED}, which the model was trained with"),
        ("", f"rows.csv lacks 'island', {LACKED}, …, which the model was trained with"),
        ("HEAD,sex\nDream,39,18,180,3700,MALE,1\n", "rows.csv has several columns 'sex'"),
        ("HEAD\nDream,39,18,180,3700,MALE\nDream,39\n", "row 2 of rows.csv has 2 cells, and the line of names 6"),
        (b"HEAD\nDream,39,18,180,3700,\xff\n", "rows.csv isn't text in UTF-8"),
    ],
)  # fmt: skip
def test_a_table_that_can_t_be_read_is_refused(new_page, penguins, text, said):
    _, path = penguins
    page = drawn(new_page(), path)
    head = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex"
    whole = text.replace(b"HEAD", head.encode()) if isinstance(text, bytes) else text.replace("HEAD", head)
    uploaded(page, whole, state="refused")
    assert page.locator(".refused").text_content().startswith(said)
    assert page.get_by_role("button", name="Download the answers").count() == 0


def test_a_cell_that_can_t_be_read_has_no_answer(new_page, penguins):
    """Never a number, and the row is named with the run's own words."""
    _, path = penguins
    page = drawn(new_page(), path)
    page.get_by_text("Paste rows").click()
    text = (
        "island\tsex\tbill_length_mm\tbill_depth_mm\tflipper_length_mm\tbody_mass_g\nDream\tMALE\t39\t18\t180\t3700\n"
    )
    page.get_by_label("From a spreadsheet").fill(text + "Dream\tMALE\t39\t18\t1_80\t3700\nMars\t?\t\tNA\t180\t-\n")
    page.get_by_role("button", name="Predict these rows").click()
    page.wait_for_selector(OUTCOME.format("done"))
    alert = page.get_by_role("alert").text_content()
    assert alert == "Rows without an answer: 1row 2 of the column 'flipper_length_mm' holds '1_80', which is no number"
    found = list(csv.DictReader(io.StringIO(downloaded(page)[1].decode()), delimiter="\t"))
    assert [bool(row["prediction"]) for row in found] == [True, False, True]
    assert found[1]["probability of Adelie"] == ""


def test_numbers_dates_and_truths(new_page, prices, tmp_path):
    trained, path = prices
    page = drawn(new_page(), path)
    asked(page, "size").fill("50")
    asked(page, "sold").fill("2023-06-01")
    asked(page, "garden").select_option("yes")
    wanted = trained.predict({"size": ["50 m²"], "sold": ["2023-06-01"], "garden": ["true"]})[0]
    said = page.locator(".answer-value").text_content().replace(",", "").strip()
    np.testing.assert_allclose(float(said), wanted, rtol=1e-5)
    assert page.get_by_text("answers were off by").count() == 1
    assert page.locator("label", has_text="size").locator("small").text_content() == "m²"
    table = {name: [cell.removesuffix(" m²") for cell in map(str, cells)] for name, cells in priced().items()}
    lines = [",".join(table), *map(",".join, zip(*table.values(), strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    uploaded(page, "\n".join(lines))
    same(
        list(csv.DictReader(io.StringIO(downloaded(page)[1].decode()))),
        written(trained, tmp_path / "rows.csv", tmp_path),
    )


def test_an_estimator_s_page_says_its_typical_error(new_page, browser, tmp_path):
    draw = np.random.default_rng(0)
    x = {"x": draw.normal(size=80).tolist()}
    y = 100 * np.array(x["x"]) + draw.normal(size=80)
    fitted = TabularRegressor("fast", random_state=0, members=2, epochs=3, n_jobs=1).fit(x, y)
    fitted.export(tmp_path / "page.html")
    page = drawn(new_page(), tmp_path / "page.html")
    told = f"answers were typically off by {float(f'{fitted.validation_score_:.3g}'):g} (root mean squared error)."
    assert page.locator(".answer-told").text_content().endswith(told)
    asked(page, "x").fill("0.5")
    said = page.locator(".answer-value").text_content().replace("−", "-")
    np.testing.assert_allclose(float(said), fitted.predict({"x": [0.5]})[0], rtol=1e-4)


def test_small_whole_numbers_are_no_codes(new_page, browser, tmp_path):
    """-2 and -1 are a missing and another category, and numbers like all others where there are none."""
    draw = np.random.default_rng(0)
    rows = {"x": draw.integers(-3, 4, 60).tolist(), "kind": ["a", "b", None] * 20, "y": draw.normal(size=60).tolist()}
    _, path = of(tmp_path, rows, "y", task="regression", trees=False)
    page = drawn(new_page(), path)
    for cell in ("-2", "-1"):
        asked(page, "x").fill(cell)
        assert page.locator("#column-0-note").text_content() == ""
    ticks = page.locator('figure[data-column="x"] .tick').all_text_contents()
    assert "missing" not in ticks
    assert "−2" in ticks
    asked(page, "x").fill("")
    assert page.locator("#column-0-note").text_content().startswith("No cell was missing in training")
    asked(page, "kind").select_option("-2")
    assert page.locator("#column-1-note").text_content() == ""
    asked(page, "kind").select_option("-1")
    assert page.locator("#column-1-note").text_content().startswith("Training has seen no other")


def test_what_a_file_may_have_is_a_slip_in_the_form(new_page, browser, tmp_path):
    """With odd cells in training, those of a file are missing, as for the run; what somebody types is answered."""
    draw = np.random.default_rng(0)
    rows = {"share": [f"{k}%" if k % 13 else "ask" for k in range(60)], "y": draw.normal(size=60).tolist()}
    with pytest.warns(ThalwegWarning):
        trained, path = of(tmp_path, rows, "y", trees=False)
    page = drawn(new_page(), path)
    asked(page, "share").fill("maybe")
    assert page.locator("#column-0-note").text_content() == "'maybe' is no number written as 1234.5 with %"
    assert page.locator(".answer-value").count() == 0
    asked(page, "share").fill("0.07")  # as the hint writes it
    assert page.locator("#column-0-note").text_content() == ""
    uploaded(page, "share\n7%\nmaybe\n")
    found = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(downloaded(page)[1].decode()))]
    np.testing.assert_allclose(found, trained.predict({"share": ["7%", None]}), rtol=1e-5)


def test_hostile_names_are_texts(new_page, hostile, tmp_path):
    trained, path, columns = hostile
    for width in (1200, 360):
        page = drawn(new_page(width), path)
        full, inner, images, scripts = page.evaluate(BOX)
        assert full <= inner, "the page scrolls sideways"
        assert (images, scripts) == (0, 2), "a name became markup"
    labels = page.locator(".ask label span").all_text_contents()
    assert labels[:6] == HOSTILE[:6]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(list(columns))
    writer.writerows(zip(*columns.values(), strict=True))
    uploaded(page, out.getvalue())
    found = list(csv.DictReader(io.StringIO(downloaded(page)[1].decode(), newline="")))
    assert [row["kind"] for row in found] == columns["kind"], "cells stay as they are"
    shares = trained.predict_proba(columns)
    for k, label in enumerate(trained.target.classes):
        one = [float(row[f"probability of {label}"]) for row in found]
        np.testing.assert_allclose(one, shares[:, k], rtol=1e-5, atol=1e-6)


def test_the_page_speaks_chinese(new_page, penguins):
    _, path = penguins
    page = drawn(new_page(locale="zh-TW"), path)
    assert page.evaluate("document.documentElement.lang") == "zh-Hant-TW"
    uploaded(page, PENGUINS.read_text(encoding="utf-8"))
    names = ("probability of",)
    assert [text for text in page.evaluate(SHOWN) if is_english(text, names)] == []
    page.get_by_role("button", name="English").click()
    assert page.locator("h1").text_content() == "Predict target"
    assert page.get_by_role("button", name="Download the answers").count() == 1, "the answers are still there"


def test_many_rows_don_t_freeze_the_page(new_page, browser, tmp_path):
    rows = {"x": np.arange(60.0).tolist(), "y": (np.arange(60.0) % 7).tolist()}
    trained, path = of(tmp_path, rows, "y", task="regression", trees=False, members=1, layers=(2,))
    page = drawn(new_page(), path)
    page.evaluate(TICKS)
    uploaded(page, "x\n" + "\n".join(map(str, range(100_000))))
    assert max(page.evaluate("gaps")) < 1000
    assert len(page.evaluate("gaps")) > 10
    found = downloaded(page)[1].decode().splitlines()
    assert len(found) == 100_001
    np.testing.assert_allclose(float(found[60].split(",")[1]), trained.predict({"x": [59.0]})[0], rtol=1e-5)


def test_an_old_browser_is_told(new_page, penguins):
    page = new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(penguins[1].as_uri())
    page.get_by_text("This page needs a newer browser, of 2023 or later.").wait_for()


def test_weights_of_a_byte_make_a_small_page(new_page, browser, tmp_path):
    """An ensemble of networks and trees, as `thalweg train` makes it, in 300 kB."""
    trained = table_training.train(read_table(str(PENGUINS)), TableOptions(target="target", seed=0))
    path = tmp_path / "small.html"
    export(trained.ensemble, path, features=trained.features, int8=True)
    assert path.stat().st_size <= 300_000
    page = drawn(new_page(), path)
    uploaded(page, PENGUINS.read_text(encoding="utf-8"))
    found = list(csv.DictReader(io.StringIO(downloaded(page)[1].decode())))
    wanted = trained.predict_proba(str(PENGUINS))
    shares = np.array([[float(row[f"probability of {label}"]) for label in trained.target.classes] for row in found])
    assert 0 < abs(shares - wanted).max() < 0.02
