"""A program as JSON and back: the same program, the same bits, and no file that does anything else."""

import copy
import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from conformance import EVERY, SHAPES
from harness import Case
from jit import skip_module
from networks import NETWORKS, network
from pass_checks import PASSES, ran

import thalweg.program.interchange
from thalweg import Input, Model, Sequential
from thalweg.engine.reference import ReferenceExecutor
from thalweg.errors import ThalwegError
from thalweg.layers import (
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Embedding,
    Flatten,
    MaxPooling2D,
)
from thalweg.program.instructions.batches import GatherFloats, Store
from thalweg.program.instructions.custom_activation import CustomActivation
from thalweg.program.instructions.elementwise import Add
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.interchange.operation_names import operations, subclasses
from thalweg.program.interchange.reading_back import Reader, from_json
from thalweg.program.interchange.writing import Writer, to_json
from thalweg.program.ir.instruction import DATA, DTYPES, REGIONS, Buffer, Constant, Instruction
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import KINDS, Request
from thalweg.program.passes.fitting import unfitting
from thalweg.program.passes.scanned import unrolled
from thalweg.program.plain import PLAIN

skip_module()  # the document that is changed has a formula
SCHEMA = json.loads((Path(thalweg.program.interchange.__path__[0]) / "program.schema.json").read_text())
REQUESTS = [
    *map(Request, KINDS),
    Request("evaluation", weighted=True),
    Request("training", weighted=True, visible=True, of_bytes=True),
]
WRITTEN = [name for name in NETWORKS if name != "own output"]


def text(document):
    return json.dumps(document, allow_nan=False)


def lowered(name):
    return network(name)._compiled._lower(Request(), None, PLAIN)[0]


def same(one, other, pairs):
    """Whether two values, instructions or programs are alike in every field; `pairs`: the values found to be."""
    if isinstance(one, Buffer):
        if one not in pairs:
            pairs[one] = other
            assert isinstance(one, Constant) == isinstance(other, Constant)
            assert getattr(one, "values", np.zeros(0)).tolist() == getattr(other, "values", np.zeros(0)).tolist()
            return all(same(getattr(one, f.name), getattr(other, f.name), pairs) for f in fields(Buffer))
        return pairs[one] is other
    if isinstance(one, (Instruction, Program)):
        parts = [f.name for f in fields(one)]
        return type(one) is type(other) and all(same(getattr(one, p), getattr(other, p), pairs) for p in parts)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b, pairs) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()), pairs)
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name), pairs) for f in fields(one)
        )
    return bool(one == other)


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: f"{r.kind}{r.weighted:d}{r.visible:d}")
@pytest.mark.parametrize("name", WRITTEN)
def test_a_program_comes_back(name, request_):
    model = network(name)
    program, totals = model._compiled._lower(request_, None, PLAIN)
    program = unrolled(program)
    written = text(to_json(program))
    back = from_json(json.loads(written))
    pairs = {}
    assert same([*program.forward], back.forward, pairs)
    assert same([*program.backward], back.backward, pairs)
    assert same([*program.update], back.update, pairs)
    assert program.every == back.every
    assert text(to_json(back)) == written
    one, other = (ran(model, ReferenceExecutor, np.float32, p, totals, 1, request_.of_bytes) for p in (program, back))
    assert one[1].tobytes() == other[1].tobytes()
    for a, b in [(one[0].parameters, other[0].parameters), (one[0].slots, other[0].slots)]:
        assert a.tobytes() == b.tobytes()
    assert all(array.tobytes() == other[0].data[key].tobytes() for key, array in one[0].data.items())


def test_the_same_program_is_the_same_text():
    for name in ("narrow", "gated twice", "norms joined"):
        assert text(to_json(lowered(name))) == text(to_json(lowered(name)))


def there_and_back(instruction):
    """An instruction, written alone and read back."""
    writer, reader = Writer(), Reader()
    written = json.loads(text(writer.instruction(instruction)))
    for value in json.loads(text(writer.values)):
        reader.add(value)
    back = reader.instruction(written, "it")
    assert same(instruction, back, {})
    assert reader.writer.instruction(back) == written


