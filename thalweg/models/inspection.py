"""A network as a table of its layers, and every value that it computes on given rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.engine import make_executor
from thalweg.engine.contract import Array, Chunk, Job
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.layers import Layer
from thalweg.layers.calls import with_rows
from thalweg.layers.recurrent.stateful import single
from thalweg.models.compiled import Compiled
from thalweg.models.drawing import Drawn
from thalweg.models.evaluator import trace
from thalweg.models.graph import Graph
from thalweg.models.weights import Weights
from thalweg.program.ir.instruction import Instruction
from thalweg.program.passes.draft import KINDS, Request
from thalweg.program.plain import PLAIN
from thalweg.support.checks import number, whole
from thalweg.support.naming import choose
from thalweg.support.nested import leaves
from thalweg.support.once import making
from thalweg.support.printing import out
from thalweg.support.terminal import columns, table

if TYPE_CHECKING:
    from thalweg.doctor import Diagnosis
    from thalweg.recordings import Recording
    from thalweg.tracing.listing import Listing
    from thalweg.tracing.step_trace import Trace
    from thalweg.views.web.network_svg import Glyph

LEAST_COLUMN = 4  # places of a column in a summary, two of them between it and the next


class Inspected:
    """Base of `Model`: what shows a network, its program and its training."""

    inputs: list[Any]
    build: Callable[..., None]
    _weights: Weights
    _compiled: Compiled
    recording: Recording | None = None  # of the last fit with record=True; neither copied nor pickled

    def trace(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, *, gradient_check: bool = False
    ) -> Trace:
        """One training step on these rows with every number; the weights don't change.

        Printed, it is the step as a tutorial writes it. It maps the names of the listing to arrays: h, a, y_pred, their
        adjoints dh, da, the gradients dW, db, and w, the parameter vector after the step.

        Args:
            x, y, sample_weight: rows, as `fit` takes them; all are one batch.
            gradient_check: whether central differences in float64 are computed beside the gradients (of at most 200
                numbers of each array, drawn by the model's seed).

        Raises:
            ThalwegError: the model isn't compiled. ShapeError, DataError: rows that it can't take.

        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, use_bias=False)], seed=0)
        >>> model.compile("sgd", "mse")
        >>> model.set_weights([[[1.0], [2.0]]])
        >>> values = model.trace([[1.0, 1.0], [1.0, 0.0]], [[0.0], [0.0]])
        >>> values["y_pred"].ravel(), values["dW"].ravel()
        (array([3., 1.], dtype=float32), array([4., 3.], dtype=float32))
        """
        return trace(self._compiled, x, y, sample_weight, gradient_check)

    def program(
        self, kind: str = "training", batch_size: int = 32, after: str | None = None, length: int | None = None
    ) -> Listing:
        """The program that the network is: every instruction with formula, shape and cost. It knows no machine.

        kind: "training" (forward, backward, update), "evaluation" or "inference".
        after: shows the program as it is after this pass: "derive" adds the backward half, "fuse losses" computes a
            loss with its gradient. An unknown name raises an error that lists the passes.
        length: of sequences, for a model that takes any.

        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, "sigmoid")])
        >>> model.compile("sgd", "mse")
        >>> [row.name for row in model.program() if row.section == "backward"]
        ['sigmoid adjoint', 'weight gradient', 'bias gradient']
        """
        from thalweg.tracing.listing import Listing

        request, compiled = self._requested(kind, batch_size), self._of_length(length)
        with making:  # no other thread compiles the model
            return Listing(compiled._lower(request, after, PLAIN)[0], request.batch)

    def schedule(
        self,
        kind: str = "training",
        batch_size: int = 32,
        lanes: int = 1,
        after: str | None = None,
        length: int | None = None,
        kernels: bool = False,
    ) -> Listing:
        """How the engine runs the program: the instructions that it executes, phase by phase, in their order.

        The native engine rewrites the program for speed: it fuses instructions, chooses other methods and layouts, and
        divides the work among lanes. The values and gradients stay what they are.

        kind, batch_size, length: as for `program`.
        lanes: with more than one, the sum of their gradients is shown too. Wide layers need none: before the update,
            each lane computes a share of theirs from all rows. A first layer with many inputs is split by these.
        after: shows the instructions as they are after this pass. An unknown name raises an error that lists them.
        kernels: whether each row says how its kernel is made: of its reference, of an equation, or by hand, and why.

        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, "sigmoid")])
        >>> model.compile("sgd", "mse")
        >>> [row.name for row in model.schedule() if row.section == "backward"]
        ['weight gradient']
        """
        from thalweg.tracing.listing import Listing

        request, compiled = self._requested(kind, batch_size, lanes), self._of_length(length)
        if compiled.runs.plan is None and request.lanes != 1:
            raise ArgumentError(f"the {compiled.engine} engine runs on one lane, not {request.lanes}")
        with making:
            program, _ = compiled.lower(request) if after is None else compiled._lower(compiled._common(request), after)
        profiled, seconds = compiled._profiles.get((kind, batch_size), (program, None))
        times = seconds if program is profiled and request.lanes == 1 else None  # measured on one lane
        plan = None if compiled.runs.plan is None else compiled.runs.plan(program, request.batch, request.lanes)
        if kernels and compiled.runs.origin is None:
            raise ArgumentError(f"the {compiled.engine} engine has no kernels of its own to tell of")
        return Listing(program, request.batch, times, plan, compiled.runs.origin if kernels else None)

    def _requested(self, kind: str, batch_size: int, lanes: int = 1) -> Request:
        """The request for a program that is to be looked at."""
        choose("kind of program", kind, KINDS)
        if kind == "inference":
            self.build()
        else:
            self._compiled.ready()
        if kind == "training":
            self._compiled.graph.refuse("a listing or a profile of the training")
        return Request(kind, whole("batch_size", batch_size), whole("lanes", lanes))

    def _of_length(self, length: int | None) -> Compiled:
        """The compiled model, for one length of its sequences if it takes any."""
        compiled = self._compiled
        places = compiled.graph.any_length
        if length is None and places:
            raise compiled.graph.length_needed()
        if length is not None and not places:
            raise ArgumentError(f"model {compiled.graph.name!r} takes rows of one shape: leave out length")
        return compiled if length is None else compiled.at([whole("length", length)] * len(places))

    def profile(self, batch_size: int = 32, repeats: int = 50, length: int | None = None) -> Listing:
        """Times every instruction of a training step on random inputs, then returns the schedule with times.

        The weights don't change. Later calls of `schedule(batch_size=…)` show the times too. length: as for `program`.
        """
        self._compiled.graph.refuse("a profile")
        self._compiled.ready()
        compiled, batch, repeats = self._of_length(length), whole("batch_size", batch_size), whole("repeats", repeats)
        with making:
            compiled.ready()
            job = compiled.job("training", compiled.random_data(batch), batch)
        job.parameters, job.slots = compiled.weights.vector.copy(), compiled.slots.copy()
        executor = make_executor(compiled.engine, job)
        chunk = Chunk(0, 0, 1, job.program.every - 1, np.array([0.0]))  # a step that updates
        seconds = executor.measure(chunk, repeats)
        compiled._profiles[("training", batch_size)] = (job.program, seconds)
        return self.schedule("training", batch_size, length=length)

    @property
    def layers(self) -> list[Layer]:
        """The layers as Keras counts them: those of `Model(inputs, outputs)` begin with an InputLayer."""
        return self._weights.graph.listed

    @property
    def input_shape(self) -> Any:
        """The input's shape with None for the rows, or a list of those of all inputs."""
        return with_rows(self._weights.graph.input_shape)

    @property
    def output_shape(self) -> Any:
        """The output's shape with None for the rows, or a list of those of all; None while it is unknown."""
        if self.inputs:
            self.build()
        return with_rows(self._weights.graph.output_shape) if self._weights.placed else None

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints every layer with its output shape and number of weights; "?" while they are unknown.

        Args:
            line_length: the columns of a line; by default what the texts need.
            positions: where the columns end, as shares of the line or, beyond 1, in columns of it; by default
                0.45, 0.8 and 1, with a column of connections 0.3, 0.56, 0.74 and 1, if `line_length` is given.
            print_fn: gets the text in place of the terminal.
            expand_nested: whether the layers of models inside are listed, too.
            show_trainable: whether a column says if training changes the layer's weights: Y or N.
            layer_range: the names of the first and the last layer to show, or patterns of them, as of `re.match`.
                The totals remain those of the model.

        Raises:
            ArgumentError: a column has less than 4 places, or no layer has a name of the range.

        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((4,)), thalweg.layers.Dense(3), thalweg.layers.Dense(1)])
        >>> model.summary(line_length=44, show_trainable=True, layer_range=["dense_1", "dense_1"])
        Model: "sequential"
        ────────────────────────────────────────────
        Layer (type)     Output Shape  Param…  Tr…
        ────────────────────────────────────────────
        dense_1 (Dense)  (None, 1)          4  Y
        ────────────────────────────────────────────
        Total params: 19 (0.07 KB)
        """
        if self.inputs:
            self.build()
        text = summary(
            self._weights, line_length, positions, print_fn is None, expand_nested, show_trainable, layer_range
        )
        (out if print_fn is None else print_fn)(text)

    def _repr_html_(self) -> str:
        """The layers as a drawing and a table, for notebooks; a model that isn't built yet says so."""
        from thalweg.views.notebook.model_html import model_html

        graph = self._weights.graph
        if self.inputs:
            self.build()
        count = self._weights.count() if self._weights.placed else None
        return model_html(str(graph.name), type(self).__name__, steps_of(graph), glyphs(self._weights), count)

    def report(
        self, path: str | Path, x: Any = None, y: Any = None, *, language: str | None = None, seconds: float = 10.0
    ) -> None:
        """Writes a page on the model and its training: one HTML file, which needs no network.

        Curves, scores and mistakes on rows, what the predictions depend on, the network with its weights, the loss
        landscape, the program with the time of each instruction; of a fit with `record=True` also what happened inside
        the layers, the path of descent and the doctor's findings. After a fit that failed, it shows how it went until
        then.

        Args:
            path: the file to write; one that is there is replaced.
            x, y: rows to judge the model by, as `evaluate` takes them; by default those that the recording kept of the
                validation, or else of the training.
            language: in which the page opens, "en" or "zh"; by default the browser's. It can be switched.
            seconds: for the parts that have to compute; what there is no time for is left out, which the page says.

        Raises:
            ArgumentError: the model isn't compiled or built, only one of x and y is given, or `language` or `seconds`
            isn't one. ThalwegError: the file can't be written.

        >>> import tempfile
        >>> from thalweg import Sequential, layers
        >>> model = Sequential([layers.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(1)], seed=0)
        >>> model.compile("adam", "mse")
        >>> x = np.random.default_rng(0).normal(size=(64, 2))
        >>> _ = model.fit(x, x[:, :1] * x[:, 1:], epochs=3, verbose=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.report(f"{folder}/report.html", x, x[:, :1] * x[:, 1:], seconds=0.5)
        ...     Path(f"{folder}/report.html").stat().st_size < 1_000_000
        True
        """
        from thalweg.views.report.document import report_document
        from thalweg.views.report.of_model import subject_of
        from thalweg.views.web.page import write_page

        seconds = number("seconds", seconds)
        if self.inputs:
            self.build()
        model: Any = self
        subject = subject_of(model, steps_of(self._weights.graph), x, y)
        write_page(path, report_document(subject, language, seconds))

    def diagnose(self) -> Diagnosis:
        """What is wrong with the last fit, in plain sentences, each with its evidence and a remedy.

        Every rule wants a symptom and its harm: half of a layer may be dead as long as the network learns. After a
        fit with `record=True` all rules are checked, and a linear model and a forest of trees are fitted to the
        recorded rows, to know what can be reached; after another fit those that need the losses alone, and it is said
        which rules were not. The rules: docs/doctor.md.

        Raises:
            ThalwegError: the model wasn't fitted.

        >>> from thalweg import Sequential, layers
        >>> from thalweg.optimizers import SGD
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> hidden = layers.Dense(8, "relu", kernel_initializer="zeros")
        >>> model = Sequential([hidden, layers.Dense(1, "sigmoid")], seed=0)
        >>> model.compile(SGD(0.1), "binary_crossentropy")
        >>> _ = model.fit(x, x[:, :1] * x[:, 1:] > 0, epochs=20, verbose=0, record=True)
        >>> [finding.rule for finding in model.diagnose().findings]
        ['answers the majority', 'symmetry']
        """
        from thalweg.doctor import diagnose
        from thalweg.recordings import Recording

        model: Any = self
        recording, history = self.recording, model.history
        if recording is None and history is None:
            raise ThalwegError(f"{model.name!r} was not fitted: a diagnosis is one of fit(x, y, record=True)")
        if recording is None:
            recording = Recording(facts={"history": {"epoch": list(history.epoch), **history.history}})
        return diagnose(recording, lambda x: model.predict(x, verbose=0))


