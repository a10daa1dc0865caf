"""Links that lead somewhere in the repository as well as on the site.

The texts of docs/ link to what the repository holds: `../thalweg/layers/containers.py#residual`, `map.svg`. Of these,
the site has pages that are made from the code, and there the same link leads to them: `layers.md#residual`, `map.md`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {  # what a link in the repository leads to: the page that the site has instead
    "docs/map.svg": "map.md",
    "docs/map.zh.svg": "map.zh.md",
    "docs/play.png": "play.html",
    "thalweg/activations": "activations.md",
    "thalweg/callbacks": "callbacks.md",
    "thalweg/cli": "options.md",
    "thalweg/initializers": "initializers.md",
    "thalweg/layers": "layers.md",
    "thalweg/losses": "losses.md",
    "thalweg/models": "models.md",
    "thalweg/schedules.py": "schedules.md",
    "thalweg/sklearn": "estimators.md",
    "thalweg/views/web/play/lessons.json": "worksheet.md",
    "thalweg/words/zh.po": "worksheet.zh.md",
    "thalweg": "reference.md",
}
_LINK = re.compile(r"(?<!!)(\[[^\]]*\]\()([^)\s#:]+)")


def on_the_site(text: str, source: Path) -> str:
    """The Markdown of `source`, a file of docs/, with links to the site's own pages."""

    def placed(link: re.Match[str]) -> str:
        aim = (source.parent / link[2]).resolve()
        for path in (aim, *aim.parents):
            page = PAGES.get(os.path.relpath(path, ROOT).replace(os.sep, "/"))
            if page is not None:
                return link[1] + os.path.relpath(ROOT / "docs" / page, source.parent).replace(os.sep, "/")
        return link[0]

    return _LINK.sub(placed, text)
