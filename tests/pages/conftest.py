"""A browser for tests of pages: the system's Chromium, driven by Playwright; without either, the test is skipped."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from live_page import SECONDS, settled

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser():
    """One for each file of tests: Playwright's event loop would be in the way of other files' own."""
    api = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"{NAMES[0]} is not on the PATH")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--no-first-run", *QUIET])
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser):
    """Makes pages that have to be quiet: what they write to the console, or request beyond files and `allowed`, fails
    the test at its end."""
    faults, pages = [], []

    def make(width=1280, height=900, scheme="light", allowed=("file:", "data:", "blob:"), **options):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith(allowed) or faults.append(f"request: {request.url}"))
        pages.append(page)
        return page

    make.faults = faults
    yield make
    for page in pages:
        page.close()
    assert not faults


@pytest.fixture(scope="module")
def server():
    """The address that `thalweg play` prints, and the process."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-m", "thalweg", "play", "--no-open"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as run:
        yield run.stdout.readline().strip(), run
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0


@pytest.fixture
def opened(server, new_page):
    """Opens the live page; whatever it asks for, it asks of its own server. `script` runs before the page's own."""

    def open_page(hash="", script="", **options):
        address = server[0]
        page = new_page(allowed=(address.split("/?")[0], "data:", "blob:"), **{"locale": "en-US", **options})
        page.set_default_timeout(SECONDS)
        page.add_init_script(script)
        page.goto(address + hash)
        page.wait_for_selector("body[data-ready]")
        settled(page)
        return page

    return open_page
