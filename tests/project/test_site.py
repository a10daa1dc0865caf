"""The site: pages say what their code prints, links lead somewhere, no heading twice, both languages agree."""

import importlib.util
import itertools
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from thalweg import activations, datasets, losses, ops, random, saving, utils
from thalweg.doctor import RULES
from thalweg.views.web.wording import scenes

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = sorted([*DOCS.glob("*.md"), *DOCS.glob("guides/*.md")])
TWINS = [path for path in SOURCES if path.with_suffix("").with_suffix(".zh.md").exists() and ".zh" not in path.name]
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def load(path):
    """A program of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


worked = load(DOCS / "worked.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that mkdocs reads."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("site") / "docs"
    load(DOCS / "reference" / "generate.py").write(folder)
    return folder


def test_the_lessons_lead_to_the_tutorial():
    for entry in scenes("lessons"):
        page, _, anchor = entry["page"].partition("#")
        for end in ("", ".zh"):
            assert f"{{: #{anchor} }}" in (DOCS / f"{page}{end}.md").read_text(encoding="utf-8"), entry["id"]


def test_the_classroom_has_every_lesson_and_the_worksheet_no_answer(site):
    for language, end in (("en", ""), ("zh", ".zh")):
        sheet, deck = ((site / f"{kind}{end}.md").read_text(encoding="utf-8") for kind in ("worksheet", "slides"))
        for entry in scenes("lessons"):
            task = {
                key: re.sub(r"([\\*_<|`])", r"\\\1", entry["task"][key][language])
                for key in ("question", "text", "done")
            }
            assert task["question"] in sheet, entry["id"]
            assert task["text"] in sheet, entry["id"]
            assert task["done"] not in sheet, entry["id"]
            assert all(text in deck for text in task.values()), entry["id"]


# --- what pages show -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", worked.pages(), ids=lambda path: path.name)
def test_a_page_shows_what_its_code_prints(path):
    text = path.read_text(encoding="utf-8")
    if sys.platform == "win32" and "```console" in text:
        pytest.skip("the commands are those of a POSIX shell, such as head")
    if "thalweg tune" in text:
        pytest.importorskip("optuna")
    assert worked.Page(path).run().faults == []


def test_a_page_that_shows_something_else_would_be_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(2 * 1.5, 'is right')\n```\n\n```text\n3.0 is right\n```\n", encoding="utf-8")
    assert worked.Page(page).run().faults == []
    for shown, damaged in (("3.0", "3.1"), ("right", "wrong")):
        page.write_text(page.read_text(encoding="utf-8").replace(f"{shown} is", f"{damaged} is"), encoding="utf-8")
        if shown == "right":
            page.write_text("```python\nprint('is right')\n```\n\n```text\nis wrong\n```\n", encoding="utf-8")
        run = worked.Page(page).run()
        assert len(run.faults) == 1
        assert "print(" in run.text
    assert worked.same_words("score of 7 networks is good", "score of 9 networks is good")
    assert not worked.same_words("score of 7 networks is good", "no such column here at all")
    assert not worked.same_words(
        "diagnosis of the first network, by 16 rules", "diagnosis of the first network, by 18 rules"
    )
    assert not worked.same_numbers("95%", "90%")


TENS, HAN = r"\b(?:\w+teen|\w+ty(?:-\w+)?)", "[二三四五六七八九]?十[一二三四五六七八九]?"
COUNTS = [  # what pages count in words: how they do, the words there have to be, and how many there are
    (rf"(?i)({TENS}(?= (?:short |\[)*lessons\b)|{HAN}(?=堂))", {"fifteen", "十五"}, 15, "lessons"),
    (
        rf"(?i)({TENS}(?= (?!other)(?:\w+ )?(?:ones|programs)\b)|{HAN}(?=個短程式))",
        {"thirty-one", "三十一"},
        31,
        "programs",
    ),
]
THERE = {
    "lessons": lambda: scenes("lessons"),
    "programs": lambda: list((ROOT / "examples" / "keras").glob("*.py")),
}


@pytest.mark.parametrize(("pattern", "words", "number", "what"), COUNTS, ids=[what for *_, what in COUNTS])
def test_what_pages_count_in_words_is_as_many(pattern, words, number, what):
    assert len(THERE[what]()) == number
    texts = (path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *SOURCES))
    found = [said.lower() for text in texts for said in re.findall(pattern, text)]
    assert set(found) == words
    assert len(found) > 5


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.name)
def test_both_languages_show_the_same_code(path):
    def code(page):
        blocks = FENCE.findall(page.read_text(encoding="utf-8"))
        return [[re.sub(r"\s*#.*", "", line) for line in block.splitlines()] for block in blocks]

    assert code(path) == code(path.with_suffix("").with_suffix(".zh.md"))


def test_what_learners_and_users_read_has_chinese_twins_that_name_each_other():
    read = {f"{name}.md" for name in ("index", "five-minutes", "tutorial", "recording", "looking-in", "doctor")}
    read |= {path.name for path in (DOCS / "guides").glob("*.md") if ".zh" not in path.name}
    assert {path.name for path in TWINS} >= read | {"command-line.md", "tour.md", "compared.md", "saved-files.md"}
    for path in TWINS:
        twin = path.with_suffix("").with_suffix(".zh.md")
        assert f"[繁體中文]({twin.name})" in path.read_text(encoding="utf-8")
        assert f"[English]({path.name})" in twin.read_text(encoding="utf-8")


def test_chinese_pages_lead_to_chinese_pages():
    for english in TWINS:
        page = english.with_suffix("").with_suffix(".zh.md")
        for link in re.findall(r"\]\(([^)\s:]+\.md)[^)]*\)", prose(page)):
            aim = (page.parent / link).resolve()
            assert aim == english or aim not in TWINS, f"{page.name}: {link}"


def test_the_doctors_rules_have_their_numbers_in_chinese():
    text = (DOCS / "doctor.zh.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \S+<br>([^|]+) \| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
    assert [name for name, *_ in rows] == list(RULES)
    for name, *chinese in rows:
        for english, other in zip((RULES[name].symptom, RULES[name].harm), chinese, strict=True):
            a, b = (set(re.findall(r"\d+(?:\.\d+)?", said)) for said in (english, other))
            assert a == b, f"{name}: {english} | {other}"


def test_the_valley_is_drawn_from_the_tutorials_numbers():
    drawn = (DOCS / "valley.svg").read_text(encoding="utf-8")
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    ends = re.findall(r"from w = ([\d.]+): w = (-?[\d.]+), loss", text)
    assert len(ends) == 3
    for start, end in ends:
        assert f"from {start} to {float(end):.2f}" in drawn


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_fetches_nothing(path):
    assert re.findall(r"url\([\"']?https?:[^)]*|href=[\"']https?:[^\"']*", path.read_text(encoding="utf-8")) == []


# --- links and headings ----------------------------------------------------------------------------------------------


def prose(path):
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def slug(heading):
    """The anchor of a heading, as the site's extensions make it."""
    stated = re.search(r"\{: *#([\w-]+) *\}", heading)
    if stated:
        return stated[1]
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[\s]", "-", re.sub(r"[^\w\- ]", "", text).strip().lower())


