"""Formulas as Python that Keras computes and differentiates, for exported programs."""

from __future__ import annotations

import ast
from functools import reduce

from thalweg.play.exports.exports_as_json import FUNCTIONS
from thalweg.play.requests.refusal import RefusedError


class Translation(ast.NodeTransformer):
    """Calls become calls of keras.ops, and a condition becomes ops.where."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise RefusedError("Keras has no {name} for this formula", name=name)
        arguments: list[ast.expr] = [self.visit(argument) for argument in node.args]
        if name in ("min", "max"):
            return reduce(lambda a, b: call(FUNCTIONS[name], a, b), arguments)
        return call(FUNCTIONS[name], *arguments)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return call("where", self.visit(node.test), self.visit(node.body), self.visit(node.orelse))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.parse({"pi": "np.pi", "e": "np.e"}.get(node.id, node.id), mode="eval").body


def call(name: str, *arguments: ast.expr) -> ast.Call:
    """ops.name(arguments)"""
    function = ast.Attribute(ast.Name("ops", ast.Load()), name, ast.Load())
    return ast.Call(function, list(arguments), [])


def in_keras(text: str) -> str:
    """A formula in the functions of keras.ops.

    >>> in_keras("x if x > 0 else exp(x) - 1")
    'ops.where(x > 0, x, ops.exp(x) - 1)'
    >>> in_keras("max(x, 0, -x)")
    'ops.maximum(ops.maximum(x, 0), -x)'
    """
    tree = Translation().visit(ast.parse(text.strip(), mode="eval"))
    return ast.unparse(ast.fix_missing_locations(tree))
