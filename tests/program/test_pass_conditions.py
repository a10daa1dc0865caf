"""Damage to passes: each of their conditions is taken away in turn, and each time something has to notice it.

A pass whose condition is gone rewrites what it should have left as it is. In one of `networks.NETWORKS` the verifier
then refuses the result, there is no kernel for it, or the numbers are others. Conditions that only say when a rewriting
pays are in `PAYS`.
"""

import ast
import importlib
import inspect
import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from networks import NETWORKS, network
from test_pipeline import PASSES as LISTED
from test_pipeline import computed

from thalweg import Model
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.engine.reference import ReferenceExecutor
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.instructions.shapes import Slice
from thalweg.program.ir.instruction import Buffer
from thalweg.program.passes.draft import Pass, Request
from thalweg.program.passes.wanted import is_of_columns
from thalweg.program.plain import PLAIN

PASSES = tuple(LISTED)
MODULES = sorted({name for p in PASSES if "program.passes" in (name := p.rewrite.__module__)})
KINDS = ("training", "inference")

# Without these a pass does more than it should, and the numbers stay what they are.
PAYS = {
    "chains": {
        "chained: fits([*before, *chain])": "a kernel's table has so much room: test_chains.py",
        "chained: pays(chain)": "speed",
        "pays: len(chain) >= LEAST": "speed",
        "pays: any((m.operation.name not in PLAIN for m in chain))": "speed",
        "fits: len(values) <= MOST_VALUES": "a kernel's table has so much room: test_chains.py",
        "fits: sum((len(m.arguments) for m in chain)) <= MOST_NUMBERS": "a kernel's table has so much room",
        "same_elements: one.z.shape == reader.space": "speed: what is repeated would be computed again",
        "pointwise: i.per_row": "speed: what is done once a step would be done for each row",
        "pointwise: any((b is not None and b.by_columns for b in i.operands))": "the layout of native images",
    },
    "fuse": {
        "fuse_losses: readers": "speed: an activation would be written for nobody",
        "fuse_losses: any((a is y for y in shown))": "the same",
    },
    "masks": {
        "reuse_masks: kept(draft, i.a)": "memory",
        "reuse_masks: len(i.a.shape) == 1": "speed",
    },
    "wanted": {
        "narrow_input_gradients: after - first < i.dx.shape[-1]": "nothing would become narrower",
        "is_of_columns: s.steps[-1] == 1": "no gradient is cut in steps today; the next test",
    },
}


class Without(ast.NodeTransformer):
    """Takes the condition with this index away: an operand of `and`, `or`, or what decides an `if` or a filter."""

    def __init__(self, index: int) -> None:
        self.index, self.count, self.taken = index, 0, ""

    def neutral(self, node: ast.expr, value: bool) -> ast.expr:
        self.count += 1
        if self.count - 1 != self.index:
            return node
        self.taken = ast.unparse(node)
        return ast.Constant(value)

    def condition(self, node: ast.expr, value: bool = True) -> ast.expr:
        """A condition of which one part always holds, or never, so that more is rewritten: `value`."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ast.UnaryOp(ast.Not(), self.condition(node.operand, not value))
        if isinstance(node, ast.BoolOp):
            return ast.BoolOp(node.op, [self.condition(part, value) for part in node.values])
        return self.neutral(node, value)

    def visit_If(self, node: ast.If) -> ast.AST:
        leaves = isinstance(node.body[-1], ast.Continue | ast.Return)  # a reason to leave something as it is
        node.test = self.condition(node.test, not leaves)
        node.body = [self.visit(n) for n in node.body]
        node.orelse = [self.visit(n) for n in node.orelse]
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = [self.condition(test) for test in node.ifs]
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        return self.condition(node)


@cache
def model_of(name: str) -> Model:
    return network(name)


@cache
def listing(name: str, kind: str, passes: tuple[Pass, ...]) -> list[str]:
    return [
        f"{i.title}: {i.formula} {i.sizes}" for i in model_of(name)._compiled._lower(Request(kind), None, passes)[0]
    ]


@cache
def right(name: str, kind: str) -> Any:
    return computed(model_of(name), ReferenceExecutor, np.float64, kind, PLAIN)


def noticed(passes: tuple[Pass, ...]) -> bool:
    """Whether the verifier refuses what a damaged pass makes of some network, or its numbers are others."""
    for name, kind in itertools.product(NETWORKS, KINDS):
        usual = listing(name, kind, PASSES)
        try:
            if listing.__wrapped__(name, kind, passes) != usual:
                for i in model_of(name)._compiled._lower(Request(kind), None, passes)[0]:
                    assert isinstance(i, Reshape) or kernel_of(i)
                found = computed(model_of(name), ReferenceExecutor, np.float64, kind, passes)
                for value, expected in zip(found, right(name, kind), strict=True):
                    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)
        except Exception:
            return True
    return False


@pytest.mark.parametrize("module", MODULES)
def test_a_pass_without_one_of_its_conditions_is_noticed(module):
    unnoticed = []
    for damage, other in damaged(importlib.import_module(module)):
        passes = tuple(replace(p, rewrite=vars(other).get(p.rewrite.__name__, p.rewrite)) for p in PASSES)
        if not noticed(passes):
            unnoticed.append(damage)
    assert unnoticed == list(PAYS.get(module.rpartition(".")[2], {}))


def damaged(module: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """The module without one of its conditions, for each, with the function and the condition."""
    tree = ast.parse(inspect.getsource(module))
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        count = Without(-1)
        count.visit(ast.parse(ast.unparse(function)))
        for index in range(count.count):
            damage = Without(index)
            changed = damage.visit(ast.parse(ast.unparse(function)))
            other = ModuleType(module.__name__)
            other.__dict__.update(module.__dict__)
            exec(compile(ast.fix_missing_locations(changed), "damaged", "exec"), other.__dict__)
            for name, value in list(vars(other).items()):  # functions that call it
                if inspect.isfunction(value) and value.__module__ == module.__name__ and name != function.name:
                    vars(other)[name] = type(value)(value.__code__, vars(other), name, value.__defaults__)
            yield f"{function.name}: {damage.taken}", other


def test_steps_are_no_consecutive_columns():
    x, z = Buffer("x", (3, 8)), Buffer("z", (3, 4))
    assert is_of_columns(Slice(x, z, (0, 2), (1, 1)))
    assert not is_of_columns(Slice(x, z, (0, 0), (1, 2)))
