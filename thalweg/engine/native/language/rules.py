"""What isn't in the language: an error names the function's file and line, the rule, and what to write instead."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

RULES = {
    "construct": "{what} isn't in the language of kernels: {instead}",
    "name": "there is no {name!r} here: a kernel knows its arguments, what it has assigned, and what its module holds",
    "unassigned": "{name!r} has no value on every path that leads here: give it one before",
    "types": "{name!r} is {first} before and {second} here: give the other one a name of its own",
    "operands": "{what} of {first} and {second} isn't in the language",
    "return": "{function} returns a value, but not on every path: end it with a return",
    "recursion": "{function} calls itself, which a kernel can't: write a loop",
    "depth": "{function} has an expression that is nested too deeply: give its parts names",
    "known": "{what} has no value: {error}",
    "range": "{what} is beyond the whole numbers of 64 bits: write {what}.0",
    "loop": "a loop goes over range(…), independent(…), or over a tuple that is known when the kernel is compiled",
    "independent": "a loop over independent(…) goes on to its end: no break or return; write range(…)",
    "unrolled": "a loop over a tuple goes on to its end: no break or continue; write range(…), or an if",
    "call": "{called} can't be called in a kernel: it calls compiled and emitted functions, and {known}",
    "arguments": "{called} is called with {count} arguments, and takes {taken}",
    "index": "{what}: an index is a whole number, from 0 on; rows take two, [i, j], or one for a row",
    "negative": "an index of {value}: an array isn't counted from its end; write x[x.size - {back}]",
    "field": "{record} has no {name!r}; it has: {fields}",
    "value": "{what} is no number or array: it can be called, or looked into",
    "condition": "{what} has no truth value",
    "unpacking": "{count} values for {taken} names",
}


class LanguageError(Exception):
    """A function isn't in the language of kernels.

    Attributes:
        rule: the name of the rule. file, line: where the function breaks it.
    """

    def __init__(self, rule: str, file: str, line: int, **values: Any) -> None:
        self.rule, self.file, self.line = rule, file, line
        self.said = RULES[rule].format(**values)
        super().__init__(f"{file}:{line}: {self.said}")


class Broken(Exception):
    """A rule is broken at the node that is translated."""

    def __init__(self, rule: str, **values: Any) -> None:
        super().__init__(rule)
        self.rule, self.values = rule, values


@dataclass(frozen=True)
class Source:
    """The syntax tree of a function, and the place of its first line."""

    tree: ast.FunctionDef
    file: str
    first: int

    def error(self, node: ast.AST, broken: Broken) -> LanguageError:
        """The error at a node."""
        line = self.first + getattr(node, "lineno", 1) - 1
        return LanguageError(broken.rule, self.file, line, **broken.values)


@lru_cache(maxsize=4096)
def source_of(function: Callable[..., Any]) -> Source:
    """The source of a function of a file, or of a text that `linecache` knows."""
    code = function.__code__
    lines = inspect.getblock(linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :])
    if not lines:
        raise LanguageError("construct", code.co_filename, code.co_firstlineno, what="a function without its source",
                            instead="define it in a file")  # fmt: skip
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise LanguageError("construct", code.co_filename, code.co_firstlineno, what="a lambda", instead="write def")
    return Source(tree, code.co_filename, code.co_firstlineno)
