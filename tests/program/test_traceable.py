"""References that can't be traced are refused where their class is made, with the line and what to write."""

import contextlib
import importlib
import pkgutil
import re
import sys

import numpy as np
import pytest

import thalweg
from thalweg.errors import ThalwegError
from thalweg.program.graphs import value_functions
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Arrays, statement
from thalweg.program.graphs.traced_values import Value
from thalweg.program.ir import traced_names
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.ir.traceable import check

HEAD = """\
import functools
import math
import numpy as np
from numpy import median
from thalweg.program.ir.instruction import Buffer, Instruction

def steep(xp, x, limit=0.0):
    y = x - limit
    if y > 0:
        return y
    return -y

def steps(xp, x):
    return len(x), xp.tanh(x)

def halved(x):
    return float(x) / 2

class Own(Instruction):
    x: Buffer
    W: Buffer
    b: Buffer | None
    parts: tuple[Buffer, ...]
    z: Buffer
    size: int = 3
    name = "own"
    writes = ("z",)

    def helper(self, xp, x):
        return xp.fix(x)

    @staticmethod
    def static(xp, x):
        return xp.tan(x)

    def reference(self, xp, x, W, b, parts, step):
"""
FIRST = HEAD.count("\n") + 1  # the line of a reference's first statement
DECIDES = "numbers that aren't there yet can't decide; "
WHERE = f"{DECIDES}write xp.where(condition, a, b)"
THERE = "its numbers aren't there yet; "
NEW = "an array that is given never changes: "
EVERY = ", ".join(sorted(traced_names.FUNCTIONS))
PLACED = "write {0} = xp.where(places, new, {0}), or make it of parts by xp.concatenate or xp.stack"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function that makes the class whose reference has this body, in a file of its own."""
    count = iter(range(1000))

    def make(body, head=HEAD, tail=""):
        name = f"foreign_{next(count)}"
        text = head + "".join(f"        {line}\n" for line in body.splitlines()) + tail
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name).Own

    return make


REFUSED = {  # body → line of the body, what stands there, what is said
    "if x[0] > 0:\n    return x\nreturn W": (0, "x[0] > 0", WHERE),
    "y = x * 2\nz = y + 1\nif z.sum() > 0:\n    return x\nreturn W": (2, "z.sum() > 0", WHERE),
    "a, (c, d) = W, (1, x.mean())\nif c:\n    return W\nwhile d:\n    return a": (3, "d", WHERE),
    "for row in parts:\n    if row.max() > 1:\n        return W\nreturn x": (1, "row.max() > 1", WHERE),
    "k = 0\nfor _ in range(3):\n    if k:\n        return W\n    k = k + x": (2, "k", WHERE),
    "for n, (p, q) in enumerate(zip(parts, self.names)):\n    if n or q:\n        return W if p else x": (
        2, "W if p else x", WHERE),
    "return W if x.any() else x": (0, "W if x.any() else x", WHERE),
    "return [p for p in parts if p.sum()][0]": (0, "[p for p in parts if p.sum()]", WHERE),
    "return x and W": (0, "x and W", f"{DECIDES}write xp.logical_and(a, b)"),
    "return (x > 0) or (W > 0)": (0, "x > 0 or W > 0", f"{DECIDES}write xp.logical_or(a, b)"),
    "return not x": (0, "not x", f"{DECIDES}write xp.logical_not(a)"),
    "assert (x > 0).all()\nreturn x": (
        0, "(x > 0).all()", f"{DECIDES}leave it out, or ask for its shape"),
    "return 0 < x < 1": (
        0, "0 < x < 1", "of two comparisons the first decides; write xp.logical_and(a < x, x < b)"),
    "return 3 in x": (0, "3 in x", f"{DECIDES}write xp.any(x == number)"),
    "match x:\n    case 1:\n        return W": (0, "x", WHERE),
    "n = x.sum()\nreturn sum(W for _ in range(n))": (
        1, "range(n)", f"{DECIDES}go on for as long as may be, and {WHERE.removeprefix(DECIDES)}"),
    "return max(x, W)": (0, "max(x, W)", f"{DECIDES}write xp.maximum(a, b), or xp.max"),
    "return min(parts)": (0, "min(parts)", f"{DECIDES}write xp.minimum(a, b), or xp.min"),
    "return any(p > 0 for p in parts)": (0, "any((p > 0 for p in parts))", f"{DECIDES}write xp.any"),
    "if step.learning_rate > 1:\n    return x\nreturn W": (0, "step.learning_rate > 1", WHERE),
    "if step.drawn(xp, 1, (3,))[0]:\n    return x\nreturn W": (0, "step.drawn(xp, 1, (3,))[0]", WHERE),
    "if b:\n    return x\nreturn W": (0, "b", WHERE),
    "if (y := x.sum()) or True:\n    return y\nreturn W": (
        0, "(y := x.sum()) or True", f"{DECIDES}write xp.logical_or(a, b)"),
    "if self.size:\n    y = x\nelse:\n    y = 1\nif y:\n    return y\nreturn W": (4, "y", WHERE),
    "f = lambda v: v if v else W\nreturn f(x)": (0, "v if v else W", WHERE),
    "def f(v):\n    if v:\n        return W\n    return v\nreturn f(x)": (1, "v", WHERE),
    "kept = []\nfor p in parts:\n    kept.append(p)\nif kept[0]:\n    return x": (3, "kept[0]", WHERE),
    "kept = {}\nkept['x'] = x\nfor k, v in kept.items():\n    if k and v.sum():\n        return x": (
        3, "k and v.sum()", WHERE),
    "pairs = ((1, W), (2, x))\nn, y = pairs[0]\nif n:\n    if y:\n        return x": (3, "y", WHERE),
    "rest = parts[1:]\nif rest:\n    if rest[0]:\n        return x": (2, "rest[0]", WHERE),
    "first, *rest = parts\nif rest:\n    if rest[0]:\n        return x": (2, "rest[0]", WHERE),
    "y: object = x\nif y:\n    return W": (1, "y", WHERE),
    "if next(iter(list(parts))):\n    return W": (0, "next(iter(list(parts)))", WHERE),
    "print(y := x)\nif y:\n    return W": (1, "y", WHERE),
    "while self.size:\n    if W.sum() > 1:\n        x = W": (1, "W.sum() > 1", WHERE),
    "k = 0\nwhile k < 3:\n    k = x": (1, "k < 3", WHERE),
    "def f(*v):\n    if v[0]:\n        return W\n    return v\nreturn f(x)": (1, "v[0]", WHERE),
    "def f():\n    yield x\nif next(f()):\n    return W": (2, "next(f())", WHERE),
    "return x.sum(out=W)": (0, "x.sum(out=W)", f"{NEW}leave out= away, and take what is returned"),
    "return xp.tann(x)": (0, "xp.tann(x)", "xp.tann has no rule; did you mean xp.tan?"),
    "return xp.nanmean(x)": (0, "xp.nanmean(x)", "xp.nanmean has no rule; did you mean xp.mean?"),
    "return xp.std(x)": (
        0, "xp.std(x)", "xp.std has no rule; write xp.sqrt(xp.mean((x - xp.mean(x)) ** 2))"),
    "return xp.linalg.norm(W)": (
        0, "xp.linalg.norm(W)", "xp.linalg.norm has no rule; write xp.sqrt((x * x).sum())"),
    "return xp.dot(x, W)": (0, "xp.dot(x, W)", "xp.dot has no rule; write x @ y"),
    "return x + np.nanmax(W)": (0, "np.nanmax(W)", "np.nanmax has no rule; did you mean xp.max?"),
    "return median(x)": (0, "median(x)", "np.median has no rule; did you mean xp.mean?"),
    "return np.asarray(x)": (0, "np.asarray(x)", "write xp.asarray"),
    "return xp.float32(x)": (0, "xp.float32(x)", "write x.astype(xp.float32)"),
    "return xp.modf(x)": (0, "xp.modf(x)", "xp.modf has no rule; did you mean xp.mod?"),
    "return xp.hanning(x)": (
        0, "xp.hanning(x)", f"xp.hanning has no rule; write it by elementwise functions of xp and its {EVERY}"),
    "return x.std()": (0, "x.std()", "x.std has no rule; write xp.sqrt(xp.mean((x - xp.mean(x)) ** 2))"),
    "return x.clip(0, 1)": (0, "x.clip(0, 1)", "x.clip has no rule; write xp.clip(x, …)"),
    "return (x + 1).cumprod()": (0, "(x + 1).cumprod()", "x.cumprod has no rule; write xp.cumprod(x, …)"),
    "return x + xp.random.normal(size=3)": (
        0, "xp.random.normal(size=3)", "what it draws would be a constant; write step.drawn(xp, self.stream, shape)"),
    "x[0] = 1\nreturn x": (0, "x[0] = 1", NEW + PLACED.format("x")),
    "y = xp.zeros(3)\ny[1:] = W\nreturn y": (1, "y[1:] = W", NEW + PLACED.format("y")),
    "y = x\ny[0], n = W, 1\nreturn y": (1, "y[0], n = (W, 1)", NEW + PLACED.format("y")),
    "x[0] += 1\nreturn x": (0, "x[0] += 1", f"{NEW}write x[0] = x[0] + 1"),
    "x += W\nreturn x": (0, "x += W", f"{NEW}write x = x + W"),
    "total = 0\nfor p in parts:\n    total += p\nreturn total": (
        2, "total += p", f"{NEW}write total = total + p"),
    "return xp.exp(x, out=x)": (
        0, "xp.exp(x, out=x)", f"{NEW}leave out= away, and take what is returned"),
    "return float(x[0])": (0, "float(x[0])", f"{THERE}write x.astype(dtype), or x itself"),
    "return W * int(x)": (0, "int(x)", f"{THERE}write xp.trunc(x)"),
    "return x.sum().item()": (0, "x.sum().item()", f"{THERE}compute with x.sum() itself"),
    "return x.tolist()": (0, "x.tolist()", f"{THERE}compute with x itself"),
    "return math.exp(x)": (0, "math.exp(x)", "it takes one number; write xp.exp"),
    "return round(x)": (0, "round(x)", "it takes one number; write xp.rint(x)"),
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED)
def test_what_cannot_be_traced_is_refused_with_its_line(made, tmp_path, body):
    line, stands, said = REFUSED[body]
    with pytest.raises(ThalwegError) as refused:
        made(body)
    place, _, rest = str(refused.value).partition(": ")
    assert re.sub(r"foreign_\d+", "foreign", place) == f"{tmp_path / 'foreign.py'}, line {FIRST + line}"
    assert rest == f"Own.reference can't be traced at `{stands}`: {said}"


IN_HELPERS = {  # body → a line of the file, what stands there
    "return steep(xp, x)": ("if y > 0:", "y > 0"),
    "return steep(xp, W, limit=x)": ("if y > 0:", "y > 0"),
    "return steep(x=x, xp=xp)": ("if y > 0:", "y > 0"),
    "return halved(x)": ("return float(x) / 2", "float(x)"),
    "return self.static(xp, x)": ("return xp.tan(x)", None),
    "n, y = steps(xp, x)\nif n:\n    return y\nreturn W if y else x": ("return W if y else x", "W if y else x"),
}


@pytest.mark.parametrize("body", IN_HELPERS)
def test_functions_that_a_reference_calls_are_read_too(made, body):
    line, stands = IN_HELPERS[body]
    if stands is None:
        made(body)
        return
    at = [text.strip() for text in (HEAD + body).splitlines()].index(line) + 1
    with pytest.raises(ThalwegError, match=re.escape(f", line {at}: Own.reference can't be traced at `{stands}`")):
        made(body)


def test_a_method_of_the_instruction_is_read_too(made):
    with pytest.raises(ThalwegError, match=r"at `xp\.fix\(x\)`: xp\.fix has no rule; "):
        made("return self.helper(xp, x)")
    assert made("return self.other(xp, x)")  # what isn't known is checked when it is traced


ALLOWED = [
    "if b is None:\n    return x @ W\nreturn x @ W + b",
    "return x @ W + (0 if b is None or len(x) == 1 else b)",
    "if b is not None and x.shape[0] > 3 and not x.ndim == 1:\n    x = x + b\nreturn x",
    "n, *row = x.shape\nwhile n > 2:\n    n -= 1\nreturn x if n in row else W",
    "if xp.ndim(x) and x.dtype.kind == 'f' and x.size > 2 and xp.__name__ == 'numpy':\n    return x\nreturn W",
    "if self.size and self.W.per_row or not self.parts:\n    return x\nreturn W if isinstance(b, int) else x",
    "if isinstance(x, float):\n    return x if x > 0 else W\nreturn x",
    "for k in range(len(x)):\n    if k:\n        x = x + k\nreturn x",
    "for k, p in enumerate(parts):\n    x = x + p if k else x\nreturn x",
    "for n, p in zip((1, 2), parts):\n    if n > 1 and p is not None:\n        x = x + p\nreturn x",
    "for n, v in ((1, x), (2, W)):\n    if n > 1:\n        x = x + v\nreturn x",
    "if not parts:\n    return x\nfirst, *rest = parts\nreturn sum(rest, first) if rest else first",
    "kept = []\nfor p in parts:\n    kept.append(p * 2)\nkept += [x]\nreturn xp.stack(kept) if len(kept) > 1 else x",
    "kept = {}\nfor k in range(2):\n    kept[k] = x * k\nreturn sum(v for k, v in kept.items() if k)",
    "table = np.zeros((3, 3))\ntable[[0, 1], [1, 2]] = 1\nreturn x @ table if table.any() else x",
    "n = float(self.size) + int(x.shape[0]) + max(x.ndim, 2) + math.prod(x.shape)\nreturn x if n > 2 else W",
    "return any(p is None for p in parts) or max(len(p) for p in parts)",
    "eps = xp.finfo(x.dtype).eps\nreturn xp.where(x > eps, x, xp.linspace(0, 1, 3)) if eps < 1 else x",
    "return functools.reduce(xp.maximum, parts)",
    "if step.rows > 3 or step.seed:\n    return x * step.learning_rate\nreturn x",
    "f = lambda v, n: v * n if n else v\nreturn f(x, 2)",
    "n, y = steps(xp, x)\nreturn y if n > 1 else x",
    "a, c = xp.split(x, 2, axis=1)\nreturn xp.maximum(a, c).sum(axis=0) * (not self.size)",
    "y = x.T.reshape(-1).astype(xp.float32)\nz = -abs(y) ** 2 % 3\nreturn ~(z > 0) & (z < 9) | (z == 0)",
    "n, y = ((1, W), x)[0]\nreturn y if n else x",
    "kept = {1: x}\nreturn W if kept.pop(1) is x and kept.get('n', 0) is None else x",
    "kept = xp.zeros(3).tolist()\nreturn x if kept[0] > 1 else W",
    "k = 1\nif b is None:\n    k = x\n    return k\nreturn W if k else x",
    "return (x if x > 0 else W) if isinstance(x, float) else x",
    "keys = {1: x}\nreturn W if any(k > 1 for k in keys.keys()) else x",
    "return x" + ".copy()" * 40,  # each is read once
    "return super().reference(xp, x) if self.size else x",
    "y: object = x\nwith np.errstate(all='ignore'):\n    y = xp.exp(y)\nreturn y",
]


@pytest.mark.parametrize("body", ALLOWED)
def test_what_depends_on_no_number_of_an_array_may_decide(made, body):
    assert made(body).name == "own"


def test_every_rule_is_needed_to_allow_what_is_allowed(made):
    """The controls: the same texts with numbers of arrays in the place of what is known."""
    with pytest.raises(ThalwegError, match="`n > 2`"):
        made("n, *row = x\nwhile n > 2:\n    n = n - 1\nreturn x")
    with pytest.raises(ThalwegError, match=r"`x\[0\] > 3`"):
        made("if b is None and x.ndim:\n    return x\nif x[0] > 3:\n    return W\nreturn x")
    with pytest.raises(ThalwegError, match="`W if n > 1 else x`"):
        made("y, n = steps(xp, x)\nreturn W if n > 1 else x")


def test_a_function_beside_a_class_within_a_function_is_read_too(made):
    """Names of the function around it are known, but for those that come later."""
    head = HEAD.replace("class Own", "def outer():\n  def bent(xp, x):\n    return W if x else x\n\n  class Own")
    start = head.index("  class Own") + 2
    head, tail = head[:start] + head[start:].replace("\n", "\n  "), "  later = None\n  return Own\n\nOwn = outer()\n"
    assert made("  return x if later is None else later(xp, x)", head.removesuffix("  "), tail)
    with pytest.raises(ThalwegError, match="at `W if x else x`"):
        made("  return bent(xp, x)", head.removesuffix("  "), tail)


def own_classes():
    for module in pkgutil.walk_packages(thalweg.__path__, "thalweg."):
        if module.name.startswith(
            ("thalweg.program.", "thalweg.engine.native.", "thalweg.layers.", "thalweg.tabular.")
        ):
            with contextlib.suppress(ModuleNotFoundError):  # what isn't installed, such as MPI
                importlib.import_module(module.name)
    waiting = [Instruction]
    for kind in waiting:
        waiting += kind.__subclasses__()
    return {kind for kind in waiting[1:] if kind.__module__.startswith("thalweg.")}


def test_all_references_of_the_library_can_be_traced():
    classes = own_classes()
    assert len(classes) > 150
    for kind in classes:
        check(kind)


def test_a_class_of_the_library_is_not_read_where_it_is_made(made, monkeypatch):
    """Its text isn't looked for: imports stay light."""

    def unwanted(kind):
        raise AssertionError(kind)

    monkeypatch.setattr("thalweg.program.ir.traceable.check", unwanted)
    scope = {"Instruction": Instruction, "__name__": "thalweg.program.instructions.other"}
    exec("class Other(Instruction):\n    def reference(self, xp, x):\n        return x", scope)
    with pytest.raises(AssertionError, match="Own"):
        made("return x")


