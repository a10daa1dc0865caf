"""A written program, read back. A file is data: it names operations of a table, and its texts are checked formulas."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args, get_origin

from thalweg.errors import ThalwegError
from thalweg.program.formula.checking import check_text
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.operations import Operation
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.interchange.operation_names import (
    FORMAT,
    VERSION,
    hints,
    is_operand,
    is_record,
    operations,
    optional,
)
from thalweg.program.interchange.writing import PLACED, Writer
from thalweg.program.ir.instruction import DATA, DTYPES, REGIONS, Buffer, Constant, Instruction
from thalweg.program.ir.program import Program
from thalweg.program.passes.fitting import unfitting
from thalweg.program.passes.verifier import order_violations, wrong_values

HALVES = ("forward", "backward", "update")
STEP = ("t", "iteration", "learning_rate", "rows", "batch_rows", "penalties")  # what equations may use besides
MOST_AXES = 16
MOST_ELEMENTS = 1 << 40
LARGEST = (1 << 63) - 1
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# What operations raise whose fields contradict one another.
CONTRADICTIONS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError
)  # fmt: skip


def from_json(document: Any) -> Program:
    """The program that `to_json` wrote.

    Shapes are checked as far as operations state them, ids are not: an engine has to check bounds.

    Raises:
        ThalwegError: it has another version, or isn't such a program; the sentence says where and why.
    """
    try:
        return program(document)
    except CONTRADICTIONS as error:
        if isinstance(error, ThalwegError):
            raise
        raise wrong("the document", "contradicts itself") from error


def program(document: Any) -> Program:
    """The program, if the document doesn't contradict itself."""
    keys(document, ("format", "version", "every", "values", *HALVES), "the document")
    if document["format"] != FORMAT:
        raise wrong("the document", f"has the format {shown(document['format'])}, not {FORMAT!r}")
    if document["version"] != VERSION or isinstance(document["version"], bool):
        raise wrong("the document", f"has the version {shown(document['version'])}, this thalweg reads {VERSION}")
    reader = Reader()
    for given in items(document["values"], "values"):
        reader.add(given)
    read = {
        half: [reader.instruction(given, f"{half}[{n}]") for n, given in enumerate(items(document[half], half))]
        for half in HALVES
    }
    every = whole(document["every"], "every", least=1)
    found = Program(read["forward"], read["backward"], read["update"], every)
    for violation in (*order_violations(found), *wrong_values(found), *unfitting(found)):
        raise wrong("the document", f"says what can't be: {violation}")
    if unused := set(range(len(reader.values))) - reader.used:
        raise wrong(f"values[{min(unused)}]", "is used by nothing")
    return found


def wrong(where: str, what: str) -> ThalwegError:
    return ThalwegError(f"this program can't be read: {where} {what}")


def shown(given: Any) -> str:
    """A value from a file, no longer than fits a sentence."""
    text = repr(given) if not isinstance(given, (list, dict)) else type(given).__name__
    return text if len(text) <= 50 else f"{text[:50]}…"


def keys(given: Any, needed: Collection[str], where: str, more: Collection[str] = ()) -> None:
    """Raises unless this is an object with these keys, and no others but `more`."""
    if not isinstance(given, dict):
        raise wrong(where, f"has to be an object, not {shown(given)}")
    for name in needed:
        if name not in given:
            raise wrong(where, f"lacks {name!r}")
    for name in given:
        if name not in needed and name not in more:
            raise wrong(where, f"has {shown(name)}, which nothing reads")


def items(given: Any, where: str) -> list[Any]:
    if not isinstance(given, list):
        raise wrong(where, f"has to be a list, not {shown(given)}")
    return given


def whole(given: Any, where: str, least: int = -LARGEST, most: int = LARGEST) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise wrong(where, f"has to be a whole number, not {shown(given)}")
    if not least <= given <= most:
        raise wrong(
            where, f"has to be from {least} to {most}, not {given:.6g}" if abs(given) < 1e300 else "is too large"
        )
    return given


