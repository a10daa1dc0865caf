"""What mkdocs calls: Chinese pages are Chinese in the theme's words too, and their lines join without a gap."""

import re
from typing import Any

CHINESE = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
MARK = "[\u3000-\u303f\uff00-\uffef]"  # 。，「 and the like, which bring their own space
BREAK = re.compile(
    rf"(?<={CHINESE})\n[ ]*(?={CHINESE})|(?<={MARK})\n[ ]*(?=[A-Za-z`\[])|(?<={CHINESE})\n[ ]*(?=\[{CHINESE})"
)
WORDS = {  # what the theme writes, and what stands in its place on a Chinese page
    ">Search<": ">搜尋<",
    'placeholder="Search"': 'placeholder="搜尋"',
    "Table of contents": "目錄",
    "Back to top": "回到頂端",
    "Skip to content": "跳到內容",
    "Previous": "上一頁",
    "Next": "下一頁",
    'title="Permanent link"': 'title="連結到這裡"',
    'aria-label="Dark"': 'aria-label="深色"',
    'title="Dark"': 'title="深色"',
    'aria-label="Light"': 'aria-label="淺色"',
    'title="Light"': 'title="淺色"',
    "Copy to clipboard": "複製",
    "Copied to clipboard": "已複製",
    "No matching documents": "找不到",
    "1 matching document": "找到 1 頁",
    "# matching documents": "找到 # 頁",
    "Type to start searching": "輸入文字開始搜尋",
    "Initializing search": "準備搜尋",
}


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page's text without line breaks between Chinese signs, which HTML would show as spaces."""
    pieces = re.split(r"(^```.*?^```)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(piece if n % 2 else BREAK.sub("", piece) for n, piece in enumerate(pieces))


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The page's HTML with its language, in the head and in the words of the theme around the text."""
    if not page.file.src_uri.endswith(".zh.md"):
        return output
    changed = output.replace('<html lang="en"', '<html lang="zh-Hant"', 1)
    assert changed != output, "the theme writes the language of a page in another way"
    before, article, rest = changed.partition("<article")
    text, end, after = rest.partition("</article>")
    text = text.replace('title="Permanent link"', WORDS['title="Permanent link"'])
    for english, chinese in WORDS.items():
        before, after = before.replace(english, chinese), after.replace(english, chinese)
    return f"{before}{article}{text}{end}{after}"