def of_row(name, shape):
    """The instruction of a row of the conformance tables; what lasts gets a place."""
    i = Case(EVERY[name], shape).instruction
    for b in i.operands:
        if b is not None and b.region in ("parameters", "gradients", "slots", "totals", "norms"):
            b.offset = max(b.offset, 0)
        elif b is not None and b.region not in REGIONS:  # of the native form, which the row builds, too
            b.region = "workspace"
    return i


def can_be_written(i):
    """Whether it isn't a native form, nor holds a Python function."""
    return type(i) in operations().values() and not isinstance(getattr(i, "of", i), CustomActivation)


def comes_back_from_json(name):
    for shape in SHAPES:
        i = of_row(name, shape)
        if can_be_written(i):
            there_and_back(i)
            assert not list(unfitting([i]))
        else:
            with pytest.raises(ThalwegError, match=r"is a Python function|is made for a machine"):
                Writer().instruction(i)


def without_a_round_trip():
    """The classes of which no row has come back."""
    tried = {type(i) for name in EVERY for shape in SHAPES if can_be_written(i := of_row(name, shape))}
    return {c.__name__ for c in operations().values()} - {c.__name__ for c in tried} - {"CustomActivation"}


def test_every_instruction_has_come_back():
    assert not without_a_round_trip()
    places = ("thalweg.program.instructions.", "thalweg.program.passes.")  # not what exports add to a program
    known = {c for c in subclasses(Instruction) if c.__module__.startswith(places) and hasattr(c, "name")}
    assert known - {Scan} == set(operations().values())  # which is written step by step


def test_an_instruction_without_a_round_trip_is_noticed():
    class Forgotten(Add):
        table: object = None

    Forgotten.__module__ = "thalweg.program.instructions.elementwise"
    operations.cache_clear()
    try:
        assert without_a_round_trip() == {"Forgotten"}
        add = of_row("add", SHAPES[0])
        with pytest.raises(ThalwegError, match=r"<object object at .*> can't be written as part of a program"):
            Writer().instruction(Forgotten(add.x, add.y, add.z, object()))
    finally:
        Forgotten.__module__ = "tests"
        operations.cache_clear()


def test_values_of_the_same_name_are_kept_apart():
    one, other, z = Buffer("x", (2,)), Buffer("x", (2,)), Buffer("x", (2,))
    gathers = [GatherFloats(Buffer(n, (2,), DATA), x) for n, x in (("X1", one), ("X2", other))]
    back = from_json(to_json(Program([*gathers, Add(one, other, z), Store(z, Buffer("Y", (2,), DATA))])))
    add = back.forward[2]
    assert (add.x, add.y, add.z) == (back.forward[0].x, back.forward[1].x, back.forward[3].y)
    assert len({add.x, add.y, add.z}) == 3


def test_a_listing_gives_its_program():
    model = network("narrow")
    assert model.program().to_json() == to_json(lowered("narrow"))
    assert model.program("inference").to_json()["backward"] == []
    with pytest.raises(ThalwegError, match="a schedule is one machine's: write the program"):
        model.schedule().to_json()


# --- what can't be written, and what can't be read -------------------------------------------------------------------


def test_a_python_function_is_refused():
    with pytest.raises(ThalwegError, match=r"the activation cube is a Python function, .*: give it as a formula"):
        to_json(lowered("own output"))


@pytest.mark.parametrize("name", ["many channels", "few channels"])
def test_what_an_engine_made_is_refused(name):
    program = network(name)._compiled._lower(Request(), None, PASSES)[0]
    with pytest.raises(ThalwegError, match=r"a machine: only plain programs can be written"):
        to_json(program)


DOCUMENT = to_json(lowered("learned output"))


def changed(path, new, document=DOCUMENT):
    """The document with something else at a path."""
    result = copy.deepcopy(document)
    *way, last = path
    place = result
    for key in way:
        place = place[key]
    place[last] = new
    return result


def first(operation, half="forward"):
    return next(n for n, i in enumerate(DOCUMENT[half]) if i["operation"] == operation)


