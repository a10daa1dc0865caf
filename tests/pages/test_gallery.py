"""Every kind of figure in a browser: drawn, quiet, readable by keyboard, in both languages, themes and widths."""

import base64
import re

import numpy as np
import pytest
from gallery import ATTACK, gallery
from test_encoding import ARRAYS

from thalweg.errors import ArgumentError
from thalweg.views.web.bundle import HERE, bundle, styles
from thalweg.views.web.encoding import encode
from thalweg.views.web.page import KINDS, page_html, write_page

# What has to be seen of a figure besides its title: canvases of several colours, or marks, or words.
SEEN = """
figure => {
  const canvases = [...figure.querySelectorAll("canvas")].filter(c => c.width > 1 && c.height > 1);
  const colours = canvases.map(c => {
    const pixels = new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer);
    return new Set(pixels).size;
  });
  return {
    kind: figure.dataset.kind, title: figure.querySelector(".figure-title").textContent, colours,
    marks: figure.querySelectorAll(".figure-body svg :is(path, circle, rect, line)").length,
    words: figure.querySelector(".figure-body").textContent.trim().length,
    named: [...figure.querySelectorAll("canvas, svg")].filter(e => !e.closest("[aria-hidden]")).every(
      e => e.closest("[role]")?.getAttribute("aria-label") || e.closest("[aria-label]")),
  };
}
"""
BOX = "[document.documentElement.scrollWidth, innerWidth, document.images.length, document.scripts.length]"


@pytest.fixture(scope="module")
def document():
    return gallery()


@pytest.fixture(scope="module")
def file(document, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "gallery.html"
    write_page(path, document)
    return path


def opened(page, file):
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready]")
    return page


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_figure_is_drawn(new_page, file, document, width, scheme, language):
    page = opened(new_page(width, scheme=scheme), file)
    if language == "zh":
        page.get_by_role("button", name="中文").click()
    assert page.evaluate("document.documentElement.lang") == {"en": "en", "zh": "zh-Hant-TW"}[language]
    assert page.title() == document["title"][language] == page.locator("h1").text_content()
    full, inner, images, scripts = page.evaluate(BOX)
    assert full <= inner, "the page scrolls sideways"
    assert (images, scripts) == (0, 2), "data became markup"
    wanted = [figure for section in document["sections"] for figure in section["figures"]]
    seen = page.locator("figure").evaluate_all(f"figures => figures.map({SEEN})")
    assert [figure["kind"] for figure in seen] == [figure["kind"] for figure in wanted]
    for found, figure in zip(seen, wanted, strict=True):
        assert found["title"] == figure["title"][language]
        assert min(found["colours"], default=2) > 1, f"{found['title']}: a canvas of one colour"
        assert found["colours"] or found["marks"] > 2 or found["words"] > 5, f"{found['title']} is empty"
        assert found["named"], f"{found['title']}: a picture without a text"
    assert page.get_by_text(ATTACK).count() > 5
    assert page.locator(".broken").count() == 0


def test_the_gallery_has_every_kind():
    kinds = {figure["kind"] for section in gallery()["sections"] for figure in section["figures"]}
    assert kinds == set(KINDS)
    index = (HERE / "figures" / "index.js").read_text(encoding="utf-8")
    assert set(re.findall(r"^  (\w+): draw", index, re.MULTILINE)) == set(KINDS)


def until_heard(page, faults, count):
    """Waits for as many faults: what a page says arrives a little after it."""
    for _ in range(200):
        if len(faults) >= count:
            break
        page.wait_for_timeout(50)


def test_a_page_that_isnt_quiet_would_be_noticed(new_page):
    page = new_page()
    page.set_content("<img src='http://127.0.0.1:9/x.png'><script>console.error(1); alert(2); throw 3</script>")
    until_heard(page, new_page.faults, 4)
    kinds = sorted({fault.partition(":")[0] for fault in new_page.faults})
    new_page.faults.clear()
    assert kinds == ["dialog", "error", "request"]