def real(given: Any, where: str) -> float:
    if isinstance(given, str) and given in WORDS:
        return WORDS[given]
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not -1e309 < given < 1e309:
        raise wrong(where, f"has to be a number, not {shown(given)}")
    return float(given)


def text(given: Any, where: str, choices: Sequence[str] = ()) -> str:
    if not isinstance(given, str):
        raise wrong(where, f"has to be a text, not {shown(given)}")
    if choices and given not in choices:
        raise wrong(where, f"has to be one of {', '.join(choices)}, not {shown(given)}")
    return given


def truth(given: Any, where: str) -> bool:
    if not isinstance(given, bool):
        raise wrong(where, f"has to be true or false, not {shown(given)}")
    return given


class Reader:
    """Makes values and instructions of their descriptions."""

    def __init__(self) -> None:
        self.values: list[Buffer] = []
        self.used: set[int] = set()
        self.writer = Writer()

    def add(self, given: Any) -> None:
        """The next value."""
        made = self.value(given, f"values[{len(self.values)}]")
        self.writer.numbers[made] = len(self.values)
        self.values.append(made)

    def buffer(self, given: Any, where: str) -> Buffer:
        """A value by its number, one of those that came before."""
        place = whole(given, where, 0, len(self.values) - 1)
        self.used.add(place)
        return self.values[place]

    def value(self, given: Any, where: str) -> Buffer:
        optional_keys = ("numbers", "view_of", "offset")
        keys(given, ("name", "shape", "dtype", "region", "per_row"), where, optional_keys)
        name = text(given["name"], f"{where}.name")
        axes = items(given["shape"], f"{where}.shape")
        shape = tuple(whole(n, f"{where}.shape", 0, MOST_ELEMENTS) for n in axes)
        if len(shape) > MOST_AXES or math.prod(shape) > MOST_ELEMENTS:
            raise wrong(f"{where}.shape", "is larger than any memory")
        region = text(given["region"], f"{where}.region", REGIONS)
        dtype = text(given["dtype"], f"{where}.dtype", DTYPES)
        per_row = truth(given["per_row"], f"{where}.per_row")
        if "numbers" in given:
            numbers = [real(n, f"{where}.numbers") for n in items(given["numbers"], f"{where}.numbers")]
            constant = Constant(name, numbers)
            if len(numbers) != math.prod(shape) or (region, dtype, per_row) != (DATA, constant.dtype, False):
                raise wrong(where, "is no constant, which has a number for each element and lies among the data")
            return Constant(name, constant.values.reshape(shape))
        result = Buffer(name, shape, region, per_row, dtype=dtype)
        if "view_of" in given:
            result.view_of = self.buffer(given["view_of"], f"{where}.view_of")
        if (region in PLACED and result.view_of is None) != ("offset" in given):
            raise wrong(where, f"needs an offset just if it lies among {', '.join(PLACED)} and is no view")
        if "offset" in given:
            result.offset = whole(given["offset"], f"{where}.offset", 0, MOST_ELEMENTS)
        return result

    def instruction(self, given: Any, where: str) -> Instruction:
        """An instruction whose sums, ids and equation are what the file says."""
        keys(given, ("operation", "operands", "attributes", "sets", "adds"), where, ("due", "ids", "equation"))
        made = {key: given[key] for key in ("operation", "operands", "attributes")}
        try:
            result = self.operation(made, where)
            derived = self.writer.derived(result)
            if (stated := result.stated) is not None:
                check_text(stated.text, (*stated.values, *stated.numbers, *STEP))
        except ThalwegError as error:
            raise error if str(error).startswith("this program") else wrong(where, f"can't be: {error}") from None
        except CONTRADICTIONS as error:
            raise wrong(where, "has operands and attributes that contradict one another") from error
        for key in ("sets", "adds", "due", "ids", "equation"):
            if not same(given.get(key), derived.get(key)):
                raise wrong(f"{where}.{key}", "isn't what follows from its operation, operands and attributes")
        return result

    def operation(self, given: Any, where: str, kind: type[Instruction] = Instruction) -> Instruction:
        """An instruction of a kind from its operation, operands and attributes."""
        keys(given, ("operation", "operands", "attributes"), where)
        name = text(given["operation"], f"{where}.operation")
        found = operations().get(name)
        if found is None:
            raise wrong(f"{where}.operation", f"is {shown(name)}, which this thalweg doesn't know")
        if not issubclass(found, kind):
            raise wrong(f"{where}.operation", f"is {shown(name)}, which can't stand here")
        types = hints(found)
        operands, attributes = (
            [key for key, hint in types.items() if is_operand(hint) is wanted] for wanted in (True, False)
        )
        keys(given["operands"], operands, f"{where}.operands")
        keys(given["attributes"], attributes, f"{where}.attributes")
        every: Mapping[str, Any] = {**given["operands"], **given["attributes"]}
        made = {key: self.decoded(hint, every[key], f"{where}.{key}") for key, hint in types.items()}
        if issubclass(found, Statements):
            check_text(made["text"], (*made["buffers"], *made["numbers"], *STEP))
        return found(**made)

    def decoded(self, hint: Any, given: Any, where: str) -> Any:
        """A field's value, by the field's type."""
        hint, may_lack = optional(hint)
        if given is None and may_lack:
            return None
        origin, parts = get_origin(hint), get_args(hint)
        if origin is tuple:
            several = items(given, where)
            kinds = parts[:1] * len(several) if parts[-1] is ... else parts
            if len(kinds) != len(several):
                raise wrong(where, f"has {len(several)} parts, not {len(kinds)}")
            return tuple(self.decoded(kind, part, where) for kind, part in zip(kinds, several, strict=True))
        if origin is not None and issubclass(origin, Mapping):
            pairs = [items(pair, where) for pair in items(given, where)]
            if any(len(pair) != 2 for pair in pairs):
                raise wrong(where, "has to be a list of pairs")
            result = {text(name, where): self.decoded(parts[1], part, where) for name, part in pairs}
            if len(result) < len(pairs):
                raise wrong(where, "names something twice")
            return result
        return self.single(hint, given, where)

    def single(self, hint: Any, given: Any, where: str) -> Any:
        """A field's value that is neither a tuple nor a mapping."""
        if hint is bool:
            return truth(given, where)
        if hint is int:
            return whole(given, where)
        if hint is float:
            return real(given, where)
        if hint is str:
            return text(given, where)
        if issubclass(hint, Buffer):
            found = self.buffer(given, where)
            if not isinstance(found, hint):
                raise wrong(where, f"has to be the number of a constant, not of {shown(found.name)}")
            return found
        if issubclass(hint, Instruction):
            return self.operation(given, where, hint)
        assert is_record(hint), f"no value of type {hint} can be read"
        types = hints(hint)
        keys(given, tuple(types), where)
        made = {name: self.decoded(kind, given[name], f"{where}.{name}") for name, kind in types.items()}
        for formula in texts_of(hint, made):
            try:
                check_text(formula)
            except ThalwegError as error:
                raise wrong(where, f"has a text that isn't one: {error}") from None
        return hint(**made)


def texts_of(kind: Any, made: Mapping[str, Any]) -> list[str]:
    """The formulas among the fields of an equation or an operation on values; an empty one stands for none."""
    if kind is Equation:
        return [made["value"], *filter(None, (made["slope"], *made["by_parameter"]))]
    return [made["value"], *filter(None, made["slopes"].values())] if kind is Operation else []


def same(one: Any, other: Any) -> bool:
    """Whether two documents say the same: 1 is 1.0, but not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(part, other[key]) for key, part in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
