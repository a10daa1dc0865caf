"""The options of the command line, declared once, in groups by what they configure."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
from typer import Argument, Option
from typer.core import TyperCommand

from thalweg.data.large_source import LargeSource
from thalweg.data.sources import QUOTE
from thalweg.data.tables import Table, read_table
from thalweg.errors import ArgumentError

T = TypeVar("T")

TABLES = "a table (CSV, TSV, Parquet, JSON, Excel, Arrow, a glob, a SQL query)"
SOURCES = f"{TABLES} or images (a folder of class folders, .npz, IDX)"
Source = Annotated[str, Argument(help=SOURCES)]
RunFolder = Annotated[Path, Argument(metavar="RUN", help="a run folder, as `thalweg train` writes it")]
SkipBad = Annotated[
    bool, Option("--skip-bad", help="leave out rows and pictures that can't be used; says how many, and why")
]
Invert = Annotated[
    bool, Option("--invert", help="images: dark for light and light for dark, as with ink on paper for white on black")
]
Fit = Annotated[
    str | None, Option(help="images: stretch, crop or pad (with black) other proportions; by default as in training")
]
Activation = Annotated[str, Option(help="of the hidden layers")]
Loss = Annotated[str | None, Option(help="by default cross-entropy for classes, mse for numbers")]
Optimizer = Annotated[str, Option(help="adam, sgd, …")]
Storage = Annotated[
    str | None,
    Option(
        metavar="FILE|URL",
        help="what keeps the trainings, so that other processes share them: a file, or a database such as "
        "postgresql://user@host/name; tune: by default a file beside the run",
    ),
]
Study = Annotated[str | None, Option(help="a name, in a database that holds several of these")]
Worker = Annotated[
    bool, Option("--worker", help="only helps the same command without this with its --storage, and writes nothing")
]
Memory = Annotated[
    str | None,
    Option(help="tables: the most memory, such as 500MB; rows are taken block by block, and a folder may be given"),
]
TestShare = Annotated[float, Option(help="share of the rows held out to judge by")]


@dataclass(frozen=True)
class FileFormat:
    """How the file of a table is read, if not as usual."""

    encoding: Annotated[
        str | None, Option(help="tables: of a text file that isn't UTF-8: cp950 (Big5), utf-16, gb18030, latin-1, …")
    ] = None
    sheet: Annotated[str | None, Option(help="tables: of a workbook, the sheet's name or number; the first")] = None

    quote: Annotated[
        str, Option(help="tables: what may stand around the cells of a CSV or TSV file; '' if quotes are text there")
    ] = QUOTE

    def read(
        self, source: str, text: Collection[str] = (), verbatim: Collection[str] = (), least_rows: int = 1
    ) -> Table:
        """The table; see `read_table`."""
        how: dict[str, Any] = {"text": text, "verbatim": verbatim, "least_rows": least_rows}
        return read_table(source, encoding=self.encoding, sheet=self.sheet, quote=self.quote, **how)

    def large(self, source: str, together: bool = True) -> LargeSource:
        """The same, for rows that may be larger than memory; see `LargeSource`."""
        return LargeSource.of(source, self.quote, self.encoding, self.sheet, together)


@dataclass(frozen=True)
class Columns:
    """How the columns of a table are used."""

    task: Annotated[str | None, Option(help="binary, multiclass or regression; follows from the target")] = None
    ignore: Annotated[list[str] | None, Option(help="a column not to use (repeat for more)")] = None
    category: Annotated[list[str] | None, Option(help="a column to take as categories, such as codes")] = None
    number: Annotated[
        list[str] | None, Option(help="a column to take as numbers; cells that are none count as missing")
    ] = None

    def lists(self) -> dict[str, tuple[str, ...]]:
        """The columns given, by their names in the options of a run."""
        return {
            "ignore": tuple(self.ignore or ()),
            "categories": tuple(self.category or ()),
            "numbers": tuple(self.number or ()),
        }


@dataclass(frozen=True)
class Rows:
    """How the rows of a table are told apart, and which are held out."""

    id: Annotated[str | None, Option(help="tables: a column that names rows; no input, predictions carry it")] = None
    group: Annotated[
        str | None, Option(help="tables: rows with the same value here are held out together; no input")
    ] = None
    time: Annotated[str | None, Option(help="tables: the latest rows by this column are held out; no input")] = None
    keep_time: Annotated[bool, Option("--keep-time", help="the --time column is an input too")] = False
    folds: Annotated[
        int | None, Option(help="tables: trains so many more times, on rows held out in turn, and says how scores vary")
    ] = None


@dataclass(frozen=True)
class Series:
    """How a series in time is continued."""

    horizon: Annotated[
        int | None,
        Option(help="series: continues --target by so many steps of --time, for each --group; a row for each value"),
    ] = None
    known: Annotated[
        list[str] | None, Option(help="series: a column known in advance, such as a price (repeat for more)")
    ] = None
    season: Annotated[int | None, Option(help="series: the period in steps; found if absent, 1 for none")] = None
    interval: Annotated[float, Option(help="series: how often the values are to lie in the interval")] = 0.8


@dataclass(frozen=True)
class Ensemble:
    """The networks for a table, and what they are to be good at."""

    quality: Annotated[
        str,
        Option(
            help="tables: fast (two networks), balanced (four) or best (eight, larger); with trees or a linear model"
        ),
    ] = "balanced"
    time_limit: Annotated[
        float | None,
        Option(help="tables, series: seconds for the whole command, at most; fewer rows or epochs if they have to be"),
    ] = None
    members: Annotated[int | None, Option(help="tables: how many networks; their predictions are averaged")] = None
    no_trees: Annotated[bool, Option("--no-trees", help="tables: networks alone")] = False
    metric: Annotated[
        str | None, Option(help="tables: what epochs are chosen by; log_loss, accuracy, auc …, rmse, mae …")
    ] = None


@dataclass(frozen=True)
class Large:
    """Where the rows of a table are that may be larger than memory."""

    memory: Annotated[
        str | None,
        Option(help="tables: the most memory, such as 500MB; rows are learned from a disk, and a folder may be given"),
    ] = None
    cache: Annotated[
        Path | None, Option(help="tables: a folder that keeps the rows, read and converted; goes on where it was ended")
    ] = None


@dataclass(frozen=True)
class Network:
    """What each network for a table is made of; by default as the quality has it."""

    layers: Annotated[str | None, Option(help="tables: units of the hidden layers, such as 64,64, or none")] = None
    activation: Annotated[str | None, Option(help="tables: of the hidden layers, such as relu")] = None
    initial_weights: Annotated[str | None, Option(help="tables: initializer of the hidden layers")] = None
    loss: Loss = None


@dataclass(frozen=True)
class Optimization:
    """The optimizer and its learning rate."""

    optimizer: Annotated[str | None, Option(help="adam, sgd, …; by default adam")] = None
    learning_rate: Annotated[
        float | None, Option(help="the highest of its course; by default as the quality has it, or the optimizer's own")
    ] = None
    schedule: Annotated[
        str,
        Option(help="images: cosine (the learning rate rises for a tenth of the steps, then falls to 0) or constant"),
    ] = "cosine"


@dataclass(frozen=True)
class Pictures:
    """The network for images, and how they are read and augmented."""

    model: Annotated[str, Option(help="images: convnet, resnet, simple, mlp, or a .yaml file with layers")] = "convnet"
    size: Annotated[str | None, Option(help="images: bring pictures to 64 (×64) or 48x64 pixels")] = None
    channels: Annotated[
        int | None, Option(help="images: 1 makes pictures grey, 3 coloured, 4 keeps transparency; else 1 or 3")
    ] = None
    fit: Annotated[
        str | None,
        Option(help="images: with --size, stretch (changes proportions; the default), crop or pad (with black)"),
    ] = None
    flip: Annotated[str | None, Option(help="images: mirror half of them, horizontal or vertical")] = None
    shift: Annotated[float, Option(help="images: move them by up to this share of their size")] = 0.0
    rotate: Annotated[float, Option(help="images: turn them by up to this share of a full turn")] = 0.0
    zoom: Annotated[float, Option(help="images: scale them by up to this share")] = 0.0
    contrast: Annotated[float, Option(help="images: change their contrast by up to this share")] = 0.0


@dataclass(frozen=True)
class Training:
    """How long, on which rows, and with which safeguards a network is trained."""

    batch_size: Annotated[
        int | None, Option(help="rows in a step; 256, for images 128, or fewer where they are few")
    ] = None
    epochs: Annotated[
        int | None,
        Option(help="passes over the training rows, at most; 16 or 32, for images 15, or more where they are few"),
    ] = None
    dropout: Annotated[float | None, Option(help="tables: share of hidden units dropped in training")] = None
    l2: Annotated[float | None, Option(help="tables: penalty on squared weights")] = None
    test_share: TestShare = 0.2
    validation_share: Annotated[
        float | None, Option(help="share of the other rows to choose the epoch by; an eighth, for images a tenth")
    ] = None
    early_stopping: Annotated[
        int | None,
        Option(help="epochs without improvement before it stops, 0: never; 1.5 times the best, for images 0"),
    ] = None
    class_weight: Annotated[
        str | None, Option(help="balanced, for rare classes that count as much as frequent ones")
    ] = None
    seed: Annotated[int | None, Option(help="fixes the split, the weights and the order; drawn if absent")] = None
    lanes: Annotated[int | None, Option(help="cores to use; by default as many as pay")] = None
    skip_bad: SkipBad = False


@dataclass(frozen=True)
class ComparedTraining:
    """The network that `compare` trains with each entry, and its training."""

    layers: Annotated[str, Option(help="units of the hidden layers, or none")] = "64,64"
    activation: Activation = "relu"
    initial_weights: Annotated[str, Option(help="initializer of the kernels")] = "glorot_uniform"
    loss: Loss = None
    optimizer: Optimizer = "adam"
    learning_rate: Annotated[float | None, Option(help="by default the optimizer's own")] = None
    batch_size: Annotated[int, Option(help="rows in a step")] = 64
    epochs: Annotated[int, Option(help="passes over the training rows")] = 20
    test_share: TestShare = 0.2
    lanes: Annotated[int | None, Option(help="trainings at a time; by default one a core")] = None
    skip_bad: SkipBad = False


FOR_TABLES = (
    "target",
    *(f.name for group in (FileFormat, Columns, Rows, Series, Ensemble, Large, Network) for f in fields(group)),
    "dropout",
    "l2",
)
OF_FILES = tuple(field.name for field in fields(FileFormat))
"""How a table's file is read."""
OF_PICTURES = ("invert", "fit")
"""How pictures are read."""
OF_SERIES = (
    "target", "encoding", "sheet", "quote", "group", "time", "time_limit", "members", "epochs", "seed",
    *(field.name for field in fields(Series)),
)  # fmt: skip
"""What a training on series takes besides the source."""
NOT_FOR_SERIES = tuple(
    field.name
    for group in (Columns, Rows, Ensemble, Large, Network, Optimization, Pictures, Training)
    for field in fields(group)
    if field.name not in OF_SERIES
)
FOR_IMAGES = ("schedule", "fast_sums", *(field.name for field in fields(Pictures)))


