"""Where a live figure appears: the output of a cell in Jupyter (also VS Code's and Colab's), or in marimo."""

from __future__ import annotations

import sys
import threading
import uuid
from abc import ABC, abstractmethod
from typing import Any

from thalweg.support.jupyter import cell

PICTURE, TEXT = "image/svg+xml", "text/plain"


class Screen(ABC):
    """Base of the outputs of a running cell."""

    @abstractmethod
    def show(self, widget: Any) -> None:
        """Shows a widget."""

    @abstractmethod
    def leave(self, picture: str | None, text: str, instead: bool) -> None:
        """Leaves a picture (SVG), or a text where there is none; `instead`: of the widget that was shown."""


class JupyterScreen(Screen):
    """One display with an id, which is updated and never cleared, so that nothing flickers.

    The picture is an image/svg+xml, which every viewer of saved notebooks shows.
    """

    def __init__(self) -> None:
        import IPython.display

        self.display: Any = IPython.display
        self.id = uuid.uuid4().hex

    def show(self, widget: Any) -> None:
        self.display.display(widget, display_id=self.id)

    def leave(self, picture: str | None, text: str, instead: bool) -> None:
        data = {TEXT: text} if picture is None else {PICTURE: picture, TEXT: text}
        self.display.publish_display_data(data, transient={"display_id": self.id}, update=instead)


class MarimoScreen(Screen):
    """marimo's output of the cell, which a value at the cell's end replaces."""

    def __init__(self) -> None:
        self.marimo: Any = sys.modules["marimo"]

    def show(self, widget: Any) -> None:
        self.marimo.output.replace(widget)

    def leave(self, picture: str | None, text: str, instead: bool) -> None:
        made = self.marimo.plain_text(text) if picture is None else self.marimo.Html(picture)
        (self.marimo.output.replace if instead else self.marimo.output.append)(made)


def screen() -> Screen | None:
    """The output of the running cell; None outside of a notebook.

    Where printed lines go elsewhere than into the cell (a redirected output, a thread of the user's), there is none.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    if cell() is not None and hasattr(sys.stdout, "parent_header"):
        return JupyterScreen()
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook() and type(sys.stdout).__module__.startswith("marimo"):
        return MarimoScreen()
    return None