def glyphs(weights: Weights) -> list[Glyph]:
    """The layers of a chain as they are drawn, input first; none of another graph, or while shapes are unknown."""
    from thalweg.views.web.network_svg import Glyph

    graph = weights.graph
    if isinstance(graph, Drawn) or not weights.placed or len(graph.input_shapes) != 1:
        return []
    front = [Glyph("input", "Input", tuple(graph.input_shapes[0]))]
    shapes = [(layer, layer.row_out) for layer in graph.layers]
    if any(not isinstance(shape, tuple) for _, shape in shapes):
        return []
    layers = [
        Glyph(str(a.name), type(a).__name__, s, any(p.key == "W" for _, p in a.all_parameters())) for a, s in shapes
    ]
    return front + layers


def summary(
    weights: Weights,
    line_length: int | None,
    positions: Sequence[float] | None,
    shown: bool,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
) -> str:
    """The layers with output shapes and numbers of weights; "?" while they are unknown. `shown`: on the terminal."""
    steps = steps_of(weights.graph)
    connected = len(steps) > 1 and (
        any(len(s.sources) != 1 for s in steps)
        or any(after.sources != [before.name] for before, after in pairwise(steps))
    )
    lines = [["Layer (type)", "Output Shape", "Param #"]]
    lines[0] += ["Connected to"] * connected + ["Trainable"] * show_trainable
    for step, front in nested(within(steps, layer_range), expand_nested):
        number = "0 (unbuilt)" if step.params is None else f"{step.params:,}"
        row = [f"{front}{step.name} ({step.kind})", step.shape, number]
        row += [", ".join(step.sources) or "-"] * connected + [trained_of(step)] * show_trainable
        lines.append(row)
    widths = column_widths(connected, show_trainable, line_length, positions)
    text = table(lines, (2,), columns() if shown else None, fixed=widths)
    most = max(len(line) for line in text.splitlines())
    rule = "─" * max(most, sum(n + 2 for n in widths or ()), line_length or 0)
    first, _, rest = text.partition("\n")
    return f'Model: "{weights.graph.name}"\n{rule}\n{first}\n{rule}\n{rest}\n{rule}\n{totals(weights)}'


