"""At 1280 × 900: names are told apart, what doesn't fit shows that it goes on, and things are called what they are."""

from pathlib import Path

import pytest
from live_page import lesson, settled
from test_gallery import opened as shown

from thalweg.views.web.page import write_page

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
NOTED = """() => {
    window.written = [];
    const fillText = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        if (this.canvas.matches(".network")) window.written.push([this.textAlign, text, Math.round(y)]);
        fillText.apply(this, arguments);
    };
}"""
INPUTS = """() => {
    const drawn = window.written.filter(([align]) => align === "right");
    const last = new Map(drawn.map(([, text, y]) => [y, text]));
    return [...last].sort(([y], [other]) => y - other).map(([, text]) => text);
}"""
LONG = "the_average_{}_of_the_bill_in_millimetres"


def inputs_of(opened, table, count):
    """The names beside the inputs of a network for a table of one's own."""
    page = opened()
    page.evaluate(NOTED)
    page.set_input_files("#upload", table)
    page.wait_for_function(f"() => document.querySelector('.layer-card b')?.textContent === '{count}'")
    settled(page)
    for width in (1100, 1280):  # a pixel less may leave the picture as wide as it was, and not drawn again
        page.evaluate("window.written = []")
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"() => window.written.filter(([align]) => align === 'right').length >= {count}")
    return page, page.evaluate(INPUTS)


def test_a_columns_value_and_its_gap_are_told_apart(opened):
    page, names = inputs_of(opened, PENGUINS, 13)
    assert len(names) == len(set(names)) == 13
    assert {"bill_length_mm", "bill_depth_mm", "island=Torgersen", "sex is missing"} <= set(names)
    inputs, hidden = (page.locator(".layer-card").nth(n).bounding_box()["width"] for n in range(2))
    assert inputs > 1.4 * hidden  # the cards stand above their columns, of which the first has long names


def test_long_names_are_told_apart(opened, tmp_path):
    table = tmp_path / "long.csv"
    header = ",".join([LONG.format("length"), LONG.format("depth"), "target"])
    gap = ("", "")
    cells = [gap if k % 9 == 0 else (0.1 * k, 0.7 * k) for k in range(120)]
    rows = [f"{a},{b},{'yes' if k % 2 else 'no'}" for k, (a, b) in enumerate(cells)]
    table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    _, names = inputs_of(opened, table, 4)
    assert len(set(names)) == 4
    assert ["length" in names[0], "depth" in names[2]] == [True, True]
    assert [name.endswith("missing") for name in names] == [False, True, False, True]


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_the_bar_of_lessons_shows_that_there_are_more(opened, locale):
    page = opened(locale=locale)

    def more(name):
        lesson(page, name)
        page.wait_for_function("() => document.querySelector('.lesson-strip').dataset.more !== undefined")
        sign = page.evaluate("getComputedStyle(document.querySelector('.lesson-nav'), '::after').content")
        return page.get_attribute(".lesson-strip", "data-more"), sign

    assert more("unit") == ("after", '"›"')
    page.wait_for_function("() => getComputedStyle(document.querySelector('.lesson-strip')).maskImage.includes('44px')")
    assert more("attention") == ("before", "none")
    page.evaluate("document.querySelectorAll('.lesson-strip li:nth-child(n + 4)').forEach((item) => item.remove())")
    page.wait_for_function("() => document.querySelector('.lesson-strip').dataset.more === ''")


def test_points_are_points_in_the_legend(opened):
    page = opened()
    lesson(page, "unit")
    page.wait_for_selector(".panel-surface .legend canvas")
    inked = """(canvas) => {
        const { width, height } = canvas;
        const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        const rows = Array.from({ length: height }, (_, y) => y * width);
        const columns = Array.from({ length: width }, (_, x) => rows.some((start) => pixels[4 * (start + x) + 3]));
        return [columns[1], columns[width >> 1], columns.filter(Boolean).length / width];
    }"""
    line, points = page.locator(".panel-surface .legend canvas").evaluate_all(f"all => all.map({inked})")
    assert line == [True, True, 1]
    assert points[0] is False
    assert 0.2 < points[2] < 0.5


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_the_axes_of_a_landscape_of_weights(opened, locale):
    page = opened(locale=locale)
    lesson(page, "mountain")
    page.wait_for_selector(".panel-landscape .ball")
    ticks = page.locator(".panel-landscape .plot text.tick").all_text_contents()
    assert {"w", "b"} <= set(ticks)
    assert ticks[:5] == ["−4", "−2", "0", "2", "4"]


def test_what_auto_is_stands_below(opened):
    page = opened()
    lesson(page, "activation")
    card = page.locator(".layer-card").last
    assert card.locator("select option:checked").inner_text() == "auto"
    assert card.locator("small").inner_text() == "sigmoid"
    card.locator("select").select_option("tanh")
    settled(page)
    assert card.locator("small").count() == 0
    fits = """(select) => {
        const context = document.createElement("canvas").getContext("2d");
        context.font = getComputedStyle(select).font;
        return context.measureText(select.selectedOptions[0].textContent).width < select.clientWidth - 18;
    }"""
    assert page.locator(".layer-card select").evaluate_all(f"all => all.map({fits})") == [True, True]


def test_a_wide_table_shows_that_it_goes_on(new_page, tmp_path):
    columns = [f"column {k}" for k in range(30)]
    tables = [{"kind": "table", "title": "wide", "columns": columns, "rows": [[0.5] * 30]}]
    tables += [{"kind": "table", "title": "narrow", "columns": ["a", "b"], "rows": [[1, 2]]}]
    sections = [{"id": "a", "title": "A", "figures": tables}]
    write_page(tmp_path / "a.html", {"title": "t", "language": None, "sections": sections})
    page = shown(new_page(), tmp_path / "a.html")
    wide, narrow = page.locator(".scroller").all()
    page.wait_for_function("() => document.querySelector('.scroller').dataset.more === 'after'")
    faded = "element => getComputedStyle(element).maskImage.match(/44px/g)?.length ?? 0"
    assert [wide.evaluate(faded), narrow.evaluate(faded), narrow.get_attribute("data-more")] == [1, 0, ""]
    wide.evaluate("element => element.scrollLeft = 200")
    page.wait_for_function("() => document.querySelector('.scroller').dataset.more === 'before after'")
    wide.evaluate("element => element.scrollLeft = element.scrollWidth")
    page.wait_for_function("() => document.querySelector('.scroller').dataset.more === 'before'")


@pytest.mark.parametrize(
    ("locale", "language", "title"),
    [
        ("en-US", None, "Scores"),
        ("zh-TW", None, "分數"),
        ("zh-CN", None, "分數"),
        ("de-DE", None, "Scores"),
        ("zh-TW", "en", "Scores"),
        ("en-US", "zh", "分數"),
    ],
)
def test_a_report_opens_in_the_browsers_language(new_page, tmp_path, locale, language, title):
    both = {"en": "Scores", "zh": "分數"}
    write_page(tmp_path / "a.html", {"title": both, "language": language, "sections": []})
    page = shown(new_page(locale=locale), tmp_path / "a.html")
    assert page.title() == page.inner_text("h1") == title
    assert page.get_attribute("html", "lang") == {"Scores": "en", "分數": "zh-Hant-TW"}[title]