def test_the_policy_forbids_other_scripts_and_requests(new_page, file):
    page = opened(new_page(), file)
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      return fetch("https://example.invalid/").catch(() => 0);
    }""")
    assert page.evaluate("window.ran") is None
    until_heard(page, new_page.faults, 2)
    assert all("Content Security Policy" in fault or "Refused" in fault for fault in new_page.faults)
    assert len(new_page.faults) >= 2
    new_page.faults.clear()


def test_a_broken_figure_leaves_the_others(new_page, tmp_path):
    good = {"kind": "text", "title": "Good", "paragraphs": ["well"]}
    bad = {"kind": "landscape", "title": "Bad", "a": None}
    sections = [{"id": "a", "title": "A", "figures": [bad, good]}]
    write_page(tmp_path / "a.html", {"title": "t", "language": "zh", "sections": sections})
    page = opened(new_page(), tmp_path / "a.html")
    assert page.locator(".broken").count() == 1
    assert page.get_by_text("well").count() == 1
    until_heard(page, new_page.faults, 1)
    assert len(new_page.faults) == 1
    new_page.faults.clear()


def changed(value, change):
    """The document with its arrays of numbers changed."""
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, dict):
        return {key: changed(v, change) for key, v in value.items()}
    return [changed(v, change) for v in value] if isinstance(value, list) else value


def infinite(array):
    """Every other number infinite, of either sign."""
    if array.dtype.kind != "f":
        return array
    signs = np.where(np.arange(array.size) % 4 == 0, -np.inf, np.inf).reshape(array.shape)
    return np.where(np.arange(array.size).reshape(array.shape) % 2, array, signs)


CHANGES = {
    "nan": lambda array: np.full(array.shape, np.nan, np.float32) if array.dtype.kind == "f" else array,
    "infinite": infinite,
    "zero": np.zeros_like,
    "one point": lambda array: array[:1] if array.ndim == 1 else array,
}


@pytest.mark.parametrize("change", CHANGES)
def test_numbers_of_a_failed_training_break_no_figure(new_page, tmp_path, document, change):
    write_page(tmp_path / "a.html", changed(document, CHANGES[change]))
    page = opened(new_page(), tmp_path / "a.html")
    assert page.locator(".broken").all_text_contents() == []
    for plot in page.locator(".plot, .curves, canvas[tabindex]").all():
        plot.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")


# --- what can be done with it ----------------------------------------------------------------------------------------


def figure(page, title):
    return page.locator("figure", has=page.get_by_text(title, exact=True))


def test_the_theme_can_be_chosen(new_page, file):
    page = opened(new_page(), file)
    look = "() => [getComputedStyle(document.body).backgroundColor, " + (
        "document.querySelector('[data-kind=surface] canvas').toDataURL()]"
    )
    before = page.evaluate(look)
    button = page.get_by_role("button", name="Theme")
    button.click()
    assert page.evaluate(look) == before  # light, as the system
    button.click()
    background, picture = page.evaluate(look)
    assert background != before[0]
    assert picture != before[1]
    widest = "Math.max(...[...document.querySelectorAll('canvas, svg')].map(e => e.getBoundingClientRect().width))"
    noted = f"window.printed = [document.body.dataset.theme, {widest}]"
    page.evaluate(f"addEventListener('beforeprint', () => {{ {noted}; }})")
    wide = page.evaluate(widest)
    page.pdf()
    theme, width = page.evaluate("window.printed")
    assert theme == "light"
    assert width <= 700 < wide  # fits on paper
    assert page.evaluate(look) == [background, picture]


READABLE = {
    "Landscape and path": ".plot",
    "Decision surface": ".plot",
    "Three classes": ".plot",
    "Predicted against true": ".plot",
    "Calibration": ".plot",
    "Weights of dense_1 over time": ".plot",
    "Signed values": "canvas",
    "The network and its weights": "canvas",
    "Loss by epoch": ".curves",
}
POINTED = ("Landscape and path", "Decision surface", "Weights of dense_1 over time", "Signed values", "Loss by epoch")


def test_values_are_read_by_keyboard_and_pointer(new_page, file):
    page = opened(new_page(), file)
    for title, place in READABLE.items():
        drawn = figure(page, title).first
        target, line = drawn.locator(place).first, drawn.locator(".readout")
        target.focus()
        said = [line.text_content()]
        for _ in range(2):
            page.keyboard.press("ArrowRight")
            said.append(line.text_content())
        if title in POINTED:
            box = target.bounding_box()
            page.mouse.move(box["x"] + box["width"] * 0.72, box["y"] + box["height"] * 0.31)
            said.append(line.text_content())
        assert said[0] == ""
        assert len(set(said)) == len(said), title


def test_a_network_of_two_columns_is_whole_on_a_phone(new_page, file):
    page = opened(new_page(400), file)
    graph = page.locator("svg.graph").first
    room = graph.locator("xpath=..").bounding_box()
    boxes = [box.bounding_box() for box in graph.locator(".node rect").all()]
    assert len({round(box["x"]) for box in boxes}) > 1
    assert all(box["x"] >= room["x"] and box["x"] + box["width"] <= room["x"] + room["width"] for box in boxes)


def test_what_fits_has_no_scrollbar(new_page, file):
    """Their margins once made all tables of numbers two pixels wider than their place."""
    page = new_page()
    opened(page, file)
    over = page.eval_on_selector_all(".scroller", "all => all.map((one) => one.scrollWidth - one.clientWidth)")
    assert len(over) > 5
    assert not [pixels for pixels in over if 0 < pixels <= 4]


def test_the_threshold_counts(new_page, file, document):
    page = opened(new_page(), file)
    drawn = figure(page, "What a threshold does")
    given = document["sections"][1]["figures"][1]
    for place in (50, 80):
        drawn.locator("input").fill(str(place))
        counts = [int(text) for text in drawn.locator(".four td").all_text_contents()]
        assert counts == [given[name][place] for name in ("tp", "fn", "fp", "tn")]
    precision = given["tp"][80] / (given["tp"][80] + given["fp"][80])
    assert drawn.locator(".shares dd").first.text_content() == f"{precision:.3g}"
    page.get_by_role("button", name="中文").click()
    drawn = figure(page, "門檻的作用")
    assert drawn.locator("input").input_value() == "80"  # stays where it was
    assert "精確率" in drawn.text_content()


def test_long_tables_open_and_overlays_can_be_taken_away(new_page, file):
    page = opened(new_page(), file)
    table = figure(page, "Rows")
    few = table.locator("tbody tr").count()
    table.get_by_role("button").click()
    assert (few, table.locator("tbody tr").count()) == (12, 33)
    pictures = figure(page, "The worst mistakes")
    before = pictures.locator("canvas").first.evaluate("c => c.toDataURL()")
    pictures.locator("input").uncheck()
    assert pictures.locator("canvas").first.evaluate("c => c.toDataURL()") != before


# --- modules by themselves -------------------------------------------------------------------------------------------

SHELL = "<!doctype html><body class='thalweg'><div id='place' style='width: 640px'></div>"


def shell(page, *entries):
    """A page with these modules' names as global ones."""
    page.set_content(SHELL)
    page.add_style_tag(content=styles())
    for entry in entries:
        page.add_script_tag(content=bundle(entry))
    page.evaluate("window.bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0))")
    return page