EQUATION = ("forward", first("elementwise"), "attributes", "equation")


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (("format",), "onnx", "the document has the format 'onnx', not 'thalweg program'"),
        (("version",), 2, "the document has the version 2, this thalweg reads 1"),
        (("version",), True, "the document has the version True"),
        (("every",), 0, r"every has to be from 1 to"),
        (("more",), 1, "the document has 'more', which nothing reads"),
        (("values",), {}, "values has to be a list, not dict"),
        (("values", 0, "shape"), [1 << 50], r"values\[0\].shape has to be from 0 to"),
        (("values", 0, "shape"), [1 << 30] * 3, r"values\[0\].shape is larger than any memory"),
        (("values", 0, "shape"), [1] * 99, r"values\[0\].shape is larger than any memory"),
        (("values", 0, "shape"), [-1], r"values\[0\].shape has to be from 0"),
        (("values", 0, "dtype"), "float16", r"values\[0\].dtype has to be one of float, uint8, float64, not 'float16'"),
        (("values", 0, "region"), "heap", r"values\[0\].region has to be one of .*, not 'heap'"),
        (("values", 0, "offset"), 0, r"values\[0\] needs an offset just if it lies among"),
        (("values", 0, "numbers"), [1.0], r"values\[0\] is no constant"),
        (("values", 1, "view_of"), 1, r"values\[1\].view_of has to be from 0 to 0"),
        (("values", 1, "dtype"), "uint8", "says what can't be: .* takes x for float, but it is uint8"),
        (("forward", 0, "operation"), "os_system", r"forward\[0\].operation is 'os_system', which this"),
        (("forward", 0, "operands", "X"), 999, r"forward\[0\].X has to be from 0 to"),
        (("forward", 0, "operands", "X"), None, r"forward\[0\].X has to be a whole number, not None"),
        (("forward", 0, "sets"), [], r"forward\[0\].sets isn't what follows from its operation"),
        (("backward", 0, "attributes", "of", "operation"), "affine", r"backward\[0\].of.operation is 'affine', which"),
        ((*EQUATION, "arguments"), [["c"]], r"\.arguments has to be a list of pairs"),
        ((*EQUATION, "arguments"), [["c", 1.0], ["c", 1.0]], r"\.arguments names something twice"),
        ((*EQUATION, "value"), "__import__('os').system('true')", "has a text that isn't one: a formula .*"),
        ((*EQUATION, "value"), "h.__class__", "has a text that isn't one: a formula can't contain this: attribute"),
        ((*EQUATION, "value"), "h if h else h", "has a text that isn't one: a formula can't contain this: ifexp"),
        ((*EQUATION, "value"), "9**9**9**9", "has a text that isn't one: a formula can't contain a power of numbers"),
        ((*EQUATION, "value"), "10**400 * h", "has a text that isn't one: a formula can't contain a power of numbers"),
        ((*EQUATION, "value"), f"{10**400} * h", "has a text that isn't one: a number in a formula is too large"),
        ((*EQUATION, "value"), "True", "has a text that isn't one: a formula can't contain True and False"),
        ((*EQUATION, "value"), "exp(h, h)", "has a text that isn't one: a formula calls exp with 2 arguments"),
        ((*EQUATION, "value"), "eval(h)", "has a text that isn't one: a formula calls eval with 1 arguments"),
        ((*EQUATION, "value"), "import os\nh", "has a text that isn't one: a formula can't contain import statements"),
        ((*EQUATION, "value"), "h[0]", "has a text that isn't one: a formula can't contain this: subscript"),
        ((*EQUATION, "value"), "h @ h", "has a text that isn't one: a formula can't contain this: binop"),
        ((*EQUATION, "value"), "h h", "has a text that isn't one: 'h h' isn't a formula"),
        ((*EQUATION, "value"), "", "has a text that isn't one: a formula is empty"),
        ((*EQUATION, "value"), "(" * 5000 + "h" + ")" * 5000, "has a text that isn't one: '.*' isn't a formula"),
        ((*EQUATION, "value"), "-" * 300 + "h", "has a text that isn't one: a formula is nested more than 200 levels"),
        ((*EQUATION, "value"), "h+" * 60_000 + "h", "has a text that isn't one: a formula has 120,001 characters"),
        ((*EQUATION, "value"), "h + other", "can't be: a formula uses 'other', which nothing says"),
        ((*EQUATION, "value"), "2 * h", r"\.equation isn't what follows from its operation"),
        (("forward", 0), {}, r"forward\[0\] lacks 'operation'"),
        (("forward",), DOCUMENT["forward"][1:], "says what can't be: .* reads x, which nothing has written"),
        (("values",), [*DOCUMENT["values"], DOCUMENT["values"][0]], r"values\[\d+\] is used by nothing"),
    ],
)  # fmt: skip
def test_what_is_no_program_is_refused(path, new, message):
    with pytest.raises(ThalwegError, match=f"this program can't be read: .*{message}"):
        from_json(changed(path, new))


