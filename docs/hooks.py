"""What mkdocs calls: Chinese pages say that they are, so that browsers choose Taiwan's glyphs."""

from typing import Any


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The page's HTML with its language."""
    if not page.file.src_uri.endswith(".zh.md"):
        return output
    changed = output.replace('<html lang="en"', '<html lang="zh-Hant"', 1)
    assert changed != output, "the theme writes the language of a page in another way"
    return changed
