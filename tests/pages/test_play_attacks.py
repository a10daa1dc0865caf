"""The live page under what people do: one preset after another, one table after another, wishes that can't be."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

SECONDS = 60_000  # milliseconds that anything may take on a busy machine
SETTLED = """() => {
    const sides = [...document.querySelectorAll(".side")];
    return sides.length && sides.every((side) => side.getAttribute("aria-busy") === "false");
}"""


@pytest.fixture(scope="module")
def address():
    """What `thalweg play` prints."""
    command = [sys.executable, "-m", "thalweg.cli.main", "play", "--no-open"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as run:
        yield run.stdout.readline().strip()
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0


@pytest.fixture
def opened(address, new_page):
    def open_page(**options):
        host = address.split("/?")[0]
        page = new_page(allowed=(host, host.replace("http", "ws"), "data:", "blob:"), locale="en-US", **options)
        page.set_default_timeout(SECONDS)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        page.wait_for_function(SETTLED)
        return page

    return open_page


def preset(page, name):
    page.click("summary[data-key=presets]")
    page.click(f"[data-key=preset-{name}]")
    page.wait_for_function(SETTLED)


def upload(page, name, columns):
    rows = [",".join(str((n * row) % 17) for n, _ in enumerate(columns, 1)) for row in range(60)]
    content = "\n".join([",".join(columns), *rows]).encode()
    page.set_input_files("#upload", files=[{"name": name, "mimeType": "text/csv", "buffer": content}])
    page.wait_for_selector(f"[data-key=column-{columns[0]}]")
    page.wait_for_function(SETTLED)


def test_the_differences_go_with_the_second_side(opened):
    page = opened(width=400)
    preset(page, "vanishing-sigmoids")
    assert page.is_visible(".differs")
    preset(page, "digits")
    assert page.locator(".side").count() == 1
    assert page.is_hidden(".differs")


def test_what_cannot_be_exported_is_said(opened, new_page):
    page = opened()
    page.select_option("select[data-key=optimizer]", "adabelief")
    page.wait_for_function(SETTLED)
    page.click("#export summary")
    page.click("[data-key=export-keras]")
    page.wait_for_selector(".toast:not([hidden])")
    assert "Keras has no optimizer adabelief" in page.inner_text(".toast")
    new_page.faults[:] = [f for f in new_page.faults if "400" not in f]  # Chromium notes every refusal


def test_a_second_table_is_drawn_over_its_own_columns(opened):
    page = opened()
    upload(page, "first.csv", ["a", "b", "c", "y"])
    page.select_option("select[data-key=axis-0]", "c")
    page.wait_for_function(SETTLED)
    upload(page, "second.csv", ["d", "e", "f", "y"])
    assert page.inner_text(".message") == ""
    assert page.input_value("select[data-key=axis-0]") == "d"


def test_a_change_during_another_is_not_lost(opened):
    """The second is made while the first one's formula is still being compiled."""
    page = opened()
    page.select_option("select[data-key=activation-all]", "formula")
    page.fill("[data-key=activation-all-text]", "x/(1+abs(x))*0.731")
    page.keyboard.press("Enter")
    page.fill("[data-key=rate-number]", "0.123")
    page.keyboard.press("Enter")
    page.select_option("select[data-key=optimizer]", "rmsprop")
    page.wait_for_function(SETTLED)
    page.click("header.top b")  # what is being typed in is made anew afterwards
    assert page.input_value("[data-key=rate-number]") == "0.123"
    assert page.input_value("select[data-key=optimizer]") == "rmsprop"
    assert page.input_value("[data-key=activation-all-text]") == "x/(1+abs(x))*0.731"