@pytest.mark.parametrize("document", [None, [], 1, "thalweg program", {}])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(ThalwegError, match="this program can't be read: the document"):
        from_json(document)


def test_what_is_nested_without_end_is_refused():
    equation = DOCUMENT[EQUATION[0]][EQUATION[1]]["attributes"]["equation"]
    for _ in range(3000):
        equation = {**equation, "activation": equation}
    document = {**DOCUMENT, "forward": [*DOCUMENT["forward"]]}
    i = DOCUMENT["forward"][EQUATION[1]]
    document["forward"][EQUATION[1]] = {**i, "attributes": {**i["attributes"], "equation": equation}}
    with pytest.raises(ThalwegError, match=r"this program can't be read: .* contradict"):
        from_json(document)


def paths(document, way=()):
    """Every place in a document."""
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield (*way, key)
        yield from paths(document[key], (*way, key))


SEVERAL = [DOCUMENT, *(to_json(lowered(name)) for name in ("ids", "gated twice", "norms read twice", "masks"))]
NEW = [None, True, 0, -1, 7, 1.5, 1 << 62, 1 << 70, 1e300, "NaN", "h", "", [], [0], [[]], [["h", 0]], {}, {"h": 0}]


@pytest.mark.parametrize("number", range(len(SEVERAL)))
def test_no_change_of_a_document_does_anything_but_raise(number):
    """Any other value anywhere: it is refused in one sentence, or it is a program."""
    document = json.loads(text(SEVERAL[number]))
    places, random = list(paths(document)), np.random.default_rng(number)
    sentences = []
    for place in random.permutation(len(places))[:400]:
        new = NEW[random.integers(len(NEW))]
        try:
            from_json(changed(places[place], new, document))
        except ThalwegError as error:
            sentences.append(str(error))
    assert len(sentences) > 250
    assert not [sentence for sentence in sentences if "\n" in sentence or len(sentence) > 400]


def structural():
    """A document with convolutions, pooling, an embedding, a batch normalisation and a loss of whole rows."""
    ids, image = Input((6,)), Input((9, 8, 4))
    x = Conv2D(6, 3, 2, "same", groups=2)(MaxPooling2D(2)(BatchNormalization()(image)))
    x = Conv2DTranspose(3, 2, 2)(AveragePooling2D((1, 2))(x))
    y = Dense(5, "softmax")(Concatenate()([Flatten()(x), Flatten()(Embedding(7, 2)(ids))]))
    model = Model([ids, image], y, seed=0)
    model.compile("sgd", "categorical_crossentropy")
    return to_json(model._compiled._lower(Request(), None, PLAIN)[0])


STRUCTURAL = structural()
STATING = {
    "convolution", "kernel_gradient", "transposed_convolution", "max_pooling", "max_pooling_adjoint", "average_pooling",
    "average_pooling_adjoint", "embedding", "embedding_gradient", "affine", "loss_and_gradient",
    "weight_gradient", "input_gradient", "batch_sums",
}  # fmt: skip


def test_an_operation_states_its_shapes():
    """By itself, or by an equation. A copy and a reshape are the verifier's; other metrics take any targets."""
    unstated = {
        name
        for name, kind in operations().items()
        if (kind.shapes, kind.fits, kind.stated) == (Instruction.shapes, Instruction.fits, Instruction.stated)
    }
    metrics = {"class_counts", "confusion_counts", "moments", "score_histogram", "squares_and_targets", "top_matches"}
    alone = {"custom_activation", "random_bernoulli", "random_normal", "random_uniform", "copy", "reshape"}
    assert unstated == metrics | alone | {"sparse_top_matches"}