def test_a_class_whose_text_is_not_kept_is_checked_when_it_is_traced():
    scope = {"Instruction": Instruction, "Buffer": Buffer, "__name__": "typed"}
    exec(
        """
class Typed(Instruction):
    x: Buffer
    z: Buffer
    how: str
    name = "typed"
    printed = "{z} of {x}"
    writes = ("z",)

    def reference(self, xp, x):
        return eval(self.how)
""",
        scope,
    )
    x, z = Buffer("x", (3,)), Buffer("z", (3,))
    for how, said in {
        "x if x > 0 else -x": "can't decide which way to go; write xp.where(condition, a, b)",
        "xp.median(x)": "xp.median has no rule; did you mean xp.mean?",
        "float(x)": "leave float() and int() away, or write x.astype(dtype)",
        "int(x)": "leave float() and int() away, or write x.astype(dtype)",
        "x.__setitem__(0, 1)": "an array that is given never changes; write x = xp.where(places, new, x)",
        "x.__iadd__(1)": "an array that is given never changes; write x = x + y for x += y, and leave out= away",
        "xp.modf(x)": "xp.modf returns several arrays; compute each by a function of its own",
        "x[0] @ x[-1]": "a product of vectors has no rule; write x[None, :] @ W, or (x * y).sum(-1)",
        "x[..., np.array([1])]": "such an index has no rule; write xp.take(x, places, axis)",
        "xp.pad(x, 1, mode='wrap')": "padding by 'wrap' has no rule; write xp.concatenate of x and parts of it",
        "xp.einsum('ij->i', x)": "einsum 'ij->i' has no rule; write one of two arrays, with -> and each letter once",
        "[*x]": "it takes the rows one by one, as a Python function of a number does; compute with all",
    }.items():
        scope["np"] = np
        with pytest.raises(ThalwegError, match=re.escape(said)) as refused:
            statement(scope["Typed"](x, z, how), Arrays(ROWS, np.float32, ROWS))
        assert str(refused.value).startswith("typed (z of x) can't be exported: ")