def totals(weights: Weights) -> str:
    """The last lines of a summary."""
    count = weights.count()
    text = f"Total params: {count:,} ({count * weights.dtype.itemsize / 1024:,.2f} KB)"
    if not weights.placed:
        text += "\nThe numbers follow from the first data, or from Input(shape) in front."
    trained = sum(p.buffer.size for _, p in weights.trained())
    if trained < count:
        text += f"\nTrainable params: {trained:,}\nNon-trainable params: {count - trained:,}"
    return text


def column_widths(
    connected: bool, show_trainable: bool, line_length: int | None, positions: Sequence[float] | None
) -> list[int] | None:
    """The widths of a summary's columns, without the two places between them; None: what the texts need."""
    if line_length is None and positions is None:
        return None
    usual = (0.3, 0.56, 0.74, 1.0) if connected else (0.45, 0.8, 1.0)
    ends = [number("a position of summary", p) for p in (usual if positions is None else positions)]
    if len(ends) != len(usual):
        raise ArgumentError(f"summary needs a position for each of its {len(usual)} columns, got {positions!r}")
    length = (108 if connected else 88) if line_length is None else whole("summary's line_length", line_length)
    if ends[-1] <= 1:
        ends = [length * end for end in ends]
    if show_trainable:
        ends = [0.9 * end for end in ends] + ends[-1:]
    widths = [int(after) - int(before) for before, after in pairwise([0.0, *ends])]
    if min(widths) < LEAST_COLUMN:
        raise ArgumentError(f"every column of summary needs {LEAST_COLUMN} places, got the widths {widths}")
    return [n - 2 for n in widths]


