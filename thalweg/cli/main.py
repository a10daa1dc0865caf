"""The command line: parses, calls `thalweg.runs.table_run`, prints. `thalweg --help` lists the commands.

Exit codes: 0 done, 1 the data or the training failed, 2 the call was wrong, 130 interrupted. A training that Ctrl-C
ends is kept: 0.
"""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from thalweg.cli import image_commands as cli_images
from thalweg.cli.console import grid, say, say_skipped
from thalweg.errors import ArgumentError, BadRowsError, ModelFileError, NotFoundError, ThalwegError
from thalweg.runs.keeping import keep
from thalweg.support.checks import whole
from thalweg.support.printing import tolerate
from thalweg.support.untrusted import VARIABLE

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential
    from thalweg.runs.image_run import ImageRun
    from thalweg.runs.table_run import Parts, Run, Scores
    from thalweg.tabular.features import Features

T = TypeVar("T")
INTERRUPTED = 130
MOST_COLUMNS = 40
"""So many columns of a table are listed; a line counts the others."""

app = typer.Typer(
    help="Train, judge and use neural networks on tables and images.",
    epilog=f"{VARIABLE}=8000000000 lets a file unpack to so many bytes; 2 GiB, or ten times its size, by default.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def version(asked: bool) -> None:
    """Prints the version and ends."""
    if asked:
        import thalweg

        print(f"thalweg {thalweg.__version__}")
        raise typer.Exit


@app.callback()
def common(
    show: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="the version, and nothing else")
    ] = False,
) -> None:
    """Train, judge and use neural networks on tables and images."""


