"""A draft of an exporter: a program's JSON becomes a Python file that needs NumPy alone.

It reads the document and nothing of thalweg: operations that state an equation are printed from it, the others from
`numpy_table.py`, a line each. What the lines call is in `numpy_runtime.py`, the head of every file written.

The file has a function `run(data, parameters, slots, order, …)`: it computes a step, changes parameters, slots and the
predictions among the data in place, and returns all values by number, the running sums under "totals".
"""

import ast
import math
from pathlib import Path

from numpy_table import LOSSES, OF_CLASSES, TABLE

HEAD = Path(__file__).with_name("numpy_runtime.py")
STEP = {"t": "update", **{n: n for n in ("iteration", "learning_rate", "rows", "batch_rows", "penalties")}}
# Functions of formulas: those with another name, and those of the head; the others are NumPy's.
RENAMED = {"min": "np.minimum", "max": "np.maximum", "round": "np.rint", "pow": "power", "normal": "cumulative_normal"}
OWN = ("sigmoid", "softplus", "logcosh", "tanh_shrink", "erf", "normal_density", "mish_gate", "mish_gate_slope",
       "pochhammer")  # fmt: skip


def literal(value):
    """An attribute as Python: words stand for numbers that JSON lacks, lists are tuples, pairs of names are not."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return f"float('{value}')"
    if isinstance(value, list):
        return tupled(map(literal, value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {literal(v)}" for k, v in value.items()) + "}"
    return repr(value)


def tupled(parts):
    """A tuple of texts or numbers, as Python."""
    return f"({''.join(f'{part}, ' for part in parts)})"


class Printed(ast.NodeTransformer):
    """An expression with other names, and the functions of formulas as NumPy's."""

    def __init__(self, names, formula):
        self.names, self.formula = names, formula

    def visit_Name(self, node):
        constants = {"pi": "np.pi", "inf": "np.inf"} if self.formula else {}
        text = self.names.get(node.id, constants.get(node.id, node.id))
        return ast.parse(text, mode="eval").body

    def visit_Call(self, node):
        if self.formula:
            name = node.func.id
            name = RENAMED.get(name, name if name in OWN else f"np.{name}")
            return ast.Call(ast.parse(name, mode="eval").body, [self.visit(a) for a in node.args], [])
        return self.generic_visit(node)

    def visit_Compare(self, node):
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        pairs = [ast.Compare(a, [op], [b]) for a, op, b in zip(sides, node.ops, sides[1:], strict=False)]
        return self.joined("np.logical_and", pairs) if self.formula else ast.Compare(sides[0], node.ops, sides[1:])

    def visit_BoolOp(self, node):
        join = "np.logical_and" if isinstance(node.op, ast.And) else "np.logical_or"
        return self.joined(join, [self.visit(value) for value in node.values])

    def visit_UnaryOp(self, node):
        inner = self.visit(node.operand)
        if self.formula and isinstance(node.op, ast.Not):
            return ast.Call(ast.parse("np.logical_not", mode="eval").body, [inner], [])
        return ast.UnaryOp(node.op, inner)

    @staticmethod
    def joined(join, parts):
        result = parts[0]
        for part in parts[1:]:
            result = ast.Call(ast.parse(join, mode="eval").body, [result, part], [])
        return result


def printed(expression, names, formula=False):
    tree = ast.parse(expression, mode="eval").body if isinstance(expression, str) else expression
    return ast.unparse(ast.fix_missing_locations(Printed(names, formula).visit(tree)))


