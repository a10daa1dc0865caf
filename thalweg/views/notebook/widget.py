"""The widget that shows figures in a notebook: anywidget with the page's own modules."""

from __future__ import annotations

from functools import cache
from typing import Any

from thalweg.support.extras import need


@cache
def widget_class() -> Any:
    """The class, which exists once anywidget is loaded."""
    need("anywidget", "notebook", "a live figure")
    import anywidget
    import traitlets

    from thalweg.views.web.bundle import bundle, styles

    class FigureWidget(anywidget.AnyWidget):
        """Figures, as bytes by `thalweg.views.web.encoding.encode`; they are drawn again whenever these change."""

        _esm = bundle("widget.js", module=True)
        _css = styles()
        figure = traitlets.Bytes(b"").tag(sync=True)
        language = traitlets.Unicode("en").tag(sync=True)

    return FigureWidget


def make_widget(figure: bytes) -> Any:
    """A widget that shows these figures."""
    return widget_class()(figure=figure)
