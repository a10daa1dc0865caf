"""The command line: parses, calls `thalweg.runs`, prints. `thalweg --help` lists the commands.

Exit codes: 0 done, 1 the data or the training failed, 2 the call was wrong, 130 interrupted. A training ended by
Ctrl-C is kept: 0. Output that nobody reads any more is no error; one that couldn't be written is 1, after the work.
"""

from __future__ import annotations

import ast
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from thalweg.cli.console import in_options
from thalweg.cli.doing import doing
from thalweg.errors import BadRowsError, ThalwegError, ThalwegWarning
from thalweg.support.interrupts import ended_as_by_ctrl_c
from thalweg.support.printing import lasting_streams
from thalweg.support.progress import told
from thalweg.support.untrusted import VARIABLE
from thalweg.version import __version__

INTERRUPTED = 130
HOMES = {
    "train": "thalweg.cli.train", "evaluate": "thalweg.cli.apply", "predict": "thalweg.cli.apply",
    "report": "thalweg.cli.report_page", "compare": "thalweg.cli.compare", "tune": "thalweg.cli.tune",
    "inspect": "thalweg.cli.inspect_run", "trace": "thalweg.cli.trace", "export": "thalweg.cli.export",
    "import": "thalweg.cli.import_model", "serve": "thalweg.cli.serve", "play": "thalweg.cli.play",
    "filters": "thalweg.cli.pictures", "features": "thalweg.cli.pictures",
}  # fmt: skip
"""The commands in the order in which they are listed, and the module of each."""


def function_of(name: str) -> str:
    """The name of a command's function: "import" itself is Python's."""
    return f"{name}_" if iskeyword(name) else name


def command(name: str) -> Any:
    """A command with its arguments and options, from its module."""
    from thalweg.cli.options import Command

    alone = typer.Typer(add_completion=False)
    alone.command(name, cls=Command)(getattr(import_module(HOMES[name]), function_of(name)))
    return typer.main.get_command(alone)


def docstring(name: str) -> str:
    """What a command does, read in its source: to import all of them takes longer than to print a help should."""
    spec: Any = find_spec(HOMES[name])
    module = ast.parse(spec.loader.get_source(HOMES[name]))
    functions = [part for part in module.body if isinstance(part, ast.FunctionDef)]
    (function,) = (part for part in functions if part.name == function_of(name))
    return ast.get_docstring(function) or ""


class Commands(TyperGroup):
    """The commands by their names, listed with their docstrings; of them only the one that is called is imported."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        for name, listed in self.commands.items():
            listed.help = docstring(name)
        super().format_help(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and command(name), rest


app = typer.Typer(
    cls=Commands,
    help="Train, judge and use neural networks on tables and images.",
    epilog=f"{VARIABLE}=8000000000 lets a file unpack to that many bytes; by default 2 GiB, or ten times its size.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def version(asked: bool) -> None:
    """Prints the version and ends."""
    if asked:
        print(f"thalweg {__version__}")
        raise typer.Exit


@app.callback()
def common(
    show: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="the version, and nothing else")
    ] = False,
) -> None:
    """Train, judge and use neural networks on tables and images."""


for name in HOMES:
    app.command(name)(lambda: None)


def note(message: Warning | str, category: type[Warning], *where: object, **other: object) -> None:
    """Prints a warning as one line; another package's with its kind."""
    kind = "" if issubclass(category, ThalwegWarning) else f"{category.__name__}: "
    print(f"note: {kind}{message}", file=sys.stderr)


def main() -> None:
    """The entry point: whatever becomes of the terminal, a command does its work."""
    warnings.showwarning = note  # the place in the code is of no use here
    with lasting_streams() as output, ended_as_by_ctrl_c():
        try:
            run()
        except SystemExit as end:
            output.flush()
            if output.lost:
                print(f"thalweg: not all of the output could be written: {output.lost}", file=sys.stderr)
                sys.exit(end.code or 1)
            raise


def run() -> None:
    """Runs the command, and exits; an error becomes one line."""
    try:
        with told(doing):
            app(prog_name="thalweg")
    except ThalwegError as error:
        hint = "; --skip-bad leaves them out" if isinstance(error, BadRowsError) else ""
        print(f"thalweg: {in_options(str(error))}{hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # such as a file that may not be read, or a full disk
        print(f"thalweg: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except MemoryError:
        print("thalweg: there is not enough memory: give a smaller network, batch or source", file=sys.stderr)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer ends without a word
            print("thalweg: interrupted", file=sys.stderr)
        raise