def headings(path):
    return re.findall(r"^#+ +(.*)$", prose(path), re.MULTILINE)


def test_links_and_anchors_of_the_site_lead_somewhere(site):
    missing, seen = [], 0
    anchors = {path: {slug(heading) for heading in headings(path)} for path in site.rglob("*.md")}
    for path in anchors:
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(path))):
            if "://" in link:
                continue
            seen += 1
            file, _, place = link.partition("#")
            aim = (path.parent / file).resolve() if file else path
            if not aim.exists() or (place and place not in anchors[aim]):
                missing.append(f"{path.name}: {link}")
    assert missing == []
    assert seen > 500


def test_links_of_the_repository_lead_somewhere_as_it_stands():
    """A reader of the repository has no site: what `make docs` generates isn't there."""
    pages = [*ROOT.glob("*.md"), *SOURCES]
    missing, seen = [], 0
    for path in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(path))):
            if re.match(r"[a-z]+:", link):
                continue
            seen += 1
            file, _, place = link.partition("#")
            aim = (path.parent / file).resolve() if file else path
            anchors = {slug(heading) for heading in headings(aim)} if aim.suffix == ".md" and aim.exists() else {place}
            if not aim.exists() or (place and place not in anchors):
                missing.append(f"{path.name}: {link}")
    assert missing == []
    assert seen > 250


