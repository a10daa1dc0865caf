"""The live page in a browser: a person chooses, types, presses, and reads what the network does."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from live_page import choose, lesson, readout, settled, until

from thalweg.views import web

PLAY = Path(web.__file__).parent / "play"


def until_numbers(page, selector, wanted):
    """Waits until the numbers of an element are those that are wanted, to four digits."""
    read = """([selector, wanted]) => {
        const text = document.querySelector(selector)?.textContent ?? "";
        const found = (text.match(/[−-]?[\\d.]+(e[−-]?\\d+)?/g) ?? []).map((v) => Number(v.replaceAll("−", "-")));
        const equal = (v, n) => Math.abs(v - wanted[n]) <= 1.5e-3 * Math.abs(wanted[n]);
        return found.length === wanted.length && found.every(equal);
    }"""
    page.wait_for_function(read, arg=[selector, np.atleast_1d(wanted).tolist()])


def test_the_spiral_is_learned(opened):
    page = opened()
    page.click("summary[data-key=presets]")
    page.click("[data-key=preset-spiral]")
    choose(page, "pace", "")
    page.keyboard.press("Space")
    until(page, "val_accuracy", "v >= 95")
    page.keyboard.press("Space")
    page.wait_for_selector("#play[aria-label=Play]")
    assert readout(page, "val_accuracy") >= 0.95


def test_one_step_is_the_tutorials(opened):
    page = opened()
    lesson(page, "one-row")

    x, y, w = np.array([0.5, -0.2, 0.1, 0.9, -0.4]), 0.6, np.array([0.1, 0.3, -0.2, 0.4, 0.2])
    for step in range(3):
        until(page, "iteration", f"v === {step}")
        h = np.dot(x, w)
        y_predict = 1 / (1 + np.exp(-h))
        error = y - y_predict
        error_term = error * y_predict * (1 - y_predict)
        delta_w = 0.5 * error_term * x
        w = w + delta_w
        found = {"h": h, "y_predict": y_predict, "error": error, "error_term": error_term, "delta_w": delta_w}
        shown = {name: value for name, value in found.items() if name != "error"} | {"difference": error, "w_after": w}
        for name, value in shown.items():
            until_numbers(page, f".numpy-value[data-show={name}]", value)
        page.locator(".panel-arithmetic").scroll_into_view_if_needed()
        for name in ("h", "y_predict", "error", "error_term"):
            until_numbers(page, f".sum[data-name={name}] b", found[name])
        page.keyboard.press("s")
    assert "learn_rate = 0.5" in page.inner_text(".numpy")


def test_a_table_of_ones_own(opened, tmp_path):
    rng = np.random.default_rng(0)
    age, height = rng.uniform(20, 60, 200), rng.uniform(150, 190, 200)
    evil = "<img src=x onerror=alert(1)>"
    lines = [f"age,{evil},height,tall"] + [
        f"{a:.1f},{b:.2f},{h:.1f},{'yes' if h > 170 else 'no'}"
        for a, b, h in zip(age, rng.normal(size=200), height, strict=True)
    ]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    page = opened()
    page.set_input_files("#upload", table)
    page.wait_for_selector("select[data-key=target]")
    choose(page, "target", "tall")
    page.wait_for_selector(f"[data-key='column-{evil}']")  # as text
    assert not page.query_selector(".data-panel img")
    page.click(f"[data-key='column-{evil}']")
    choose(page, "pace", "")
    settled(page)
    page.click("#play")
    until(page, "val_accuracy", "v >= 90")


def test_a_typed_formula_and_a_broken_one(opened):
    page = opened()
    choose(page, "activation-all", "formula")
    page.fill("[data-key=activation-all-text]", "x * exp(-x**2)")
    page.press("[data-key=activation-all-text]", "Enter")
    page.wait_for_function(
        "() => document.querySelector('[data-key=\"activation-0-0-text\"]')?.value === 'x * exp(-x**2)'"
    )
    page.click("[data-key=tool-s]")
    until(page, "iteration", "v === 1")
    page.fill("[data-key=activation-all-text]", "x * expp(")
    page.press("[data-key=activation-all-text]", "Enter")
    page.wait_for_selector(".message.is-error")
    assert "x * expp(" in page.inner_text(".message.is-error")
    page.wait_for_selector("[data-key=activation-all-text][aria-invalid=true]")
    settled(page)
    page.click("[data-key=tool-s]")  # which would train another network than the page shows
    page.wait_for_timeout(500)
    assert page.is_visible(".message.is-error")
    assert readout(page, "iteration") == 1
    page.fill("[data-key=activation-all-text]", "x * exp(-x)")
    page.press("[data-key=activation-all-text]", "Enter")
    until(page, "iteration", "v === 0")
    assert not page.is_visible(".message.is-error")


def test_a_loss_that_is_a_formula(opened):
    page = opened()
    choose(page, "loss", "formula")
    page.fill("[data-key=loss-text]", "(y_pred - y_true)**2")
    page.press("[data-key=loss-text]", "Enter")
    settled(page)
    page.click("[data-key=tool-s]")
    until(page, "iteration", "v === 1")
    assert 0.1 < readout(page, "loss_now") < 0.5  # the mean of squares about ½, not a cross-entropy


def test_language(opened):
    page = opened()
    assert page.inner_text("[data-key=lessons]") == "Lessons"
    page.keyboard.press("l")
    page.wait_for_function("() => document.documentElement.lang === 'zh-Hant-TW'")
    assert page.inner_text("[data-key=lessons]") == "課程"
    assert "學習率" in page.inner_text("#knob-rate")
    page.click("text=English")
    page.wait_for_function("() => document.documentElement.lang === 'en'")
    assert opened(locale="zh-TW").inner_text("[data-key=lessons]") == "課程"


def test_exported_python_gives_the_same_loss(opened, tmp_path):
    page = opened()
    page.click("[data-key=data-moons]")
    settled(page)
    for epoch in range(3):
        page.click("[data-key=tool-e]")
        until(page, "epoch", f"v === {epoch + 1}")
    with page.expect_download() as download:
        page.click("#export summary")
        page.click("[data-key=export-python]")
    program = tmp_path / "exported.py"
    download.value.save_as(program)
    told = float(re.search(r"last epoch was ([\d.e-]+\d)", program.read_text(encoding="utf-8"))[1])
    run = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert math.isclose(float(re.search(r"loss ([\d.e-]+)", run.stdout)[1]), told, rel_tol=1e-6)


def test_the_link_restores_the_state(opened):
    page = opened()
    page.click("[data-key=data-circles]")
    choose(page, "activation-all", "relu")
    page.fill("[data-key=rate-number]", "0.07")
    page.press("[data-key=rate-number]", "Tab")
    page.click("[data-key=compare]")
    page.wait_for_selector("[data-side='1'] .panel-network canvas")
    choose(page, "activation-all", "sigmoid")  # of B
    settled(page)
    page.click("#export summary")
    page.click("[data-key=export-link]")
    page.wait_for_function("() => location.hash.startsWith('#state=')")
    again = opened(hash=page.evaluate("location.hash"))
    again.wait_for_selector("[data-side='1'] .panel-network canvas")
    settled(again)
    assert again.get_attribute("[data-key=data-circles]", "aria-pressed") == "true"
    assert again.input_value("[data-key=rate-number]") == "0.07"
    assert again.input_value("[data-key=activation-all]") == "relu"
    again.click(".tab.tone-b")
    again.wait_for_function("() => document.querySelector('[data-key=activation-all]').value === 'sigmoid'")
    assert "layers.0.activation relu | sigmoid" in again.inner_text(".differs")


def test_a_broken_link_is_said(opened):
    page = opened(hash="#state=nonsense")
    assert "can't be read" in page.inner_text(".toast")


def test_nan_is_shown_with_its_sentence(opened):
    page = opened()
    page.click("summary[data-key=presets]")
    page.click("[data-key=preset-learning-rate-too-high]")
    page.wait_for_selector("[data-side='1'] .panel-network canvas")
    page.click("#play")
    page.wait_for_selector("[data-side='1'] .message.is-error")
    said = page.inner_text("[data-side='1'] .message.is-error")
    assert said.startswith("NaN: a value was no longer finite in epoch ")  # once
    assert "learning rate" in said
    assert page.inner_text("[data-side='1'] [data-readout=loss_now] b") == "NaN"
    assert readout(page, "loss_now") < 2  # A goes on


def test_the_map_leads_to_the_knobs(opened):
    page = opened()
    page.click("[data-key=map]")
    nodes = json.loads((PLAY / "map.json").read_text(encoding="utf-8"))["nodes"]
    assert page.locator(".map-wide .map-node").count() == len(nodes)
    page.click(".map-wide [data-id=learning_rate]")
    page.click("[data-key=to-knob]")
    assert page.evaluate("document.activeElement.closest('.knob').id") == "knob-rate"


def test_a_unit_can_be_chosen_and_layers_changed(opened):
    page = opened()
    page.click("[data-key=fewer-0-0]")
    page.wait_for_function("() => document.querySelector('.hidden-layer output').textContent === '7'")
    page.click("[data-key=remove-0-1]")
    page.wait_for_function("() => document.querySelectorAll('.hidden-layer').length === 1")
    settled(page)
    page.locator(".panel-arithmetic").scroll_into_view_if_needed()
    choose(page, "layer-0", "0")
    choose(page, "unit-0", "6")
    page.wait_for_selector("text=the next layer's error terms")
    settled(page)  # until then the answer to the choice of the layer may be what is shown
    assert page.input_value("[data-key=unit-0]") == "6"


def test_a_digit_is_drawn_and_recognised(opened):
    page = opened()
    page.click("summary[data-key=presets]")
    page.click("[data-key=preset-digits]")
    choose(page, "pace", "")
    page.click("#play")
    until(page, "val_accuracy", "v >= 95")
    page.click("#play")
    pad, one = page.locator(".pad"), ".probabilities .best:has(span:first-of-type:text-is('1'))"
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 98, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 98, box["y"] + 170, steps=12)
    page.mouse.up()
    page.wait_for_selector(one)  # each step of the line is answered, the last one like this
    page.click("[data-key=clear]")
    assert not page.query_selector(".probabilities .best")
    pad.focus()
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    page.wait_for_selector(one)  # each step of the line is answered, the last one like this


@pytest.mark.parametrize("width", [1280, 400])
def test_a_formula_fits_the_card_of_its_layer(opened, width):
    page = opened(width=width)
    card = page.locator(".layer-card.hidden-layer").first
    card.locator("select").select_option("formula")
    card.locator(".formula input").fill("x * sigmoid(1.702 * x) + 0.1")
    card.locator(".formula button").click()
    settled(page)
    inside = card.bounding_box()
    for part in ("select", ".formula input", ".formula button"):
        box = card.locator(part).first.bounding_box()
        assert inside["x"] <= box["x"], part
        assert box["x"] + box["width"] <= inside["x"] + inside["width"], part
    assert card.locator(".formula input").first.bounding_box()["width"] > 140


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_it_fits_a_phone(opened, locale):
    page = opened(width=400, locale=locale)
    page.wait_for_selector(".panel-network canvas")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
