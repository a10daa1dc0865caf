"""The lessons in a browser: each is solved as a pupil solves it, and read."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from live_page import LISTENING, choose, hear, lesson, number, readout, settled, until, wait

from thalweg.views import web

LESSONS = json.loads((Path(web.__file__).parent / "play" / "lessons.json").read_text(encoding="utf-8"))
MOST = 9  # numbers of a value that are shown
SECONDS = 10  # that a task may take at the lesson's own pace
SOLUTIONS = {
    "unit": [("turn", "given-w", "1.3")],
    "mountain": [("turn", "given-b", "0.5")],
    "one-row": [],
    "many-rows": [],
    "several-outputs": [],
    "local-valley": [("turn", "given-w", "1.2")],
    "activation": [("select", "activation-all", "tanh")],
    "loss": [("select", "loss", "binary_crossentropy")],
    "learning-rate": [("fill", "rate-number", "0.3")],
    "six-steps": [("click", "more-0-0", 5)],
    "convolution": [
        ("click", "place-1-1", 1),
        ("select", "worked-image", "right"),
        ("click", "place-0-2", 1),
        ("select", "worked-size", "24"),
    ],
    "edges": [],
    "pooling": [("click", "more-0-0", 1)],
    "next-letter": [],
    "attention": [("click", "looks", 1)],
}
UNTRAINED = ("unit", "convolution")  # solved by hand
TURNED = {  # what is turned in a lesson without a knob of its own
    "six-steps": "[data-key=more-0-0]",
    "convolution": "[data-key=worked-image]",
    "pooling": "[data-key=more-0-0]",
    "attention": "[data-key=looks]",
}


DONE = """() => document.querySelector(".task-done")
    && { epochs: Number(document.querySelector("[data-readout=epoch] b").textContent.replace(",", "")) }"""


def test_every_lesson_has_a_solution():
    assert list(SOLUTIONS) == [entry["id"] for entry in LESSONS]


def solve(page, name):
    """What the task asks for, up to pressing play."""
    for act, key, value in SOLUTIONS[name]:
        at = f"[data-key='{key}']"
        if act == "select":
            choose(page, key, value)
        elif act == "turn":
            page.fill(f"{at[:-2]}-dial']", value)
            page.locator(f"{at[:-2]}-dial']").blur()
        elif act == "fill":
            page.fill(at, value)
            page.press(at, "Tab")
        else:
            for _ in range(value):
                page.click(at)
    settled(page)


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_every_task_can_be_done(opened, locale):
    """At the lesson's own pace, without a scroll; what is beside the lines is what the engine has said."""
    heard = {}
    page = opened(locale=locale, script=LISTENING)
    for entry in LESSONS:
        name = entry["id"]
        lesson(page, name)
        assert_in_sight(page, name)
        assert not page.query_selector(":is(.task-done, .answer)"), "the question comes before the answer"
        assert_lines(page, entry, heard)
        solve(page, name)
        if name not in UNTRAINED:
            page.click("[data-key=tool-r]")
            until(page, "iteration", "v === 0")
            assert page.input_value("[data-key=pace]") == f"{entry['pace']:g}"
            choose(page, "pace", "60" if entry["pace"] > 5 else "30" if entry["pace"] > 1 else "10")  # in a hurry
            page.click("#play")
        epochs = page.wait_for_function(DONE).json_value()["epochs"]
        if name not in UNTRAINED:
            page.click("#play")
            assert epochs <= SECONDS * entry["pace"]
        assert page.is_visible(".answer")
        assert page.inner_text(".right").startswith("✓ ")
        assert_lines(page, entry, heard)


def test_the_answer_is_told_when_it_is_asked_for(opened):
    page = opened()
    lesson(page, "local-valley")
    page.click("[data-key=choice-0]")
    page.click("[data-key=reveal]")
    page.wait_for_selector(".answer")
    assert page.inner_text("[data-key=choice-0]").startswith("✗ ")
    assert page.inner_text("[data-key=choice-1]").startswith("✓ ")
    assert page.is_visible(".answer")
    assert not page.query_selector(".task-done")
    page.click("[data-key=again]")
    page.wait_for_selector(".answer", state="detached")