def packed(value):
    return base64.b64encode(encode(value)).decode()


def test_the_browser_decodes_what_python_encodes(new_page):
    page = shell(new_page(), "decode.js")
    plain = {"text": "層 </script>", "none": None, "nested": [{"$array": [1]}, {"a": [True, 2.5]}], "$": "x"}
    value = {"plain": plain, **{name: array for name, (array, _) in ARRAYS.items()}}
    found = page.evaluate(
        """text => {
          const say = v => Number.isNaN(v) ? "nan" : v === Infinity ? "inf" : v === -Infinity ? "-inf" : v;
          const value = decode(bytes(text));
          const moved = new Uint8Array(bytes(text).length + 3); // a place where no array could begin
          moved.set(bytes(text), 3);
          const other = decode(new DataView(moved.buffer, 3));
          const told = v => Object.fromEntries(Object.entries(v).map(
            ([k, a]) => [k, a.shape ? [a.shape, Array.from(a, say), a.constructor.name] : a]));
          return [told(value), told(other)];
        }""",
        packed(value),
    )
    assert found[0] == found[1]
    assert found[0].pop("plain") == plain
    classes = {"float16": "Float32Array", "float32": "Float32Array", "float64": "Float64Array"}
    for name, (array, kind) in ARRAYS.items():
        shape, values, constructor = found[0][name]
        with np.errstate(over="ignore"):
            stored = array.astype(kind)
        assert tuple(shape) == array.shape
        np.testing.assert_array_equal(np.array(values, float).reshape(shape), stored.astype(float))
        assert constructor == classes.get(np.dtype(kind).name, f"{np.dtype(kind).name.title()}Array")