def whole_numbers(text: str) -> tuple[int, ...]:
    """ "64,64" → (64, 64); "" or "none" → no hidden layer."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"--layers takes whole numbers such as 64,64 (or none), got {text!r}") from None


SOURCES = "a table (CSV, TSV, Parquet, JSON, a glob, a SQL query) or images (a folder of class folders, .npz, IDX)"
Source = Annotated[str, typer.Argument(help=SOURCES)]
FOR_TABLES = (
    "target",
    "task",
    "ignore",
    "category",
    "layers",
    "activation",
    "initial_weights",
    "loss",
    "dropout",
    "l2",
)
FOR_IMAGES = ("schedule", "model", "size", "channels", "flip", "shift", "rotate", "zoom", "contrast")


def refuse_given(context: typer.Context, names: tuple[str, ...], what: str, other: str) -> None:
    """An option that says nothing here is an error, not a silent nothing."""
    for name in names:
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE":
            raise ArgumentError(f"--{name.replace('_', '-')} is for {what}; {other}")


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


def chosen(options: type[T], context: typer.Context, **read: Any) -> T:
    """The options that were given, those that have to be read first as `read`; the others keep their defaults."""
    names = {field.name for field in fields(options)}  # type: ignore[arg-type]
    given = {name: value for name, value in context.params.items() if name in names and value is not None}
    return options(**given | read)


SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="leave out rows and pictures that can't be used; says how many, and why")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, as `thalweg train` writes it")]


@app.command()
def train(
    context: typer.Context,
    source: Source,
    target: Annotated[str | None, typer.Option(help="tables: the column to predict")] = None,
    task: Annotated[str | None, typer.Option(help="binary, multiclass or regression; follows from the target")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="a column not to use (repeat for more)")] = None,
    category: Annotated[list[str] | None, typer.Option(help="a number column to take as categories")] = None,
    layers: Annotated[str, typer.Option(help="units of the hidden layers, or none")] = "128,128",
    activation: Annotated[str, typer.Option(help="of the hidden layers")] = "relu",
    initial_weights: Annotated[str, typer.Option(help="initializer of the hidden layers")] = "he_normal",
    loss: Annotated[str | None, typer.Option(help="by default cross-entropy for classes, mse for numbers")] = None,
    optimizer: Annotated[str, typer.Option(help="adam, sgd, …")] = "adam",
    learning_rate: Annotated[
        float | None, typer.Option(help="by default the optimizer's own; the cosine's peak is 3 times that")
    ] = None,
    schedule: Annotated[
        str,
        typer.Option(
            help="images: cosine (the learning rate rises for a tenth of the steps, then falls to 0) or constant"
        ),
    ] = "cosine",
    model: Annotated[
        str, typer.Option(help="images: convnet, resnet, simple, mlp, or a .yaml file with layers")
    ] = "convnet",
    size: Annotated[str | None, typer.Option(help="images: bring pictures to 64 (×64) or 48x64 pixels")] = None,
    channels: Annotated[int | None, typer.Option(help="images: 1 makes pictures grey, 3 coloured")] = None,
    flip: Annotated[str | None, typer.Option(help="images: mirror half of them, horizontal or vertical")] = None,
    shift: Annotated[float, typer.Option(help="images: move them by up to this share of their size")] = 0.0,
    rotate: Annotated[float, typer.Option(help="images: turn them by up to this share of a full turn")] = 0.0,
    zoom: Annotated[float, typer.Option(help="images: scale them by up to this share")] = 0.0,
    contrast: Annotated[float, typer.Option(help="images: change their contrast by up to this share")] = 0.0,
    batch_size: Annotated[
        int | None, typer.Option(help="rows in a step; 64, for images 128, or fewer where they are few")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="passes over the training rows; 200 at most, for images 15, or more where they are few"),
    ] = None,
    dropout: Annotated[float, typer.Option(help="share of hidden units dropped in training")] = 0.1,
    l2: Annotated[float, typer.Option(help="penalty on squared weights")] = 0.0,
    test_share: Annotated[float, typer.Option(help="share of the rows held out to judge by")] = 0.2,
    validation_share: Annotated[float, typer.Option(help="share of the other rows to stop by")] = 0.1,
    early_stopping: Annotated[
        int | None, typer.Option(help="epochs without improvement before it stops, 0: never; 20, for images 0")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="fixes the split, the weights and the order; drawn if absent")
    ] = None,
    lanes: Annotated[int | None, typer.Option(help="cores to use; by default as many as pay")] = None,
    skip_bad: SkipBad = False,
    out: Annotated[Path | None, typer.Option(help="the run folder; by default runs/NAME, numbered")] = None,
) -> None:
    """Trains a network on a table or on images and keeps it in a run folder."""
    from thalweg import utils
    from thalweg.data.images import is_image_source
    from thalweg.data.tables import read_table
    from thalweg.runs import table_run as runs

    seed = utils.draw_seed() if seed is None else seed
    runs.refuse_unwritable(out or runs.free_folder(name_of(source)))
    command = ["thalweg", *sys.argv[1:]]
    if is_image_source(source):
        from thalweg.runs import image_run as image_runs

        refuse_given(context, FOR_TABLES, "tables", f"{source} holds images (see --model)")
        image_options = chosen(image_runs.ImageOptions, context, size=two_numbers(size), seed=seed)
        image_run = cli_images.train_images(source, image_options)
        folder = out or runs.free_folder(name_of(source))
        kept, problem = keep(lambda place: image_runs.save(image_run, place, command), folder)
        show_trained(image_run, kept, "PICTURE.png")
        end_after(problem)
        return
    refuse_given(context, FOR_IMAGES, "images", f"{source} is a table (see --layers)")
    if target is None:
        if not Path(source).suffix and len(source.split()) == 1 and not Path(source).exists():
            raise NotFoundError(f"there is no file or folder {source}")
        raise ArgumentError("give the column to predict: --target NAME")
    options = chosen(
        runs.Options,
        context,
        ignore=tuple(ignore or ()),
        categories=tuple(category or ()),
        layers=whole_numbers(layers),
        seed=seed,
    )
    table = read_table(source)
    run = runs.train(table, options, announce)
    folder = out or runs.free_folder(name_of(source))
    kept, problem = keep(lambda place: runs.save(run, place, command), folder)
    show_trained(run, kept, "NEW_ROWS --out predictions.csv")
    end_after(problem)


def end_after(problem: str) -> None:
    """Ends with an error, if there is one to tell after what went well."""
    if problem:
        raise ModelFileError(problem)


def show_trained(run: Run | ImageRun, folder: Path, new: str) -> None:
    """How it went, where it is kept, and what can be done with it."""
    facts = run.facts
    stopped = " (interrupted)" if facts["interrupted"] else ""
    compiled = compile_seconds()
    apart = f" (and {compiled} s to compile kernels)" if compiled else ""
    say("", f"trained {len(run.history)} epochs in {facts['seconds']:.2f} s{apart}{stopped}", "")
    show_scores(facts["held-out"], facts["rows"]["test"], facts["baseline"])
    quoted = shlex.quote(str(folder))
    say(
        "",
        f"run folder: {folder}",
        f"  look:    thalweg inspect {quoted}",
        f"  predict: thalweg predict {quoted} {new}",
    )


def compile_seconds() -> str:
    """The seconds that no time of training holds; "" if there were none to speak of."""
    from thalweg.support.stopwatch import compiling

    return f"{compiling.seconds:.1f}" if compiling.seconds >= 0.05 else ""


def name_of(source: str) -> str:
    """A run's name from its source: the file's, or "query"."""
    from thalweg.data.sources import is_query

    stem = "query" if is_query(source) else Path(source).name.partition(".")[0]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in stem) or "run"


def announce(parts: Parts, features: Features, model: Sequential) -> None:
    """What was understood of the columns, and the network, before training begins."""
    target = features.target
    assert target is not None
    rows = [
        [c.name, c.kind, c.understood, f"{c.missing:,}" if c.missing else "", str(c.features) if c.features else ""]
        for c in features.describe()
    ]
    say(grid("columns", ["column", "kind", "understood as", "missing", "inputs"], rows[:MOST_COLUMNS]))
    say(*further_columns(features), "")
    classes = f": {', '.join(map(str, target.classes[:12]))}{', …' if len(target.classes) > 12 else ''}"
    say(f"target {target.name}: {target.task}{classes if target.classes else ''} ({in_options(target.why)})")
    if target.missing:
        say(f"{target.missing:,} rows without a target are left out")
    say_skipped(parts.skipped)
    held = parts.validation.rows if parts.validation is not None else 0
    say(f"rows: {parts.train.rows:,} to learn from, {held:,} to stop by, {parts.test.rows:,} held out", "")
    model.summary()
    say("")


def further_columns(features: Features) -> list[str]:
    """A line about the columns that a listing of `MOST_COLUMNS` leaves out, if there are any."""
    kinds = Counter(column.kind for column in features.describe()[MOST_COLUMNS:])
    if not kinds:
        return []
    counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    return [f"… and {kinds.total():,} more columns ({counted}); the run folder's columns.json has them all"]


def in_options(text: str) -> str:
    """Arguments in a message as the options that they are here: task="multiclass" is --task multiclass."""
    return re.sub(r"""\btask=["'](\w+)["']""", r"--task \1", text)


def figure(value: float | None) -> str:
    """Four digits, or nothing where there is no number: JSON's null, NaN."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"


def show_scores(scores: Scores, rows: int, baseline: dict[str, Any] | None) -> None:
    """The scores, beside those of always giving one answer."""
    header, lines = [f"{rows:,} rows", "network"], []
    if baseline is not None:
        answer = baseline["answer"]
        header.append(f"always {format(answer, '.6g') if isinstance(answer, float) else answer}")
    for name, value in scores.items():
        line = [name, figure(value)]
        if baseline is not None:
            line.append(figure(baseline["scores"].get(name)))
        lines.append(line)
    say(grid("held-out score" if baseline is not None else "score", header, lines))


@app.command()
def evaluate(run: RunFolder, source: Source, skip_bad: SkipBad = False) -> None:
    """Scores a run on rows whose target is known, or on images (those for testing, where the source keeps some)."""
    from thalweg.data.tables import read_table
    from thalweg.runs import image_run as image_runs
    from thalweg.runs import table_run as runs

    if image_runs.is_image_run(run):
        show_scores(*cli_images.evaluate_images(run, source, skip_bad), None)
        return
    loaded = runs.load(run)
    table = runs.with_target(read_table(source), loaded.target)
    if skip_bad:
        table, skipped = runs.usable(loaded, table, with_targets=True)
        say_skipped(skipped)
    warn_of_unseen(loaded, table)
    show_scores(runs.score(loaded, table), table.rows, None)


@app.command()
def predict(
    run: RunFolder,
    source: Annotated[list[str], typer.Argument(help="a table as for train; for images, pictures or a folder of them")],
    out: Annotated[
        Path | None, typer.Option(help="the file to write: .csv, .tsv, .parquet, .json or .jsonl; tables need it")
    ] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Writes a prediction for every row, or for every picture, and the probability of each class.

    With --skip-bad a table's predictions begin with a column "row", the row's number.
    """
    from thalweg.data.sources import writable
    from thalweg.data.tables import read_table, write_table
    from thalweg.runs import image_run as image_runs
    from thalweg.runs import table_run as runs

    if image_runs.is_image_run(run):
        cli_images.predict_pictures(run, source, out, skip_bad)
        return
    loaded = runs.load(run)
    if len(source) > 1:
        raise ArgumentError(
            f"{run} was trained on a table and takes one source, got {len(source)}: call it for each of them, or give "
            "a glob in quotes, such as 'rows-*.csv'"
        )
    if out is None:
        raise ArgumentError("a table's predictions are written to a file: add --out predictions.csv")
    writable(out)
    table = read_table(source[0])
    if skip_bad:
        table, skipped = runs.usable(loaded, table)
        say_skipped(skipped)
    warn_of_unseen(loaded, table)
    write_table(out, runs.predictions(loaded, table, numbered=skip_bad))
    say(f"{table.rows:,} predictions of {loaded.target.name}: {out}")


@app.command()
def compare(
    context: typer.Context,
    knob: Annotated[str, typer.Argument(help="activation, loss, learning_rate, initializer or optimizer")],
    source: Source,
    target: Annotated[str, typer.Option(help="the column to predict")],
    entries: Annotated[str | None, typer.Option(help="what to try, such as relu,tanh; by default all that fit")] = None,
    seeds: Annotated[int, typer.Option(help="trainings of each entry")] = 3,
    task: Annotated[str | None, typer.Option(help="binary, multiclass or regression; follows from the target")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="a column not to use (repeat for more)")] = None,
    category: Annotated[list[str] | None, typer.Option(help="a number column to take as categories")] = None,
    layers: Annotated[str, typer.Option(help="units of the hidden layers, or none")] = "64,64",
    activation: Annotated[str, typer.Option(help="of the hidden layers")] = "relu",
    initial_weights: Annotated[str, typer.Option(help="initializer of the kernels")] = "glorot_uniform",
    loss: Annotated[str | None, typer.Option(help="by default cross-entropy for classes, mse for numbers")] = None,
    optimizer: Annotated[str, typer.Option(help="adam, sgd, …")] = "adam",
    learning_rate: Annotated[float | None, typer.Option(help="by default the optimizer's own")] = None,
    batch_size: Annotated[int, typer.Option(help="rows in a step")] = 64,
    epochs: Annotated[int, typer.Option(help="passes over the training rows")] = 20,
    test_share: Annotated[float, typer.Option(help="share of the rows held out to judge by")] = 0.2,
    lanes: Annotated[int | None, typer.Option(help="trainings at a time; by default one a core")] = None,
    skip_bad: SkipBad = False,
    out: Annotated[Path | None, typer.Option(help="the folder; by default comparisons/NAME-KNOB, numbered")] = None,
) -> None:
    """Trains the same network with every entry of one knob, several seeds each, and compares."""
    import thalweg
    from thalweg.data.tables import read_table
    from thalweg.runs import table_run as runs
    from thalweg.support.naming import choose
    from thalweg.support.progress import Trainings

    choose("knob", knob, thalweg.Comparison.KNOBS)
    options = chosen(
        runs.Options,
        context,
        ignore=tuple(ignore or ()),
        categories=tuple(category or ()),
        layers=whole_numbers(layers),
        validation_share=0.0,
        early_stopping=0,
        seed=0,
    )
    runs.refuse_unwritable(out or runs.free_folder(f"{name_of(source)}-{knob}", "comparisons"))
    tried = None if entries is None else split_entries(knob, entries)
    table, skipped = runs.sound(read_table(source), options)
    say_skipped(skipped)
    with Trainings(f"comparing {knob}") as progress:
        found = runs.compare(knob, table, options, tried, seeds, progress)
    say(f"{found.task} target {target}: {found.rows[0]:,} rows to learn from, {found.rows[1]:,} held out", "")
    say(grid(f"{knob}, {seeds} seed{'s' * (seeds > 1)} each", found.header(), found.lines()), "")
    say(f"chance: {found.chance:.4f}")
    if compiled := compile_seconds():
        say(f"the seconds are those of training; compiling kernels took {compiled} more")
    for name, why in found.left_out.items():
        say(f"left out: {name}: {why}")
    folder = out or runs.free_folder(f"{name_of(source)}-{knob}", "comparisons")
    kept, problem = keep(lambda place: runs.save_comparison(found, place), folder)
    paths = [path for name in runs.COMPARISON if (path := kept / name).exists()]
    say("", *(f"written: {path}" for path in paths))
    if len(paths) == 1:
        say("no picture: matplotlib is not installed; pip install 'thalweg[plot]'")
    end_after(problem)


