"""The words of Traditional Chinese that are chosen here, what is found in their place, English that is left, and which
Chinese was read beside its English.

As a program, it shows what of the catalogue nobody has read yet, with a fingerprint for each, and notes those whose
fingerprints it is given as read: python tests/tables/chinese_words.py [FINGERPRINT …]
"""

import re
import sys
from hashlib import blake2b
from pathlib import Path

from thalweg.support.printing import lasting_streams

READ = Path(__file__).with_name("chinese_read.txt")
"""A fingerprint of every sentence of the catalogue together with its Chinese, as it was when somebody read both."""

CHINESE = "[\u4e00-\u9fff]"
OTHER_WORDS = {  # pattern → the word chosen
    "函式(?!庫)": "函數",
    "(激活|啟用|活化)函數|激活": "激勵函數",
    "缺失": "遺漏",
    "保存": "儲存",
    "偏置": "偏差",
    "神經元": "單元",
    "回合": "輪",
    "過擬合": "過度擬合",
    "分佈": "分布",
    "似然": "概似",
    "合頁": "鉸鏈",
    "多類(?!別)": "多類別",
    "評價": "評估",
    "預設網路": "內建網路",
    "優化器|最佳化器": "最佳化方法",
    "丟棄": "隨機失活",
    "運算核心|核心程式|核心函[式數]": "計算核心",
    "激勵前": "預激勵",
    f"{CHINESE} ?epoch": "輪",
    f"{CHINESE} ?batch|batch ?{CHINESE}": "批次",
    rf"{CHINESE}\(": "（）",
}
SENTENCE = re.compile(r"\b[a-z]{2,}(?:[ ,;:]+[a-z]{2,})+")  # or a part of one
CODE = re.compile(r"--[a-z-]+( [a-z.\d]+)?|thalweg [a-z]+|[a-z_.]+\([^)]*\)|mean \|")


def is_english(text, names=()):
    """Whether words of an English sentence are in a text, other than in names, commands and formulas."""
    bare = CODE.sub("", text)
    for name in names:
        bare = bare.replace(name, "")
    return bool(SENTENCE.search(bare))


def faults(text):
    """The words that aren't the chosen ones; addresses are left out."""
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return [f"{found[0]} → {word}" for other, word in OTHER_WORDS.items() for found in re.finditer(other, text)]


def fingerprint(context, english, chinese):
    """Of a sentence and its translation: it says neither, but no other pair has it."""
    return blake2b("\0".join((context, english, chinese)).encode(), digest_size=4).hexdigest()


def known():
    """The fingerprints of what was read."""
    return set(READ.read_text(encoding="utf-8").split())


def unread(entries, read):
    """The sentences whose Chinese isn't the one that was read beside them, by their fingerprints."""
    found = {fingerprint(*key, chinese): key for key, chinese in entries.items()}
    return {mark: key for mark, key in found.items() if mark not in read}


def main(now):
    from thalweg.words.translations import catalogue

    entries = {key: chinese for key, chinese in catalogue("zh").items() if chinese}
    for mark, key in unread(entries, known() | {*now}).items():
        print(f"{mark}  {key[1]}\n          {entries[key]}\n")
    there = {fingerprint(*key, chinese) for key, chinese in entries.items()}
    READ.write_text("\n".join(sorted((known() | {*now}) & there)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main(sys.argv[1:])
