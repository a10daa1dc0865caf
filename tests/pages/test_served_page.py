"""The page that `thalweg play` serves and the browser trains: a table beside it, and a class."""

import re
import subprocess
import sys

import pytest
from live_page import SECONDS, readout, settled, until

for package in ("starlette", "uvicorn"):
    pytest.importorskip(package)
from served_client import serving  # noqa: E402 - the imports above have to come first

from thalweg.errors import MissingPackageError  # noqa: E402
from thalweg.play import page_table, scenes  # noqa: E402
from thalweg.play.classroom import Classroom  # noqa: E402
from thalweg.play.page_table import PageTable  # noqa: E402
from thalweg.play.pages.site import files  # noqa: E402

ROWS = "when,weight,town,price\n" + "".join(
    f"{1 + n % 28}/{1 + n % 12}/2020,{40 + n % 9} kg,{('Ulm', 'Köln')[n % 2]},{n % 28}\n" for n in range(300)
)
TEXTS = {
    "en-US": ("all 1 seats are taken", "has freed this seat", "goes on computing", "Your name"),
    "zh-TW": ("1 個座位都滿了", "老師已釋出這個座位", "會繼續計算", "你的名字"),
}


@pytest.fixture(scope="module", autouse=True)
def engine():
    try:
        files()
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.fixture
def visit(new_page):
    """Opens an address of a server, and whatever it asks for, it asks of that."""

    def opened(address, wait=True, **options):
        page = new_page(allowed=(address.split("/?")[0].split("/class")[0],), **{"locale": "en-US", **options})
        page.set_default_timeout(SECONDS)
        page.goto(address)
        if wait:
            page.wait_for_selector("body[data-ready]")
        return page

    return opened


def test_the_table_beside_it_is_learned(visit, tmp_path, monkeypatch):
    monkeypatch.setattr(page_table, "TABLE_ROWS", 200)
    (tmp_path / "homes.csv").write_text(ROWS)
    source = PageTable.of_source(str(tmp_path / "homes.csv"))
    with serving(source=source, states=scenes.initial(None, None, True)) as site:
        page = visit(site.address)
        settled(page)
        assert "200 rows, drawn at random from 300" in page.inner_text(".data-panel")
        page.keyboard.press("s")
        until(page, "iteration", "v === 1")
        assert readout(page, "loss_now") > 0
        check_program(page, tmp_path / "exported.py")
        rows = "\n".join(ROWS.split("\n")[:100]).encode()
        page.set_input_files("#upload", {"name": "b.csv", "mimeType": "text/csv", "buffer": rows})
        page.get_by_text("b.csv · ").wait_for()
        page.click("[data-key=column-when]")  # a date, which the page alone doesn't read
        settled(page)
        assert page.inner_text(".message") == ""


def check_program(page, path):
    """Exported after an epoch, a program that reads the table's file and draws its sample has the page's loss."""
    page.click("[data-key=tool-e]")
    until(page, "epoch", "v === 1")
    with page.expect_download() as download:
        page.click("#export summary")
        page.click("[data-key=export-python]")
    download.value.save_as(path)
    told = float(re.search(r"last epoch was ([\d.e-]+\d)", path.read_text("utf-8"))[1])
    run = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    assert float(re.search(r"loss ([\d.e-]+)", run.stdout)[1]) == pytest.approx(told, rel=1e-5)


def test_it_begins_as_the_command_says(visit):
    with serving(states=scenes.initial("one-row", None, False), lesson="one-row") as site:
        page = visit(site.address)
        page.locator("#task").wait_for()
        page.keyboard.press("s")
        until(page, "iteration", "v === 1")


def test_a_file_that_cannot_be_read_and_a_server_that_is_gone(visit, new_page):
    with serving() as site:
        page = visit(site.address)
        settled(page)
        page.set_input_files("#upload", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n"})
        page.wait_for_function("() => /a\\.csv/.test(document.querySelector('#upload-said').textContent)")
    page.set_input_files("#upload", {"name": "b.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    page.get_by_text("`thalweg play` has ended").wait_for()
    page.click("[data-key=tool-s]")
    until(page, "iteration", "v === 1")
    new_page.faults[:] = [f for f in new_page.faults if "400" not in f and "ERR_" not in f]  # Chromium notes them


def enter(page, name):
    page.fill("#pupil-name", name)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("locale", TEXTS)
def test_a_class(visit, new_page, locale):
    full, freed, ended, asks = TEXTS[locale]
    with serving(classroom=Classroom(seats=1)) as site:
        page, other = (visit(site.address, wait=False, locale=locale) for _ in range(2))
        assert asks in page.inner_text("dialog")
        teacher = visit(site.list_address, locale=locale)
        enter(page, "Mei")
        settled(page)
        assert page.inner_text(".brand span") == "Mei"
        enter(other, "Chen")
        other.get_by_text(full).wait_for()
        page.click("[data-key=lessons]")
        page.click("[data-key=lesson-one-row]")
        settled(page)
        row = teacher.locator("tbody tr", has_text="Mei")
        row.wait_for()
        assert row.locator("td.is-done").count() == 0
        page.select_option("[data-key=pace]", "")
        page.click("#play")
        row.locator("td.is-done").wait_for()
        page.click("#play")
        row.get_by_role("button").click()
        page.click("[data-key=lesson-loss]")  # which is told at once
        page.get_by_text(freed).wait_for()
        other.reload()
        enter(other, "Chen")
        settled(other)
        page.close()
    other.click("[data-key=lessons]")
    other.click("[data-key=lesson-one-row]")
    other.get_by_text(ended).wait_for()
    settled(other)
    other.keyboard.press("s")
    until(other, "iteration", "v === 1")
    new_page.faults[:] = [f for f in new_page.faults if "409" not in f and "ERR_" not in f]  # Chromium notes them