def test_the_names_are_those_of_the_graphs():
    own = {name for name in vars(value_functions.Tracing) if not name.startswith("__")}
    assert value_functions.FUNCTIONS.keys() - {"gathered"} == traced_names.FUNCTIONS
    assert own - {"take"} == traced_names.OWN
    methods = {name for name, f in vars(Value).items() if callable(f) and not name.startswith("_")}
    assert methods == traced_names.METHODS
    assert not any(traced_names.known(name) for name in ("modf", "median", "linalg", "vecdot", "absent"))
    assert all(map(traced_names.known, ("exp", "abs", "matmul", "isfinite", "logical_and", "sum")))


def test_what_is_written_instead_of_a_function_is_known():
    for name, write in traced_names.INSTEAD.items():
        assert not traced_names.known(name)
        for used in re.findall(r"xp\.(\w+)", write):
            assert traced_names.known(used) or used in traced_names.OWN, (name, used)
        assert set(re.findall(r"x\.(\w+)", write)) <= traced_names.METHODS | {"sum"} | set(
            re.findall(r"xp\.(\w+)", write)
        )


def test_a_full_array_of_what_is_computed_is_traced():
    x = Value("name", (), (2, 3), np.dtype(np.float32), {"buffer": None})
    full = value_functions.Tracing().full((2, 3), x.sum())
    assert (full.function, full.shape) == ("broadcast_to", (2, 3))