class Exporter:
    """Writes the body of `run`."""

    def __init__(self, document):
        self.values, self.lines = document["values"], []
        self.every = document["every"]
        for n, v in enumerate(self.values):
            self.declare(n, v)
        step = [*document["forward"], *document["backward"]]
        late = [any(self.lasts(n) for n in i["sets"]) for i in step]
        for wanted in (False, True):
            for i, changes in zip(step, late, strict=True):
                if changes is wanted:
                    self.instruction(i)
        for i in document["update"]:
            self.instruction(i, "    " * (i.get("due", False) and self.every > 1))

    def region(self, n):
        return self.values[n]["region"]

    def lasts(self, n):
        """Whether a value is kept from step to step. A view of one is another shape of it, no change."""
        return self.region(n) in ("parameters", "slots") and "view_of" not in self.values[n]

    def placed(self, n):
        """Whether a value lies in a vector or an array of the caller's, and is changed in place."""
        return "offset" in self.values[n] or (self.region(n) == "data" and "numbers" not in self.values[n])

    def declare(self, n, v):
        shape, size = tuple(v["shape"]), math.prod(v["shape"])
        if "numbers" in v:
            self.lines.append(f"v{n} = np.array({literal(v['numbers'])}, float).reshape({shape})")
        elif "offset" in v:
            self.lines.append(f"v{n} = {v['region']}[{v['offset']}:{v['offset'] + size}].reshape({shape})")
        elif v["region"] == "data":
            self.lines.append(f"v{n} = data[{v['name']!r}]")
        elif "view_of" not in v:
            self.lines.append(f"v{n} = given.get({n})")

    def instruction(self, i, indent=""):
        if indent:
            self.lines.append(f"if iteration % {self.every} == 0:")
        lines = self.stated(i) if "equation" in i else self.listed(i)
        self.lines += [indent + line for line in lines]

    def result(self, n, text, adds):
        place = f"v{n}[...]" if self.placed(n) else f"v{n}"
        return f"{place} {'+=' if n in adds else '='} {text}"

    # --- operations that state an equation

    def of_rows(self, i):
        """An update whose equation holds in the rows of a table that occur in the batch."""
        counts, a = i["operands"]["counts"], i["attributes"]
        text = f"learning_rate = {a['factor']!r} * learning_rate\n{a['text'].strip()}"
        values, numbers = dict(i["operands"]["buffers"]), dict(a["numbers"])
        equation = {"text": text, "values": values, "numbers": numbers, "combine": "sum"}
        occurring = f"table_updated({{}}, {{}}, v{counts}, {a['columns']})"
        return self.stated({**i, "equation": equation}, occurring)

    def stated(self, i, where="{}"):
        """Lines that compute an equation: its names are local, its results are put where they belong at the end."""
        equation = i["equation"]
        values, named = equation["values"], equation["values"].values()
        rank, lead = max(len(self.values[n]["shape"]) for n in named), any(self.values[n]["per_row"] for n in named)
        space = [1] * rank
        for n in named:
            shape = [1] * (rank - len(self.values[n]["shape"])) + self.values[n]["shape"]
            space = [b if a == 1 else a for a, b in zip(space, shape, strict=True)]
        names = {**STEP, **{name: literal(number) for name, number in equation["numbers"].items()}}
        names |= {name: self.aligned(n, rank) for name, n in values.items()}
        lines, targets = [], {}
        for s in ast.parse(equation["text"]).body:
            lines += self.statement(s, names, targets)
        return lines + [
            self.result(
                n, where.format(self.fitted(n, names[name], space, lead, equation["combine"]), f"v{n}"), i["adds"]
            )
            for name, n in values.items()
            if name in targets
        ]

    def aligned(self, n, rank):
        v = self.values[n]
        missing = rank - len(v["shape"])
        return f"v{n}.reshape(rows, {'1, ' * missing}*{tuple(v['shape'])})" if v["per_row"] and missing else f"v{n}"

    def statement(self, s, names, targets):
        """The lines of a statement; from there on, its name is a local one."""
        if isinstance(s, ast.If):
            test = printed(s.test, names, formula=True)
            before = {name: names[name] for part in (*s.body, *s.orelse) if (name := part_of(part)[0]) in names}
            names.update({name: f"n_{name}" for name in before})
            lines = [f"n_{name} = {text}" for name, text in before.items()] + [f"if {test}:"]
            for body in (s.body, s.orelse):
                inner = [line for part in body for line in self.statement(part, names, targets)]
                lines += [f"    {line}" for line in inner or ["pass"]] + ["else:"] * (body is s.body)
            return lines
        name, value = part_of(s)
        line = f"n_{name} = {printed(value, names, formula=True)}"
        names[name] = targets[name] = f"n_{name}"
        return [line]

    def fitted(self, n, text, space, lead, combine):
        """The result along the axes of its value."""
        v = self.values[n]
        shape = [1] * (len(space) - len(v["shape"])) + v["shape"]
        axes = (0,) * (lead and not v["per_row"]) + tuple(k + lead for k in range(len(space)) if shape[k] != space[k])
        rows = ["rows"] * (lead or v["per_row"])
        whole, own = tupled([*rows, *space]), tupled([*rows * v["per_row"], *v["shape"]])
        return f"fit({text}, {whole}, {axes}, {own}, {combine!r})"

    # --- the others

    def listed(self, i):
        """The line of the table."""
        operation, attributes = i["operation"], dict(i["attributes"])
        if operation == "table_update":
            return self.of_rows(i)
        of = attributes.pop("of", None)
        if of is not None:
            attributes, operation = {**of["attributes"], **attributes}, f"{operation} {of['operation']}"
        operands = {**(of["operands"] if of is not None else {}), **i["operands"]}
        names = {(f"{k}_" if k in ("rows",) else k): literal(v) for k, v in attributes.items()}
        for name, n in operands.items():
            names[name] = tupled([f"v{k}" for k in n]) if isinstance(n, list) else "None" if n is None else f"v{n}"
            if isinstance(n, int):
                v = self.values[n]
                names |= {f"{name}_shape": str(tuple(v["shape"])), f"{name}_lead": str(int(v["per_row"]))}
        written = {name: n for name, n in i["operands"].items() if n in (*i["sets"], *i["adds"])}
        loss = operation.removeprefix("loss_and_gradient ")
        if loss in {*LOSSES, *OF_CLASSES}:
            texts = self.loss(loss, attributes, names)
            return [self.result(n, printed(texts[name], names), i["adds"]) for name, n in written.items()]
        assert operation in TABLE, f"give {operation} a line in tests/program/numpy_table.py"
        results, _, text = TABLE[operation].rpartition(" = ")
        if not results:
            (n,) = written.values()
            return [self.result(n, printed(text, names), i["adds"])]
        lines = [f"{', '.join(f'r_{name}' for name in results.split(', '))} = {printed(text, names)}"]
        named = {name: n for name, n in written.items() if name in results.split(", ")}
        return lines + [self.result(n, f"r_{name}", i["adds"]) for name, n in named.items()]

    def loss(self, operation, attributes, names):
        """The texts of a loss of whole rows, by the operand that they give a value."""
        if operation in OF_CLASSES:
            names["y"] = f"chosen({names['y']}, {names['p']}.shape[-1])"
        smoothing = attributes.get("label_smoothing", 0.0)
        if smoothing:
            names["y"] = f"({names['y']} * {1 - smoothing!r} + {smoothing!r} / {names['p']}.shape[-1])"
        value, slope = LOSSES[OF_CLASSES.get(operation, operation)]
        how = "weight, coefficient, total, batch_rows"
        return {"sums": f"loss_of({value}, {how})", "dp": f"slope_of({slope}, {how})", "a": "softmax(p)"}


