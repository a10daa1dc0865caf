"""A class in two browsers' windows: a pupil's page and the teacher's list."""

import csv
import os
import subprocess
import sys

import pytest
from live_page import SECONDS, settled

TEXTS = {
    "en-US": ("Your name", "Lessons done", "learning rate", "One row"),
    "zh-TW": ("你的名字", "完成的課", "學習率", "一列資料"),
}


SEATS = {
    "en-US": ("0 of 2 seats", "no place left", "Free the seat", "has freed this seat", "Remove"),
    "zh-TW": ("2 個座位已有 0 人", "沒有位子給這一頁了", "釋出座位", "老師已釋出這個座位", "移除"),
}


@pytest.fixture(scope="module")
def addresses():
    for package in ("starlette", "uvicorn"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "thalweg", "play", "--no-open", "--host", "127.0.0.1", "--pupils", "2"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as run:
        yield run.stdout.readline().strip(), run.stdout.readline().strip()
        run.terminate()


def windows(new_page, address, locale, count):
    allowed = (address.split("/?")[0], "data:", "blob:")
    opened = [new_page(allowed=allowed, locale=locale) for _ in range(count)]
    for page in opened:
        page.set_default_timeout(SECONDS)
    return opened


def enter(page, name):
    """Gives a pupil's name; what the page calls them."""
    page.fill("#pupil-name", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")
    settled(page)
    return page.inner_text(".brand span")


@pytest.mark.parametrize("locale", TEXTS)
def test_the_teacher_sees_a_task_that_is_done(addresses, new_page, locale, tmp_path):
    asks, done, lesson, solved = TEXTS[locale]
    pupils, teachers = addresses
    page, teacher = windows(new_page, pupils, locale, 2)
    page.goto(pupils)
    assert asks in page.inner_text("dialog")
    page.keyboard.press("Escape")  # it has to be given
    page.keyboard.press("Enter")
    name = f"=Mei <b>{locale}</b>"
    enter(page, name)
    page.click("[data-key=lessons]")
    page.click("[data-key=lesson-one-row]")
    settled(page)

    teacher.goto(teachers)
    teacher.wait_for_selector("body[data-ready]")
    row = teacher.locator("tbody tr", has_text=name)
    row.wait_for()
    assert done in teacher.inner_text("caption")
    assert lesson in teacher.inner_text("thead").lower()
    assert row.locator("td.is-done").count() == 0
    page.select_option("[aria-label=Pace], [aria-label=速度]", "")
    page.click("#play")
    row.locator("td.is-done").wait_for()
    with teacher.expect_download() as download:
        teacher.locator("main > button").click()
    download.value.save_as(tmp_path / "class.csv")
    with (tmp_path / "class.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    (own,) = (row for row in rows if row[0] == f"'{name}")  # no spreadsheet takes it for a formula
    assert [title for title, cell in zip(header, own, strict=True) if cell == "1"] == [solved]

    page.reload()  # the same pupil, who isn't asked again
    page.wait_for_selector("body[data-ready]")
    page.close()
    row.locator("small").wait_for()
    assert teacher.locator("tbody tr", has_text=name).count() == 1
    assert row.locator("td.is-done").count() == 1


@pytest.mark.parametrize("locale", SEATS)
def test_the_teacher_frees_a_seat(addresses, new_page, locale):
    nobody, full, free, freed, remove = SEATS[locale]
    pupils, teachers = addresses
    first, second, third, teacher = windows(new_page, pupils, locale, 4)
    teacher.goto(teachers)
    teacher.get_by_text(nobody).wait_for()
    for page in (first, second, third):
        page.goto(pupils)
    name = f"Lin {locale}"
    assert [enter(page, name) for page in (first, second)] == [name, f"{name} (2)"]
    third.fill("#pupil-name", name)
    third.keyboard.press("Enter")
    third.get_by_text(full).wait_for()

    row = teacher.locator("tbody tr", has_text=f"{name} (2)")
    row.get_by_role("button", name=free).click()
    second.get_by_text(freed).wait_for()
    new_page.faults[:] = [f for f in new_page.faults if "409" not in f]  # Chromium notes every refusal
    third.reload()
    assert enter(third, "Chen") == "Chen"
    assert first.is_visible("#play:not([disabled])")
    row.get_by_role("button", name=remove).click()
    row.wait_for(state="detached")
    assert teacher.locator("tbody tr", has_text=name).count() == 1