def assert_in_sight(page, name):
    """Task, what is to be turned, and the first picture stand wholly in the window; a tall picture at least by half."""
    (entry,) = (entry for entry in LESSONS if entry["id"] == name)
    turned = TURNED.get(name) or f"#knob-{entry['knobs'][0]}"
    picture = f".panel[data-panel={entry['show'][0]}]"
    page.wait_for_function(
        "s => document.querySelector(s)?.checkVisibility() && document.querySelector(s).clientHeight > 150", arg=picture
    )
    page.wait_for_timeout(100)  # a figure that has come is arranged
    height, width = page.viewport_size["height"], page.viewport_size["width"]
    for selector, share in (("#task", 1), ("#play", 1), (turned, 1), (picture, 0.95)):
        box = page.locator(selector).bounding_box()
        assert box is not None, (name, selector)
        seen = min(height, box["y"] + box["height"]) - max(0, box["y"])
        assert box["x"] >= 0, (name, selector)
        assert box["x"] + box["width"] <= width, (name, selector)
        assert seen >= share * box["height"], (name, selector, box)
    assert page.evaluate("scrollY") == 0


def assert_lines(page, entry, heard):
    """A lesson's lines and numbers, against what the worker said last."""
    read = """() => [...document.querySelectorAll(".numpy tr")].map((row) => {
        const value = row.querySelector(".numpy-value");
        return [row.querySelector(".numpy-line").textContent, value?.dataset.show ?? null, value?.textContent ?? ""];
    })"""
    wait(page, lambda: hear(page, heard).get("status") == "paused")
    settled(page)
    page.wait_for_timeout(300)  # the last frame of a training that was paused
    values, compared = known(page, hear(page, heard)), 0
    names = values | heard["arithmetic"]["code"]
    shown = page.evaluate(read)
    wanted = [re.sub(r"\{([\w.]+)\}", lambda m: str(names.get(m[1], "")), one["line"]) for one in entry["code"]]
    assert [line for line, *_ in shown] == wanted
    for line, show, text in shown:
        if isinstance(values.get(show), str):
            assert text == values[show]
            compared += 1
        elif show in values:
            found = [number(v) for v in re.findall(r"[−-]?[\d.,]*\d(?:e[−-]?\d+)?", text.replace(", ", " "))]
            expected = np.ravel(values[show])[:MOST]
            assert len(found) == np.size(expected), f"{line}: {text}"
            np.testing.assert_allclose(found, expected, rtol=5e-3, atol=1e-12, err_msg=line)
            compared += 1
    assert compared >= (1 if entry["id"] == "attention" else 2)  # there is none before it is switched on


def known(page, heard):
    """All that a line may ask for."""
    arithmetic, state, facts = heard["arithmetic"], heard["state"], heard["facts"]
    values = {**facts, **heard, **arithmetic}
    rate = f"{state['learning_rate']:g}"
    values |= {"learning_rate": rate, "batch": state["batch"], "seed": state["seed"], "epoch": int(heard["epoch"])}
    for name in ("w", "b"):
        values[f"slope_{name}"] = -np.asarray(arithmetic.get(f"del_{name}", np.nan)) / facts["rows"]
    values |= {f"reading.{key}": value for key, value in heard.get("reading", {}).items()}
    for n, layer in enumerate(state["layers"]):
        values |= {f"layers.{n}.{key}": value for key, value in layer.items()}
    return values | worked(page)


