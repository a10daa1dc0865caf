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


@pytest.fixture(scope="module")
def addresses():
    for package in ("starlette", "uvicorn", "websockets"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "thalweg", "play", "--no-open", "--host", "127.0.0.1", "--pupils", "2"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as run:
        yield run.stdout.readline().strip(), run.stdout.readline().strip()
        run.terminate()


@pytest.mark.parametrize("locale", TEXTS)
def test_the_teacher_sees_a_task_that_is_done(addresses, new_page, locale, tmp_path):
    asks, done, lesson, solved = TEXTS[locale]
    pupils, teachers = addresses
    host = pupils.split("/?")[0]
    allowed = (host, host.replace("http", "ws"), "data:", "blob:")
    page, teacher = (new_page(allowed=allowed, locale=locale) for _ in range(2))
    for each in (page, teacher):
        each.set_default_timeout(SECONDS)
    page.goto(pupils)
    assert asks in page.inner_text("dialog")
    page.keyboard.press("Escape")  # it has to be given
    page.keyboard.press("Enter")
    assert page.is_visible("#pupil-name")
    name = f"=Mei <b>{locale}</b>"
    page.fill("#pupil-name", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")
    settled(page)
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
        teacher.locator("main button").click()
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
