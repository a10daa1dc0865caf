"""The Python of the READMEs and the tour runs as it stands there; the READMEs are short, alike in both languages."""

import re
import shutil
from pathlib import Path

import pytest
from test_packages import PROJECT

import thalweg

ROOT = Path(__file__).parents[2]
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-TW.md")}
TOURS = {"README.md": "docs/tour.md", "README.zh-TW.md": "docs/tour.zh.md"}
PAGES = {"README.md": "docs/compared.md", "README.zh-TW.md": "docs/compared.zh.md"}
LINES = 150  # three screens
OF_DEVELOPERS = {"bench", "dev", "docs", "pages", "parity", "test", "wheels"}  # extras


def python(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def installed(name):
    """The table of what is installed, with its head."""
    (section,) = (part for part in READMES[name].split("\n## ") if "| `jit` |" in part)
    return [line for line in section.splitlines() if line.startswith("| ")]


BLOCKS = {name: python(text) + python(page(TOURS[name])) for name, text in READMES.items()}


def without_comments(block):
    return [re.sub(r"\s*(#.*)?$", "", line) for line in block.splitlines()]


def test_both_readmes_show_the_same_code():
    english, chinese = ([without_comments(block) for block in blocks] for blocks in BLOCKS.values())
    assert english == chinese


@pytest.mark.parametrize("name", READMES)
def test_a_readme_is_three_screens(name):
    assert len(READMES[name].splitlines()) <= LINES


@pytest.mark.parametrize("name", READMES)
def test_a_readmes_numbers_are_those_of_the_page_behind_it(name):
    """All that the benchmark wrote, and the rows of the other table."""
    written = READMES[name].partition("<!-- benchmark: begin -->")[2].partition("<!-- benchmark: end -->")[0]
    lines = [line for line in READMES[name].splitlines() if line.startswith("| ")]
    assert len(written.splitlines()) > 8 < len(lines) - written.count("\n| ")
    assert not {*lines, *written.splitlines()} - {*page(PAGES[name]).splitlines(), *installed(name)}


@pytest.mark.parametrize("name", READMES)
def test_a_readme_says_what_each_extra_brings(name):
    _, *rows = ([cell.strip(" `") for cell in line.split("|")[1:-1]] for line in installed(name))
    extras = {extra: PROJECT["optional-dependencies"].get(extra, PROJECT["dependencies"]) for extra, _, _ in rows}
    for extra, brought, _ in rows:
        assert sorted(brought.split(", ")) == sorted(re.match(r"[\w-]+", line)[0] for line in extras[extra])
    assert set(PROJECT["optional-dependencies"]) - set(extras) == OF_DEVELOPERS


@pytest.mark.parametrize("name", READMES)
def test_the_documentation_opens_as_the_readme_does(name):
    """With the same sentence and picture; each figure stands in the README's tables."""
    readme, first = READMES[name], page(PAGES[name].replace("compared", "index"))
    assert re.search(r"^# (.*) \{: \.first", first, re.M)[1] == re.search(r"^\*\*(.*)\*\*$", readme, re.M)[1]
    source, alternative = re.search(r'<img src="(.*?)" alt="(.*?)"', first).groups()
    assert f"![{alternative}](docs/{source})" in readme
    figures = re.findall(r"^\[\*\*(.+?)\*\*", first, re.M)
    assert len(figures) == 3
    assert all(re.search(rf"[ *]{figure}[ *]", readme) for figure in figures)


@pytest.mark.parametrize("name", READMES)
def test_all_blocks_run_as_they_stand_one_after_the_other(name, run_thalweg, capsys):
    """In a folder with the examples, after the first command."""
    shutil.copytree(ROOT / "examples", "examples")
    quick = ("--members", "1", "--no-trees", "--epochs", "2", "--no-report")
    assert run_thalweg("train", "examples/penguins.csv", "--target", "target", *quick)[0] == 0
    namespace = {}
    for block in BLOCKS[name]:
        exec(block, namespace)
    printed = capsys.readouterr().out
    assert "Total params: 9,610" in printed
    assert "One step on 1 row: " in printed
    x, y = namespace["x_test"], namespace["y_test"]
    assert (namespace["again"].predict(x).argmax(axis=1) == y).mean() > 0.8
    assert Path("report.html").stat().st_size > 10_000


@pytest.mark.parametrize("name", READMES)
def test_a_table(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    estimated, code = [block for block in BLOCKS[name] if "read_table" in block]
    known = {}
    exec(estimated, known)
    assert (known["estimator"].predict(known["table"]) == known["species"]).mean() > 0.9
    assert known["estimator"].validation_score_ < 0.5
    namespace = {"keras": thalweg}
    thalweg.utils.set_random_seed(0)
    exec(code, namespace)
    assert set(namespace["answers"]) <= {"Adelie", "Chinstrap", "Gentoo"}
    assert (namespace["answers"] == namespace["test"]["target"]).mean() > 0.9