def within(steps: list[Step], layer_range: Any) -> list[Step]:
    """The steps from the first whose name matches to the last, as Keras counts them."""
    if layer_range is None:
        return steps
    if len(layer_range) != 2 or not all(isinstance(pattern, str) for pattern in layer_range):
        raise ArgumentError(f"layer_range is the names of a first and a last layer, got {layer_range!r}")
    try:
        first, last = ([k for k, s in enumerate(steps) if re.match(pattern, s.name)] for pattern in layer_range)
    except re.error as error:
        raise ArgumentError(f"layer_range={list(layer_range)!r} has a pattern that can't be read: {error}") from None
    if not first or not last:
        names = ", ".join(step.name for step in steps)
        raise ArgumentError(f"layer_range={list(layer_range)!r} names no layer of the model, which has {names}")
    if min(first) > max(last):
        first, last = last, first
    return steps[min(first) : max(last) + 1]


def nested(steps: list[Step], expand: bool, level: int = 0) -> Iterator[tuple[Step, str]]:
    """The steps, each with what stands in front of its name; with those of models inside, if they are wanted."""
    for step in steps:
        yield step, "   " * level + "└ " if level else ""
        if expand and isinstance(step.layer, Inspected):
            yield from nested(steps_of(step.layer._weights.graph), True, level + 1)


