"""`thalweg play`: the live page, on this machine."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from thalweg.cli.options import TABLES, FileFormat, grouped
from thalweg.errors import ArgumentError
from thalweg.support.files import sweep


@grouped
def play(
    source: Annotated[
        str | None, Argument(help=f"what to learn from: {TABLES}; the page has data of its own, too")
    ] = None,
    *,
    file_format: FileFormat,
    lesson: Annotated[str | None, Option(help="begins with a lesson, such as one-row")] = None,
    preset: Annotated[str | None, Option(help="begins with a preset, such as dead-relus")] = None,
    port: Annotated[int, Option(help="where it listens; 0 is a free one")] = 0,
    host: Annotated[
        str | None, Option(help="opens the page to a class, at this address of this machine; 0.0.0.0 is all of them")
    ] = None,
    pupils: Annotated[int | None, Option(help="with --host: as many may take part; 40 by default")] = None,
    no_open: Annotated[bool, Option("--no-open", help="doesn't open the browser")] = False,
    static: Annotated[
        Path | None,
        Option(help="writes the page for any web server into this folder, or as one FILE.html, instead of opening it"),
    ] = None,
) -> None:
    """Opens the live page: a network that the browser trains while one watches."""
    if static is not None:
        given = (source, lesson, preset, port, host, pupils, no_open, file_format)
        if given != (None, None, None, 0, None, None, False, FileFormat()):
            raise ArgumentError("--static stands alone: a page begins with a lesson by its address, ?lesson=one-row")
        write_static(static)
        return
    from thalweg.play import scenes
    from thalweg.play.apart import busy
    from thalweg.play.bounds import PUPILS
    from thalweg.play.classroom import Classroom, typed_token
    from thalweg.play.page_table import PageTable
    from thalweg.play.pages.server import HOST, Site, check_installed, listening, serve

    check_installed()
    if sum(given is not None for given in (source, lesson, preset)) > 1:
        raise ArgumentError("give one of SOURCE, --lesson and --preset: each is what the page begins with")
    if pupils is not None and (host is None or pupils < 1):
        raise ArgumentError("--pupils is a number from 1, of a class: give it with --host")
    states = scenes.initial(lesson, preset, source is not None)
    if source is None and file_format != FileFormat():
        raise ArgumentError("--encoding, --sheet and --quote say how SOURCE is read: give one")
    table = None if source is None else PageTable.of_source(source, **asdict(file_format))
    sweep()
    at = listening(port, host or HOST)
    site = Site(at.getsockname()[1], table, states, lesson, preset)
    if host is not None:
        site.host, site.token, site.classroom = host, typed_token(), Classroom(pupils or PUPILS)

    def started(stop: Callable[[], None]) -> None:
        print(site.address)
        if site.classroom is None:
            print("open this address; Ctrl-C ends the server", flush=True)
        else:
            print(f"{site.list_address}\nthe first address is for the pupils, the second, with the list of what they")
            print("have done, for you alone; Ctrl-C ends the class", flush=True)
        if not no_open:
            open_browser(site.address if site.classroom is None else site.list_address)

    serve(site, at, started)
    if busy():  # compiled code that a thread is in would abort when the interpreter takes itself apart
        sys.stdout.flush()
        os._exit(0)


def write_static(place: Path) -> None:
    """Writes the page without a server, and says how large it is and how to look at it."""
    from thalweg.play.pages.site import write_file, write_site

    if place.suffix.lower() in (".html", ".htm"):
        print(f"{place}: {write_file(place) / 1000:,.0f} kB; open it in a browser")
        return
    sizes = write_site(place)
    for name, (plain, packed) in sizes.items():
        print(f"{name:20}{plain / 1000:10,.1f} kB{packed / 1000:10,.1f} kB packed")
    plain, packed = (sum(column) for column in zip(*sizes.values(), strict=True))
    print(f"{'':20}{plain / 1000:10,.1f} kB{packed / 1000:10,.1f} kB packed")
    print(f"to look at it: python -m http.server --directory {shlex.quote(str(place))}")


def open_browser(address: str) -> None:
    """Opens the page in the browser, if this machine has one with windows; a browser in the terminal would take it."""
    import webbrowser

    windows = sys.platform in ("win32", "darwin") or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
    if windows:
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
