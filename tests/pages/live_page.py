"""The live page, as tests drive it."""

import base64
import time

from thalweg.views.web.encoding import decode

SECONDS = 60_000  # milliseconds that anything may take on a busy machine
SETTLED = """() => {
    const sides = [...document.querySelectorAll(".side")];
    return sides.length && sides.every((side) => side.getAttribute("aria-busy") === "false");
}"""


LISTENING = """(() => {
    const Own = Worker;
    window.heard = [];
    window.Worker = class extends Own {
        constructor(...given) {
            super(...given);
            this.addEventListener("message", ({ data }) => data instanceof ArrayBuffer && window.heard.push(data));
        }
    };
})()"""
"""A script by which a page keeps what its worker says."""
NEWS = """() => window.heard.splice(0).map((data) => {
    return btoa(Array.from(new Uint8Array(data), (v) => String.fromCharCode(v)).join(""));
})"""


def hear(page, heard):
    """Takes what the worker has said since."""
    for frame in page.evaluate(NEWS):
        heard.update(decode(base64.b64decode(frame)))
    return heard


def settled(page):
    """Waits until the worker has answered every change, and its answer is drawn."""
    page.wait_for_function(SETTLED)


def wait(page, true):
    """Waits until something has been sent or received."""
    end = time.monotonic() + SECONDS / 1000
    while not true():
        assert time.monotonic() < end
        page.wait_for_timeout(20)  # lets messages pass


def number(text):
    """A number as the page writes it."""
    text = text.replace("−", "-").replace(",", "").strip()
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def readout(page, name):
    return number(page.inner_text(f"[data-side='0'] [data-readout={name}] b"))


def until(page, name, holds, side=0):
    """Waits until a number of the readout fulfils the JavaScript condition `holds`, such as "v >= 95"."""
    read = f"""() => {{
        const text = document.querySelector("[data-side='{side}'] [data-readout={name}] b")?.textContent ?? "";
        const v = parseFloat(text.replace("−", "-"));
        return {holds};
    }}"""
    page.wait_for_function(read)


def choose(page, key, value):
    page.select_option(f"select[data-key='{key}']", value)


def lesson(page, name):
    if not page.is_visible(".lesson-strip"):
        page.click("[data-key=lessons]")
    page.click(f"[data-key=lesson-{name}]")
    page.wait_for_selector(f"[data-key=lesson-{name}][aria-current]")
    settled(page)
    page.wait_for_function("() => [...document.querySelectorAll('[data-show]')].some(cell => cell.textContent)")
    until(page, "iteration", "v === 0")
