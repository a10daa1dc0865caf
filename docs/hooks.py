"""What mkdocs calls: Chinese pages say that they are Chinese, and their lines join without a gap."""

import re
from typing import Any

CHINESE = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
BREAK = re.compile(rf"(?<={CHINESE})\n[ ]*(?={CHINESE})")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page's text without line breaks between Chinese signs, which HTML would show as spaces."""
    pieces = re.split(r"(^```.*?^```)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(piece if n % 2 else BREAK.sub("", piece) for n, piece in enumerate(pieces))


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The page's HTML with its language."""
    if not page.file.src_uri.endswith(".zh.md"):
        return output
    changed = output.replace('<html lang="en"', '<html lang="zh-Hant"', 1)
    assert changed != output, "the theme writes the language of a page in another way"
    return changed