def worked(page):
    """The worked convolution, computed once more from what is chosen."""
    if not page.query_selector(".worked"):
        return {}
    size = int(page.input_value("[data-key=worked-size]"))
    x = np.zeros((size, size))
    half = slice(None, size // 2) if page.input_value("[data-key=worked-image]") == "left" else slice(size // 2, None)
    x[:, half] = 10
    kernel = np.array([[1, 0, -1]] * 3)
    h = np.array([[np.sum(x[i : i + 3, j : j + 3] * kernel) for j in range(size - 2)] for i in range(size - 2)])
    i, j = map(int, page.get_attribute(".worked button.seen", "data-key").split("-")[1:])
    assert number(page.inner_text(".worked-sum b")) == h[i, j]
    if size == 6:
        cells = page.locator(".worked-figure:has(button) .cells button")
        shown = dict(enumerate(cells.all_inner_texts()))
        known = {n: number(text) for n, text in shown.items() if text != "?"}
        assert known == {n: h.ravel()[n] for n in known}
        assert i * (size - 2) + j in known
        assert len(known) < len(shown)  # they are found by looking
    k, m = i // 2, j // 2
    return {"worked.sum": h[i, j], "worked.pooled": np.max(np.maximum(0, h)[2 * k : 2 * k + 2, 2 * m : 2 * m + 2])}


def test_without_the_right_knob_the_task_stays_open(opened):
    page = opened()
    lesson(page, "local-valley")
    choose(page, "pace", "60")
    page.click("#play")
    until(page, "epoch", "v > 200")
    assert not page.query_selector(".task-done")
    assert 0.2 < readout(page, "loss_now") < 0.24


def test_the_whole_page_is_a_button_away(opened):
    page = opened()
    lesson(page, "unit")
    assert not page.is_visible("#knob-rate")
    assert not page.is_visible(".settings")
    page.click("[data-key=whole]")
    page.wait_for_selector("#knob-rate")
    assert page.is_visible(".settings")
    page.click("[data-key=whole]")
    page.wait_for_selector("#knob-rate", state="detached")
    page.click("[data-key=compare]")  # two sides need the whole page
    page.wait_for_selector("[data-side='1'] .panel-network canvas")
    assert page.is_visible("#knob-rate")


def test_lines_of_another_network_are_not_shown(opened):
    page = opened()
    lesson(page, "six-steps")
    page.click("[data-key=whole]")
    assert page.is_visible(".numpy table")
    for key, other, own in (
        ("optimizer", "sgd", "adam"),
        ("schedule", "cosine_decay", ""),
        ("loss", "mean_squared_error", "auto"),
    ):
        choose(page, key, other)
        page.wait_for_selector(".invalid")
        assert not page.is_visible(".numpy table")
        choose(page, key, own)
        page.wait_for_selector(".invalid", state="hidden")
        assert page.is_visible(".numpy table")


def test_a_lesson_by_keyboard(opened):
    page = opened()
    lesson(page, "unit")
    page.focus("[data-key=lesson-unit]")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):  # behind the last one
            continue
        reached.add(page.evaluate("document.activeElement.dataset.key ?? document.activeElement.className"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached
    wanted = {"choice-0", "choice-1", "choice-2", "again", "reveal", "next", "whole", "given-w-dial", "given-b"}
    assert wanted <= reached
    page.focus("[data-key=given-w-dial]")
    for _ in range(13):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector(".task-done")
    lesson(page, "convolution")
    page.focus("[data-key=place-0-0]")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.worked-sum b').textContent === '30'")
    assert page.evaluate("document.activeElement.dataset.key") == "place-0-1"


def test_what_is_read_aloud(opened):
    page = opened()
    assert page.locator("h1").count() == 1
    lesson(page, "activation")
    page.wait_for_selector(".panel-network canvas")
    label = page.get_attribute(".panel-network canvas", "aria-label")
    assert label == "Network: Inputs, 2 units → dense, 4 units → dense_1, 1 unit"
    surface = page.locator(".panel-surface [role=img]").first.get_attribute("aria-label")
    assert surface.startswith("Prediction: x0 × x1, ")
    nameless = """() => [...document.querySelectorAll("button, select, input, canvas, [role=img]")].filter((e) => {
        const name = (e.getAttribute("aria-label") ?? e.textContent).trim() || e.labels?.[0]?.textContent.trim();
        return e.checkVisibility() && e.ariaHidden !== "true" && !name;
    }).map((e) => e.outerHTML)"""
    assert page.evaluate(nameless) == []


def test_the_ball_follows_the_weights(opened):
    """While they are turned, the landscape stays where it is."""
    page = opened()
    lesson(page, "mountain")
    page.wait_for_selector(".panel-landscape .ball")
    watch = """() => {
        const panel = document.querySelector(".panel-landscape");
        window.places = [];
        const look = () => {
            const ball = panel.querySelector(".ball");
            places.push(panel.hidden || !ball ? null : Math.round(ball.getAttribute("cx")));
            requestAnimationFrame(look);
        };
        look();
    }"""
    page.evaluate(watch)
    page.focus("[data-key=given-w-dial]")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
        until(page, "iteration", "v === 0")
        page.wait_for_timeout(20)
    page.wait_for_function("() => places.at(-1) > places[0] + 50")
    settled(page)
    places = page.evaluate("places")
    assert None not in places
    assert places == sorted(places)
    assert len(set(places)) > 5


def test_links_to_the_documentation(opened, server, new_page):
    """Where it is published, and in the reader's language; in a new tab, as this page fetches nothing."""
    page = opened()
    lesson(page, "loss")
    assert page.locator(".lesson-more a").count() == 0  # this package's metadata name no address
    host = server[0].split("/?")[0]
    page = new_page(allowed=(host, host.replace("http", "ws"), "data:", "blob:"), locale="zh-TW")
    published = "document.querySelector('meta[name=documentation]')?.setAttribute('content', 'https://x.org/')"
    page.add_init_script(f"document.addEventListener('readystatechange', () => {published})")
    page.goto(server[0])
    page.wait_for_selector("body[data-ready]")
    lesson(page, "loss")
    links = page.locator(".lesson-more a")
    found = [(link.get_attribute("href"), link.get_attribute("target")) for link in links.all()]
    pages = ("tutorial.zh.html#loss", "glossary.html", "reference.html")
    assert found == [(f"https://x.org/{name}", "_blank") for name in pages]


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_lessons_fit_a_phone(opened, locale):
    page = opened(width=400, locale=locale)
    for name in SOLUTIONS:
        lesson(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, name