def trained_of(step: Step) -> str:
    """Whether training changes a step's weights: Y or N, and - without weights."""
    return "-" if step.layer is None or not step.layer.all_parameters() else "Y" if step.layer.trainable else "N"


@dataclass
class Step:
    """A call in a graph, as it is shown: a layer, an operation, or an input."""

    name: str
    kind: str
    shape: str
    params: int | None  # of the layer's first call; None while unknown
    sources: list[str]
    layer: Any = None  # if it is one


def steps_of(graph: Graph) -> list[Step]:
    """The layers of a model; of a graph, every input and every call, with what it gets."""
    if not isinstance(graph, Drawn):
        steps, before = [], ["input"]
        for layer in graph.layers:
            shape = "?" if layer.row_out is None else mapped_shapes(layer.row_out)
            count = layer.count_params() if layer.connected else None
            steps.append(Step(str(layer.name), type(layer).__name__, shape, count, before, layer))
            before = [str(layer.name)]
        return steps
    names = {id(x): x.name for x in graph.inputs}
    steps = [Step(x.name, "Input", str(x.shape), 0, []) for x in graph.inputs]
    counts: dict[str, int] = {}
    shown: set[int] = set()
    for call in graph.drawn:
        of = call.function
        base = str(of.name) if isinstance(of, Layer) else of.__name__
        counts[base] = counts.get(base, 0) + 1
        name = base if counts[base] == 1 else f"{base} ({counts[base]})"
        results = list(leaves(call.result))
        names |= {id(r): name for r in results}
        params = of.count_params() if isinstance(of, Layer) and id(of) not in shown else 0
        shown.add(id(of))
        kind = type(of).__name__ if isinstance(of, Layer) else "operation"
        sources = list(dict.fromkeys(names[id(s)] for s in call.inputs()))
        shape = ", ".join(str(r.shape) for r in results)
        steps.append(Step(name, kind, shape, params, sources, of if isinstance(of, Layer) else None))
    return steps


def mapped_shapes(shape: Any) -> str:
    """A layer's output shape with None for the rows; several in the form in which it returns them."""
    if shape is None or isinstance(shape, tuple):
        return str((None, *(shape or ())))
    return ", ".join(mapped_shapes(inner) for inner in (shape.values() if isinstance(shape, dict) else shape))


def forward_values(compiled: Compiled, x: Array) -> Iterator[tuple[Instruction, Array]]:
    """Every instruction of a prediction for x (rows, …), and its output, (rows, …) in float64.

    Rows that don't fit the workspace at once come in several blocks, each with every instruction.
    """
    program, totals = compiled.lower(Request("inference", of_bytes=x.dtype == np.uint8, visible=True))
    vector = compiled.weights.vector
    (shape,) = compiled.output_shapes
    data = {"X": x, "Y_pred": np.empty((len(x), *shape), vector.dtype)} | single(program, vector.dtype, len(x))
    job = Job(program, data, len(x), len(x), vector, vector[:0], totals=totals)
    for instruction, memory in make_executor(compiled.engine, job).trace(Chunk(0, 0, 1, 0, np.zeros(1))):
        output = instruction.outputs[0]
        if output.per_row and instruction.name != "store":
            yield instruction, np.array(memory[output], np.float64)