def split_entries(knob: str, text: str) -> list[Any]:
    """ "relu,tanh" → ["relu", "tanh"]; learning rates as numbers."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if knob != "learning_rate":
        return list(parts)
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise ArgumentError(f"--entries takes numbers such as 0.001,0.01 for learning_rate, got {text!r}") from None


def warn_of_unseen(run: Run, table: Any) -> None:
    """Says which categories the network has never met."""
    unseen = run.features.unseen(table)
    for column, names in list(unseen.items())[:MOST_COLUMNS]:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        print(f"note: the training rows had no {shown} in column {column}; such cells say nothing", file=sys.stderr)
    if len(unseen) > MOST_COLUMNS:
        print(f"note: nor did they have some cells of {len(unseen) - MOST_COLUMNS:,} more columns", file=sys.stderr)


@app.command()
def inspect(
    run: RunFolder,
    batch_size: Annotated[int | None, typer.Option(help="rows of the listed step; by default the run's")] = None,
) -> None:
    """Shows a run: how it was made, its columns or classes, network, program and history."""
    from thalweg.engine.lanes import usable_lanes
    from thalweg.program.passes.draft import Request
    from thalweg.runs import image_run as image_runs
    from thalweg.runs import table_run as runs

    loaded: Run | ImageRun = image_runs.load(run) if image_runs.is_image_run(run) else runs.load(run)
    facts, model = loaded.facts, loaded.model
    batch = int(facts["options"]["batch_size"]) if batch_size is None else whole("--batch-size", batch_size)
    say(f"command: {shlex.join(facts['command'])}")
    say("versions: " + ", ".join(f"{name} {number}" for name, number in facts["versions"].items()))
    say(f"seed: {facts['seed']}", "")  # drawn, where the command gives none
    if isinstance(loaded, image_runs.ImageRun):
        say(f"images of {'×'.join(map(str, model.input_shape))}; classes: {', '.join(loaded.classes)}", "")
    else:
        rows = [[c.name, c.kind, c.understood, str(c.features or "")] for c in loaded.features.describe()]
        say(grid("columns", ["column", "kind", "understood as", "inputs"], rows[:MOST_COLUMNS]))
        say(*further_columns(loaded.features), "")
    model.summary()
    listing = model.program("training", batch)
    print(f"\none training step of {batch} rows\n{listing}\n")
    flops = sum(row.flops for row in listing)
    lanes = usable_lanes(facts["options"]["lanes"], model.lower(Request())[0], batch, model.engine)
    say(f"lanes: {lanes} for {flops:,} FLOPs a step", "")
    keys = [key for key in loaded.history[0] if key != "epoch"] if loaded.history else []
    say(grid("history", ["epoch", *keys], [history_line(record, keys) for record in shortened(loaded.history)]), "")
    show_scores(facts["held-out"], facts["rows"]["test"], facts["baseline"])


app.command()(cli_images.filters)
app.command()(cli_images.features)


def history_line(record: dict[str, Any], keys: list[str]) -> list[str]:
    return [str(record["epoch"] + 1), *("" if record[key] is None else f"{record[key]:.4f}" for key in keys)]


def shortened(records: list[dict[str, Any]], most: int = 20) -> list[dict[str, Any]]:
    """All records, or about `most` evenly chosen ones with the first and the last."""
    if len(records) <= most:
        return records
    return [records[round(k * (len(records) - 1) / (most - 1))] for k in range(most)]


def main() -> None:
    """The entry point: an error of ours is one line on standard error and its exit code."""
    tolerate(sys.stdout)
    tolerate(sys.stderr)
    try:
        app(prog_name="thalweg")
    except ThalwegError as error:
        hint = "; --skip-bad leaves them out" if isinstance(error, BadRowsError) else ""
        print(f"thalweg: {in_options(str(error))}{hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # a file that may not be read, a full disk
        print(f"thalweg: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except MemoryError:
        print("thalweg: there is not enough memory: give a smaller network, batch or source", file=sys.stderr)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer ends without a word
            print("thalweg: interrupted", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