def test_nested_lists_are_arrays_too(new_page):
    page = shell(new_page(), "decode.js")
    assert page.evaluate("[tensor([[1, null], [3, 4]]).shape, Array.from(tensor([[1, 2], [3, 4]]))]") == [
        [2, 2],
        [1, 2, 3, 4],
    ]
    assert page.evaluate("tensor([new Float32Array([1, 2])]).shape") == [1, 2]
    assert page.evaluate("[listed([1, null, 3]), extent([NaN, 2, -1, Infinity])]") == [[1, None, 3], [-1, 2]]


def test_numbers_are_short(new_page):
    page = shell(new_page(), "format.js")
    said = page.evaluate("[0, -0.5, 1234567, 0.000012345, 123456.7, NaN, Infinity, 0.1 + 0.2].map(v => numeral(v))")
    assert said == ["0", "−0.5", "1,234,567", "1.23e-5", "1.23e5", "NaN", "∞", "0.3"]
    assert page.evaluate("[ticks(0, 1, 5), ticks(-3.2, 7.9, 4), ticks(2, 2, 5)]") == [
        [0, 0.2, 0.4, 0.6, 0.8, 1],
        [0, 5],
        [2],
    ]


FIGURES = {figure["title"]["en"]: figure for section in gallery()["sections"] for figure in section["figures"]}


def test_a_notebooks_widget_draws_and_follows(new_page):
    page = shell(new_page(), "widget.js")
    first, second = packed(FIGURES["Loss by epoch"]), packed({**FIGURES["Rows"], "title": "Later"})
    page.evaluate(
        """text => {
          const place = document.getElementById("place"), heard = {};
          const traits = { figure: new DataView(bytes(text).buffer), language: "en" };
          window.change = (name, value) => { traits[name] = value; heard[`change:${name}`]?.(); };
          const on = (name, f) => { heard[name] = f; }, off = name => { delete heard[name]; };
          const model = { get: name => traits[name], on, off, send: () => 0 };
          window.leave = render({ model, el: place });
        }""",
        first,
    )
    assert page.locator("#place figure").get_attribute("data-kind") == "curves"
    page.evaluate("change('language', 'zh')")
    assert page.locator("#place .figure-title").text_content() == "每輪的損失"
    page.evaluate("text => change('figure', new DataView(bytes(text).buffer))", second)
    assert page.locator("#place figure").get_attribute("data-kind") == "table"
    assert page.locator("#place .figure-title").text_content() == "Later"
    page.evaluate("leave()")
    assert page.locator("#place").inner_html() == ""


def test_a_frame_is_acknowledged_when_it_has_been_drawn(new_page):
    page = shell(new_page(), "models/worker.js")
    sent = page.evaluate(
        """async text => {
          const sent = [], later = ms => new Promise(done => setTimeout(done, ms));
          let begun;
          const began = new Promise(done => { begun = done; });
          window.fileOf = async name => name;
          window.Worker = class extends EventTarget {
            constructor() { super(); window.worker = this; }
            postMessage(message) { sent.push(message.files ? "begins" : message); if (!message.files) begun(); }
          };
          const model = workerModel();
          model.send({ do: "play" });
          sent.push("no worker yet");
          await began;
          model.on("change:loss", async () => { await later(30); sent.push("drawn"); });
          const off = model.on("change:loss", () => sent.push("heard"));
          worker.dispatchEvent(new MessageEvent("message", { data: bytes(text).buffer }));
          off();
          await later(100);
          return [...sent, model.get("loss")];
        }""",
        packed({"frame": 7, "loss": 0.5}),
    )
    assert sent == ["no worker yet", "begins", {"do": "play"}, "heard", "drawn", {"do": "ack", "frame": 7}, 0.5]


