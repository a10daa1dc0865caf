"""Photographs live page and report: front.png, play.png, lesson.png, report.png and local-valleys.png.

Run: python docs/screenshots.py. It needs the extras `jit`, `pages` and `wheels`, and Chromium, whose path may be given.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from thalweg.play.pages.site import write_file

DOCS = Path(__file__).parent
CHROMIUM = sys.argv[1] if len(sys.argv) > 1 else "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
LEARNED = "() => document.body.innerText.match(/validation accuracy\\s*(9[5-9]|100)/)"


def keep(shown: Any, name: str) -> None:
    """The screen, or a part of the page, as a file of 256 colours, a third as large."""
    path = DOCS / name
    shown.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def of_front(browser: Any, live: str) -> None:
    """The spiral as the first page shows it, in a frame, half learned."""
    page = browser.new_page(viewport={"width": 1180, "height": 414}, device_scale_factor=1.5)
    page.goto(f"{live}?preset=spiral&frame")
    page.wait_for_function(
        "() => +document.querySelector('[data-readout=accuracy] b')?.textContent.match(/\\d+/) >= 95",
        timeout=60_000,
    )
    page.keyboard.press("Space")
    page.wait_for_timeout(800)
    keep(page, "front.png")


def of_play(browser: Any, live: str) -> None:
    """The spiral, once its network has learned it."""
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(f"{live}?preset=spiral")
    page.wait_for_timeout(1500)
    pace = page.locator("header select").first
    pace.select_option(index=pace.locator("option").count() - 1)  # as fast as it goes
    page.mouse.click(5, 5)
    page.keyboard.press("Space")
    page.wait_for_function(LEARNED, timeout=60_000)
    page.keyboard.press("Space")
    page.wait_for_timeout(800)
    keep(page, "play.png")


def of_lesson(browser: Any, live: str) -> None:
    """The lesson of the mountain, after its task is done."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{live}?lesson=mountain")
    page.locator(".ball").wait_for()
    page.locator("[data-key=choice-1]").click()
    page.locator("#play").click()
    page.locator(".task-done").wait_for(timeout=60_000)
    page.locator("#play").click()
    page.wait_for_timeout(800)
    keep(page, "lesson.png")


def of_report(browser: Any) -> None:
    """The first screen of the penguins' report, and the valleys of three of their networks."""
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", "thalweg", "train", "examples/penguins.csv", "--target", "target"]
        out = f"{folder}/penguins"
        subprocess.run([*call, "--seed", "1", "--out", out], cwd=DOCS.parent, capture_output=True, check=True)
        page.goto(f"file://{out}/report.html")
        page.wait_for_timeout(1500)
        keep(page, "report.png")
        call = [sys.executable, "-m", "thalweg", "report", out, "--seconds", "100"]
        subprocess.run(call, cwd=DOCS.parent, capture_output=True, check=True)
        page.goto(f"file://{out}/report.html")
        valleys = page.locator("section#landscape figure").filter(has_text="Local valleys")
        valleys.locator(".plot canvas").wait_for()
        page.wait_for_timeout(800)
        keep(valleys, "local-valleys.png")


def main() -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        write_file(Path(folder) / "play.html")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        for photograph in (of_front, of_play, of_lesson):
            photograph(browser, f"file://{folder}/play.html")
        of_report(browser)
        browser.close()


if __name__ == "__main__":
    main()