def test_a_link_into_the_package_leads_to_its_page_on_the_site(site):
    guide = (site / "guides" / "images.md").read_text(encoding="utf-8")
    assert "](../layers.md#residual)" in guide
    assert "](../schedules.md#onecycle)" in guide
    assert "thalweg/layers" not in prose(site / "guides" / "images.md")
    assert "](reference.md)" in (site / "index.md").read_text(encoding="utf-8")
    assert "](map.zh.md)" in (site / "index.zh.md").read_text(encoding="utf-8")
    places = load(DOCS / "reference" / "places.py")
    for aim, page in places.PAGES.items():
        assert (ROOT / aim).exists(), aim
        assert (site / page).exists(), page
    shown = "see ![a](map.svg), [b](map.svg), [c](https://x.org/thalweg/layers), [d](#here), [e](../../thalweg/cli)"
    assert places.on_the_site(shown, DOCS / "guides" / "x.md") == shown.replace("../../thalweg/cli", "../options.md")
    assert places.on_the_site("[b](map.svg) ![a](map.svg)", DOCS / "x.md") == "[b](map.md) ![a](map.svg)"


@pytest.mark.parametrize(("language", "name"), [("en", "map.svg"), ("zh", "map.zh.svg")])
def test_the_repositorys_map_is_drawn_from_the_same_boxes(language, name):
    drawn = (DOCS / name).read_text(encoding="utf-8")
    assert drawn == load(DOCS / "reference" / "mindmap.py").alone(language)
    assert "href" not in drawn


def test_no_heading_twice_no_word_twice_nothing_empty(site):
    for path in site.rglob("*.md"):
        found = headings(path)
        assert found, path.name
        anchors = [slug(heading) for heading in found]
        assert len(set(anchors)) == len(anchors), f"{path.name}: {sorted(a for a in anchors if anchors.count(a) > 1)}"
        for heading in found:
            words = re.sub(r"\{:.*", "", heading).lower().split()
            assert all(a != b for a, b in itertools.pairwise(words)), f"{path.name}: {heading}"
        assert "| | |" not in prose(path).replace("|  |", "| |").split("\n|---")[0], path.name
        text = re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8"))
        assert not re.search(r"^(#+) .*\n+\1 ", FENCE.sub("block", text), re.MULTILINE), f"{path.name}: nothing below"


def test_tables_of_the_reference_have_headers(site):
    for path in site.glob("*.md"):
        for header in re.findall(r"^\|(.*)\|\n\|[-|: ]+\|$", path.read_text(encoding="utf-8"), re.MULTILINE):
            cells = [cell.strip() for cell in header.split("|")]
            if path.name in GENERATED:
                assert all(cells), f"{path.name}: {header}"


GENERATED = {
    f"{name}.md"
    for name in (
        "options",
        "functions",
        "models",
        "results",
        "layers",
        "activations",
        "losses",
        "optimizers",
        "schedules",
    )
}
GENERATED |= {
    f"{name}.md" for name in ("initializers", "regularizers", "constraints", "metrics", "callbacks", "estimators")
}