def part_of(s):
    """The name that a statement assigns to, and the value."""
    if isinstance(s, ast.AugAssign):
        return s.target.id, ast.BinOp(ast.Name(s.target.id), s.op, s.value)
    return s.targets[0].id, s.value


BODY = """

def run(data, parameters, slots, order, batch_rows=None, first_row=0, seed=0, iteration=1, update=1, learning_rate=0.01,
        penalties=1.0, given={{}}):
    rows = len(order)
    batch_rows = batch_rows or rows
    gradients, totals, norms = np.zeros(parameters.size), np.zeros({totals}), np.zeros({norms})

    def draw(stream, *shape):
        return uniform(seed, iteration, stream, first_row, rows, shape)

{lines}
    totals[1] += rows
    return {{{values}, "totals": totals, "gradients": gradients}}
"""


def exported(document):
    """The text of a Python file."""
    return HEAD.read_text(encoding="utf-8") + run(document)


def run(document):
    """The text of its function `run`."""
    exporter = Exporter(document)
    values = document["values"]
    sizes = {
        region: max((v["offset"] + math.prod(v["shape"]) for v in values if v["region"] == region), default=0)
        for region in ("totals", "norms")
    }
    lines = "\n".join(f"    {line}" for line in exporter.lines)
    numbered = ", ".join(f"{n}: v{n}" for n in range(len(values)))
    return BODY.format(totals=max(sizes["totals"], 3), norms=sizes["norms"], lines=lines, values=numbered)
