"""The live page, as tests drive it."""

import time

SECONDS = 60_000  # milliseconds that anything may take on a busy machine
SETTLED = """() => {
    const sides = [...document.querySelectorAll(".side")];
    return sides.length && sides.every((side) => side.getAttribute("aria-busy") === "false");
}"""


def settled(page):
    """Waits until the server has answered every change, and its answer is drawn."""
    page.wait_for_function(SETTLED)


def wait(page, true):
    """Waits until something has been sent or received."""
    end = time.monotonic() + SECONDS / 1000
    while not true():
        assert time.monotonic() < end
        page.wait_for_timeout(20)  # lets messages pass