def test_every_page_is_in_the_navigation(site):
    class Loader(yaml.SafeLoader):
        """mkdocs.yml names a function of pymdownx."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)

    def pages(nav):
        if isinstance(nav, str):
            return [nav]
        return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in pages(part)]

    named = pages(settings["nav"])
    assert len(named) == len(set(named))
    written = {path.relative_to(site).as_posix() for path in site.rglob("*.md")}
    assert set(named) | {settings["not_in_nav"]} == written
    assert settings["theme"]["font"] is False
    polyfill = site / settings["extra"]["polyfills"][0]
    assert polyfill.exists()


def test_every_command_is_shown_and_has_its_options(site):
    commands = load(DOCS / "reference" / "commands.py").commands()
    guide, options = ((site / name).read_text(encoding="utf-8") for name in ("command-line.md", "options.md"))
    for name, command in commands.items():
        assert re.search(rf"thalweg {name}\b", guide), name
        for parameter in command.params:
            for option in parameter.opts:
                assert parameter.name == "help" or not option.startswith("--") or f"`{option}`" in options


def test_every_function_is_in_a_table(site):
    text = (site / "functions.md").read_text(encoding="utf-8")
    for module in (ops, random, utils, saving, datasets):
        for name in module.__all__:
            row = re.search(rf"^\| .*`{module.__name__.rpartition('.')[2]}\.{name}\b.* \| (.+) \|$", text, re.MULTILINE)
            assert row, name


def test_what_calls_return_is_told_with_its_methods(site):
    text = (site / "results.md").read_text(encoding="utf-8")
    assert "- `.weights_at(k)`: The weights" in text
    assert "- `Recording.load(path)`: Reads" in text
    assert "- `.ranked()`: " in text
    assert "Recording(\n" not in text  # `fit` makes it, not a user


def test_every_entry_of_the_reference_has_its_place_and_picture(site):
    generate = sys.modules["generate"]
    for section in generate.sections():
        text = (site / f"{section.name}.md").read_text(encoding="utf-8")
        for name in section.things:
            shown = name.replace("Model.", "model.")
            assert re.search(rf"^## {re.escape(shown)}\b.*{{: #{generate.anchor(name)} }}$", text, re.MULTILINE), name
            assert f"](#{generate.anchor(name)})" in text
        for picture in re.findall(r"!\[\w+\]\((.+?)\)", text):
            assert (site / picture).read_text(encoding="utf-8").startswith("<?xml")
    drawn = [path for path in site.glob("*.svg") if "-" in path.name]
    assert len(drawn) >= len(activations.NAMES) + len(losses.CLASSES)
    assert "`W ~ U ±√(6/(fan_in + fan_out))`" in (site / "initializers.md").read_text(encoding="utf-8")


def test_every_lesson_and_preset_is_told_in_both_languages():
    play = ROOT / "thalweg" / "views" / "web" / "play"
    for page in ("live-page.md", "live-page.zh.md"):
        named = re.findall(r"^\| `([\w-]+)` \|", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)
        wanted = [json.loads((play / f"{which}.json").read_text(encoding="utf-8")) for which in ("lessons", "presets")]
        assert named == [scene["id"] for scenes in wanted for scene in scenes]


# --- the map ---------------------------------------------------------------------------------------------------------


MAP = scenes("map")
KNOBS = ["initial_weights", "activation", "loss", "learning_rate"]


def test_the_map_goes_from_the_data_to_the_decision_and_round():
    ids = [node["id"] for node in MAP["nodes"]]
    arrows = {(edge["start"], edge["end"]) for edge in MAP["edges"]}
    assert [node["id"] for node in MAP["nodes"] if node["kind"] == "knob"] == KNOBS
    way = ["data", "forward", "activation", "loss", "gradient_descent", "update", "trained_network", "decision"]
    assert arrows >= set(itertools.pairwise(way)) | {("update", "forward")}
    assert {end for arrow in arrows for end in arrow} == set(ids)
    for node in MAP["nodes"]:
        for which in ("title", "text"):
            assert node[which]["en"]
            assert re.search("[\u4e00-\u9fff]", node[which]["zh"])


def test_the_maps_instructions_are_those_of_the_tutorials_network():
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    listing = re.search(r"```text\n(#  instruction.*?)```", text, re.DOTALL)[1]
    named = [node["instruction"] for node in MAP["nodes"] if node["instruction"]]
    assert len(named) == 6
    for name in named:
        assert re.search(rf"^\d+ +{re.escape(name)}  ", listing, re.MULTILINE), name


@pytest.mark.parametrize("shape", ["wide", "tall"])
def test_no_boxes_of_the_map_overlap_and_all_are_inside(shape):
    (w, h), (width, height) = MAP["box"], MAP["sizes"][shape]
    for a, b in itertools.combinations(MAP["nodes"], 2):
        assert abs(a[shape][0] - b[shape][0]) >= w or abs(a[shape][1] - b[shape][1]) >= h, (a["id"], b["id"])
    for node in MAP["nodes"]:
        x, y = node[shape]
        assert w / 2 <= x <= width - w / 2
        assert h / 2 <= y <= height - h / 2


def test_the_maps_pages_link_to_page_instruction_and_code(site):
    for name in ("map.md", "map.zh.md"):
        text = (site / name).read_text(encoding="utf-8")
        for node in MAP["nodes"]:
            assert text.count(f'href="#{node["id"]}"') == 2  # in the wide and in the tall drawing
            assert f"](code.md#{node['id']})" in text
    code = (site / "code.md").read_text(encoding="utf-8")
    assert "class Affine(" in code
    assert "def predict(" in code