@pytest.mark.parametrize("operation", sorted(STATING))
def test_shapes_that_do_not_fit_are_refused(operation):
    """Every axis of every operand in turn: for the instruction alone, and where the document says what the value is."""
    half, n, i = next(
        (half, n, i)
        for half in ("forward", "backward")
        for n, i in enumerate(STRUCTURAL[half])
        if i["operation"] == operation
    )
    instruction = getattr(from_json(STRUCTURAL), half)[n]
    for role, number in i["operands"].items():
        shape = () if number is None else STRUCTURAL["values"][number]["shape"]
        for axis, size in enumerate(shape):
            if (operation, role, axis) == ("embedding", "W", 0):
                continue  # a table may have any number of rows, but its gradient has as many
            longer = (*shape[:axis], size + 5, *shape[axis + 1 :])
            wrong = replace(getattr(instruction, role), shape=longer, view_of=None)
            (found,) = unfitting([replace(instruction, **{role: wrong})])
            assert found.startswith(f"'{instruction.title}' ("), (role, axis)
            with pytest.raises(ThalwegError, match=r"^this program can't be read: the document says what can't be: "):
                from_json(changed(("values", number, "shape"), list(longer), STRUCTURAL))


@pytest.mark.parametrize("number", range(len(SEVERAL)))
def test_nothing_may_be_missing(number):
    document = json.loads(text(SEVERAL[number]))
    keys = [path for path in paths(document) if isinstance(path[-1], str)]
    for path in keys if number == 0 else keys[:: len(keys) // 100]:
        less = copy.deepcopy(document)
        place = less
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        if path[-1] != "view_of":  # without it, the numbers are copied
            with pytest.raises(ThalwegError, match="this program can't be read: "):
                from_json(less)


# --- the schema ------------------------------------------------------------------------------------------------------


check = jsonschema.Draft202012Validator(SCHEMA).validate


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", WRITTEN)
def test_programs_keep_to_the_schema(name):
    check(json.loads(text(to_json(lowered(name)))))


def keeps_to_the_schema(name):
    for i in filter(can_be_written, (of_row(name, shape) for shape in SHAPES[:2])):
        writer = Writer()
        written = writer.instruction(i)
        check(json.loads(text({**DOCUMENT, "values": writer.values, "forward": [written]})))


def test_the_schema_names_what_there_is():
    value = SCHEMA["$defs"]["value"]["properties"]
    assert (value["region"]["enum"], value["dtype"]["enum"]) == (list(REGIONS), list(DTYPES))


@pytest.mark.parametrize("change", [{"version": 2}, {"values": [{}]}, {"forward": [{}]}, {"more": 1}, {"every": 0}])
def test_a_document_that_breaks_the_schema_is_refused(change):
    with pytest.raises(jsonschema.ValidationError):
        check(DOCUMENT | change)


def test_an_accumulating_program_says_what_is_due():
    from thalweg.optimizers import SGD

    model = Sequential([Input((3,)), Dense(2)])
    model.compile(SGD(0.1, gradient_accumulation_steps=4), "mse")
    document = model.program().to_json()
    assert document["every"] == 4
    assert [i.get("due", False) for i in document["update"]].count(True) == 1
    assert from_json(document).every == 4


def test_a_step_of_a_table_names_nothing_unknown():
    """It has no equation, since it holds for some rows only; its text is checked all the same."""
    model = Sequential([Input((3,)), Embedding(9, 2), Flatten(), Dense(1)], seed=1)
    model.compile("sgd", "mse")
    document = json.loads(json.dumps(model.program().to_json()))
    (step,) = [i for i in document["update"] if i["operation"] == "table_update"]
    assert from_json(document)
    step["attributes"]["text"] = "w -= foo * dw"
    with pytest.raises(ThalwegError, match="uses 'foo', which nothing says"):
        from_json(document)
