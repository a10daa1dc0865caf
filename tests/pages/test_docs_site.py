"""The site as mkdocs builds it: without a warning, and read as files in a browser, where it fetches nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the site; every warning of mkdocs, such as a link to an anchor that isn't there, fails here."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    generate = [sys.executable, DOCS / "reference" / "generate.py", folder / "docs"]
    subprocess.run(generate, cwd=ROOT, check=True, capture_output=True)
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    text = text.replace("docs_dir: build/docs", "docs_dir: docs").replace("hooks: [docs/", f"hooks: [{DOCS}/")
    text = text.replace("custom_dir: docs/", f"custom_dir: {DOCS}/")
    (folder / "mkdocs.yml").write_text(text.replace("site_dir: build/site", "site_dir: built"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "built"


def test_pages_name_nothing_to_fetch_and_their_language(built):
    assert re.search(r"mkdocs build --strict(?! --quiet)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    for page in set(built.rglob("*.html")) - {built / "play.html", built / "form.html"}:
        html = page.read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(https?:[^\"]*)", html) == [], page.name
        chinese = page.name.endswith(".zh.html")
        assert ('lang="zh-Hant"' in html[:200]) == chinese
        assert ('placeholder="搜尋"' in html) == chinese, page.name
        assert ("Table of contents" not in html) == chinese, page.name


@pytest.mark.parametrize("width", [1280, 400])
def test_pages_open_as_files(built, new_page, width):
    page = new_page(width)  # a request elsewhere, or anything on the console, fails the test
    for name in ("index.html", "map.html", "tutorial.zh.html", "losses.html", "results.html", "guides/table.zh.html"):
        page.goto(f"file://{built / name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)"), name
    page.goto(f"file://{built / 'map.html'}")
    assert page.locator("svg.map:visible").count() == 1
    page.locator("svg.map:visible a[href='#loss']").click()
    assert page.url.endswith("#loss")


def test_the_search_finds_words_of_both_languages(built, new_page):
    page = new_page()
    for name, word in (("index.html", "cosine"), ("index.zh.html", "學習率")):
        page.goto(f"file://{built / name}")
        page.locator("input.md-search__input").click()
        page.keyboard.type(word)
        page.keyboard.press("End")  # the page hears keys, and Chinese text comes without one
        page.locator(".md-search-result__item").first.wait_for(timeout=20_000)


def test_the_live_page_leads_to_the_sites_pages(built, new_page):
    page = new_page(locale="zh-TW")
    page.goto(f"file://{built / 'index.zh.html'}")
    page.get_by_text("就在這裡玩").click()
    page.wait_for_selector("body[data-ready=true]", state="attached")
    page.click("[data-key=lessons]")
    address = page.locator("a[href*=tutorial]").first.get_attribute("href")
    file, _, anchor = address.partition("#")
    assert file == "./tutorial.zh.html"
    assert f'id="{anchor}"' in (built / file).read_text(encoding="utf-8")