class Command(TyperCommand):
    """A command that refuses an option given twice, where Typer would drop the first value without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        *_, order = self.make_parser(ctx).parse_args(list(args))
        for parameter, count in Counter(order).items():
            single = parameter.param_type_name == "option" and not parameter.multiple
            if count > 1 and single and not getattr(parameter, "is_flag", False):
                raise ArgumentError(f"{parameter.opts[0]} is given {count} times, and takes one value")
        return super().parse_args(ctx, args)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Turns a command that takes options in groups into one for typer, which wants a parameter for each option.

    Each parameter that is a dataclass is replaced by its fields; the command is called with a dataclass made of them.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if is_dataclass(parameter.annotation):
            groups[name] = parameter.annotation
            hints = get_type_hints(parameter.annotation, include_extras=True)
            parameters += [option(field.name, hints[field.name], field.default) for field in fields(groups[name])]
        else:
            parameters.append(option(name, parameter.annotation, parameter.default))

    def call(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """A parameter that is given by name."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def chosen(kind: type[T], *groups: Any, **read: Any) -> T:
    """The options of a run, from groups of given ones and from those already `read`; others keep their defaults."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    given = {name: value for group in groups for name, value in vars(group).items() if name in names}
    return kind(**{name: value for name, value in given.items() if value is not None} | read)


def refuse_given(context: typer.Context, names: tuple[str, ...], what: str, other: str) -> None:
    """Raises for a given option that doesn't apply here."""
    for name in names:
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE":
            raise ArgumentError(f"--{name.replace('_', '-')} is for {what}; {other}")


def check_worker(context: typer.Context, storage: str | None, results: tuple[str, ...]) -> None:
    """Raises if a worker has nothing to share, or is given options of the `results`, which it doesn't make."""
    refuse_given(context, results, "the command that makes the results", "this one is a --worker")
    if storage is None:
        raise ArgumentError("a --worker needs --storage: that of the command which it helps")


def whole_numbers(text: str) -> tuple[int, ...]:
    """ "64,64" → (64, 64); "" or "none" → no hidden layer."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"--layers takes whole numbers such as 64,64 (or none), got {text!r}") from None


def two_numbers(text: str | None) -> tuple[int, int] | None:
    """ "64" → (64, 64), "48x64" → (48, 64): height and width."""
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.lower().split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers) < 1:
        raise ArgumentError(
            f"--size takes a number of pixels such as 64, or height x width such as 48x64, got {text!r}"
        )
    return numbers[0], numbers[-1]


def name_of(source: str) -> str:
    """A run's name, from its source: the file's name, or "query"."""
    from thalweg.data.sources import is_query

    stem = "query" if is_query(source) else Path(source).name.partition(".")[0]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in stem) or "run"