@pytest.mark.parametrize(
    ("title", "change"),
    [
        (
            "With the response of each unit",
            "f.weights = f.weights.map(w => Object.assign(w.map(v => -v), {shape: w.shape}))",
        ),
        ("Decision surface", "f.values = Object.assign(f.values.map(v => 1 - v), {shape: f.values.shape})"),
        ("Regression", "f.values = Object.assign(f.values.map(v => 2 * v), {shape: f.values.shape})"),
        ("Landscape and path", "f.ball = [0.5, 0.5, 1]"),
        ("ROC", "f.series = f.series.map(s => ({...s, y: Array.from(s.y, v => v / 2)}))"),
    ],
)
def test_new_numbers_give_the_picture_that_they_would_give_alone(new_page, title, change):
    """A live page's short ways draw what a new figure would."""
    page = shell(new_page(), "figures/index.js")
    pictures = page.evaluate(
        f"""async text => {{
          const place = document.getElementById("place");
          const still = {{ live: false, get: () => 0, on: () => () => 0, send: () => 0 }};
          const look = async () => {{
            await new Promise(requestAnimationFrame); // uPlot draws a little later
            const canvases = [...place.querySelectorAll("canvas")].map(c => c.toDataURL());
            const circles = [...place.querySelectorAll("circle")].map(c => c.className.baseVal + c.getAttribute("cx"));
            return [...canvases, ...circles].join();
          }};
          const f = decode(bytes(text));
          const drawn = FIGURES[f.kind](place, f, still);
          const before = await look();
          const next = (f => {{ {change}; return f; }})({{...f}});
          drawn.update(next);
          const short = await look();
          drawn.destroy();
          const empty = place.childElementCount;
          FIGURES[f.kind](place, next, still);
          return [before !== short, short === await look(), empty];
        }}""",
        packed(FIGURES[title]),
    )
    assert pictures == [True, True, 0]


def test_a_unit_can_be_selected(new_page):
    page = shell(new_page(), "figures/index.js")
    sent = page.evaluate(
        """text => {
          const place = document.getElementById("place"), sent = [];
          const live = { live: true, get: () => 0, on: () => () => 0, send: message => sent.push(message) };
          FIGURES.network(place, decode(bytes(text)), live);
          const press = key => place.querySelector(".network").dispatchEvent(new KeyboardEvent("keydown", { key }));
          ["Enter", "ArrowRight", "ArrowDown", "Enter"].forEach(press);
          return [...sent, place.querySelector(".readout").textContent];
        }""",
        packed(FIGURES["With the response of each unit"]),
    )
    assert sent[0] == {"do": "select", "layer": 0, "unit": 1}
    assert sent[1].startswith("dense_1[1] · Weights: ")


# --- what a document has to be ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"language": "de"}, "unknown language of a page 'de'"),
        ({"sections": [{"id": "a", "title": "A", "figures": [{"kind": "curve"}]}]}, "did you mean 'curves'"),
        (
            {"sections": [{"id": "a", "title": "A"}, {"id": "a", "title": "B"}]},
            "two sections of a page have the id 'a'",
        ),
    ],
)
def test_a_wrong_document_is_refused(change, message):
    with pytest.raises(ArgumentError, match=message):
        page_html({"title": "t", "language": "en", "sections": [], **change})
    with pytest.raises(ArgumentError, match="a document needs 'sections'"):
        page_html({"title": "t", "language": "en"})


def test_titles_and_data_cannot_end_what_holds_them():
    title = "</title></script><script>alert(1)</script>{0}"
    text = {"kind": "text", "title": title, "paragraphs": [title]}
    html = page_html({"title": title, "language": "en", "sections": [{"id": title, "title": title, "figures": [text]}]})
    assert html.count("</script>") == 3
    assert html.count("</title>") == 1
    assert "alert(1)" not in html.replace("&lt;script&gt;alert(1)", "")
