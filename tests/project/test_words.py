"""The catalogue of words: all that users read is in it, translated, and Chinese stands nowhere else in the package."""

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from chinese_words import faults, fingerprint, known, unread

pytest.importorskip("matplotlib")  # the reference pages draw with it, and their words are among the sentences
from sentences import PO, ROOT, fields, formats, in_python, modules, sentences, written

from thalweg.views.web.wording import SAID, SPEAKERS
from thalweg.words.translations import catalogue, read

CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
READERS = {  # they hold Chinese that they read: dates, units, names of columns, gaps; or, in tests, letters
    *(f"data/notations/{name}.py" for name in ("calendars", "letters", "patterns", "quantities")),
    *(f"data/{name}.py" for name in ("dates", "numerals", "reading", "tables")),
    "export/numpy_cells.py",
    "export/spellings.py",
    "runs/suspicions.py",
    "support/printing.py",
}
DYNAMIC = {
    *(
        "doctor/finding.py",
        "doctor/rule.py",
        "play/refusal.py",
        "play/pages/thalweg_as_json.py",
        "views/report/subject.py",
    ),
    "views/web/wording.py",
}
"""Where sentences are said whose English comes from elsewhere, and is collected there."""
LINES = catalogue("zh")
ENTRIES = {key: chinese for key, chinese in LINES.items() if chinese}
SAID_BY_ALL = sentences()


def holding_chinese():
    """Lines with Chinese, by file of the package."""
    counts = Counter()
    for path in sorted(ROOT.rglob("*")):
        if (
            path.suffix in (".py", ".js", ".json", ".css", ".html", ".ts", ".po", ".md")
            and "vendor" not in path.relative_to(ROOT).parts
        ):
            lines = path.read_text(encoding="utf-8").splitlines()
            counts[path.relative_to(ROOT).as_posix()] = sum(bool(CHINESE.search(line)) for line in lines)
    return +counts


def test_chinese_stands_in_the_catalogue_alone():
    found = set(holding_chinese())
    assert found - READERS == {"words/zh.po"}, "write English there, and Chinese in thalweg/words/zh.po"
    assert found >= READERS, "no longer with Chinese: take it out of READERS"


def test_the_catalogue_has_the_sentences_that_are_said():
    assert LINES.keys() == SAID_BY_ALL, "python tests/tables/sentences.py adds them, and takes out the others"


def test_every_sentence_is_translated(before_release):
    before_release("wait for Chinese", sorted(english for _, english in LINES.keys() - ENTRIES.keys()))


def test_both_languages_take_the_same_values():
    for (_, english), chinese in ENTRIES.items():
        assert formats(english) == formats(chinese), english


def test_numbers_below_0_have_one_sign():
    hyphens = [chinese for chinese in ENTRIES.values() if re.search(r"(?<![\w()*\-])-\d", chinese)]
    assert hyphens == [], "the field's sign, −"


def test_sentences_get_the_values_that_they_name():
    for name, text in modules("*.py").items():
        for _, english, values in in_python(text):
            if english is None:
                assert name in DYNAMIC, f"{name}: a sentence that can't be collected: write it where it is said"
            else:
                assert fields(english) <= values, f"{name}: {english}"


def test_pages_say_literals():
    for name, text in modules("*.js").items():
        own = SPEAKERS if "/worker/" in name or "/engine/" in name else "word"
        calls = re.findall(rf"\b(?:wordIn|{own})\(", text)
        defines = name in ("views/web/words.js", "views/web/worker/sentences.js")
        assert defines or len(calls) == len(SAID.findall(text)), f"{name}: word() takes a literal"


def test_one_chinese_word_for_a_thing():
    assert [fault for chinese in ENTRIES.values() for fault in faults(chinese)] == []


def test_all_chinese_was_read_beside_its_english(before_release):
    told = "python tests/tables/chinese_words.py shows them, and notes those whose fingerprints it is given"
    assert known() <= {fingerprint(*key, chinese) for key, chinese in ENTRIES.items()}, told
    before_release(f"wait for whoever reads Chinese: {told}", sorted(unread(ENTRIES, known()).values()))


def test_two_sentences_that_have_been_swapped_are_found():
    keys = [key for key in ENTRIES if not formats(key[1])]
    pairs = [(one, other) for one, other in pairwise(keys) if ENTRIES[one] != ENTRIES[other]]
    assert len(pairs) > 1000
    read = known()
    for one, other in pairs:
        swapped = {one: ENTRIES[other], other: ENTRIES[one]}
        assert [formats(english) for _, english in swapped] == [formats(chinese) for chinese in swapped.values()]
        assert {*unread(swapped, read).values()} == {one, other}


def test_the_file_is_as_the_tool_writes_it():
    assert PO.read_text(encoding="utf-8") == written(LINES)


def test_translators_tools_read_the_same():
    pofile = pytest.importorskip("babel.messages.pofile")
    with PO.open("rb") as file:
        messages = {(m.context or "", m.id): m.string for m in pofile.read_po(file) if m.id}
    assert messages == LINES


def test_faults_would_be_found():
    assert list(in_python('words.text("{a} b", a=1)')) == [("", "{a} b", {"a"})]
    assert list(in_python('words.say("a" if b else "c", "en", context="d")')) == [("d", "a", set()), ("d", "c", set())]
    assert list(in_python("words.text(a)")) == [("", None, set())]
    assert list(in_python('words.Said("a {b}", b=1); RefusedError("c")')) == [("", "a {b}", {"b"}), ("", "c", set())]
    assert list(in_python('text("a"); DataError("b")')) == []
    assert fields("{a:,} {b!r}") == {"a", "b"}
    assert CHINESE.search("（")
    with pytest.raises(ValueError, match="line 4 of the catalogue"):
        read('msgid "a"\nmsgstr "b"\n\nmsgid a\n')
    with pytest.raises(ValueError, match="twice"):
        read('msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n')


if __name__ == "__main__":
    for name, lines in holding_chinese().most_common():
        print(f"{lines:5} {name}")


def test_a_package_behind_a_link_says_its_words(tmp_path):
    """As in an environment, or a home, that is one."""
    (tmp_path / "thalweg").symlink_to(ROOT, target_is_directory=True)
    code = (
        "from thalweg.views.web.page import page_html\n"
        "text = {'kind': 'text', 'title': 'A', 'paragraphs': ['a']}\n"
        "page_html({'title': 'A', 'language': 'zh', 'sections': [{'id': 'a', 'title': 'A', 'figures': [text]}]})\n"
        "from thalweg.play.scenes import WEB\n"
        "from thalweg.views.web.wording import MODULE\n"
        "print((WEB / 'catalogue.js').resolve() == MODULE)"
    )
    place = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=place, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
