"""A module of passes without one of its conditions, for each of them."""

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType


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
        last = node.body[-1]
        nothing = isinstance(last, ast.Return) and ast.unparse(last) in ("return", "return None", "return False")
        leaves = nothing or isinstance(last, ast.Continue)  # a reason to leave something as it is
        node.test = self.condition(node.test, not leaves)
        node.body = [self.visit(n) for n in node.body]
        node.orelse = [self.visit(n) for n in node.orelse]
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = [self.condition(test) for test in node.ifs]
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        return self.condition(node)


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
