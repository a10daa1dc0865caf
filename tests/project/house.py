"""What there is to count in a package: its modules, rooms, lines, imports, circles, and classes with subclasses."""

import ast
import importlib
import inspect
import tokenize
from collections import defaultdict
from functools import cached_property

NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


class House:
    """A package in the folder `root`, and the order of its rooms: rows of names, from top to bottom.

    A room is a folder, or a module that has a place of its own in the order."""

    def __init__(self, root, rooms):
        self.root, self.rooms = root, rooms
        names = {path.relative_to(root.parent).with_suffix("").parts: path for path in sorted(root.rglob("*.py"))}
        self.files = {".".join(parts).removesuffix(".__init__"): path for parts, path in names.items()}

    @property
    def modules(self):
        return sorted(self.files)

    @cached_property
    def folders(self):
        """Folder → its modules, without `__init__`."""
        found = {}
        for path in self.files.values():
            inside = found.setdefault(".".join(path.parent.relative_to(self.root.parent).parts), [])
            if path.name != "__init__.py":
                inside.append(path.stem)
        return found

    def room(self, module):
        """The longest name in the order that fits; the package's own name stands for its `__init__` alone."""
        fitting = [
            name
            for row in self.rooms
            for name in row
            if module == name or (name != self.root.name and module.startswith(name + "."))
        ]
        return max(fitting, key=len, default=None)

    def floor(self, module):
        """The number of the room's row, counted from the top."""
        room = self.room(module)
        return next((number for number, row in enumerate(self.rooms) if room in row), None)

    @cached_property
    def trees(self):
        return {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in self.files.items()}

    def imports(self, module):
        """(imported module, "top", "function" or "types"): at the top of the file, inside a function, or only for type
        checking."""
        path = self.files[module]
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]

        def visit(node, where):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    continue
                if isinstance(child, ast.Import):
                    yield from ((alias.name, where) for alias in child.names)
                elif isinstance(child, ast.ImportFrom):
                    base = child.module or ""
                    if child.level:
                        above = package.split(".")[: len(package.split(".")) - child.level + 1]
                        base = ".".join([*above, base]).strip(".")
                    for alias in child.names:
                        whole = f"{base}.{alias.name}"
                        yield (whole if whole in self.files else base), where
                inner = where
                if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                    inner = "types"
                elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    inner = "function"
                yield from visit(child, inner)

        found = visit(self.trees[module], "top")
        return {(name, where) for name, where in found if name.split(".")[0] == self.root.name}

    @cached_property
    def graph(self):
        """Module → the modules that it imports, wherever that stands and be it for a type alone."""
        return {m: {name for name, _ in self.imports(m) if name in self.files} - {m} for m in self.modules}

    def upwards(self):
        """(module, imported module, where) of every import of a room above."""
        every = [(m, name, where) for m in self.modules for name, where in sorted(self.imports(m))]
        return [(m, name, where) for m, name, where in every if self.floor(name) < self.floor(m)]

    def arrows(self):
        """The pairs of different rooms of which the first imports from the second."""
        pairs = {(self.room(m), self.room(name)) for m, names in self.graph.items() for name in names}
        return {(a, b) for a, b in pairs if a != b}

    def circles(self):
        """The sets of modules that reach each other by imports: strongly connected components of more than one."""
        return [sorted(circle) for circle in components(self.graph) if len(circle) > 1]

    def lines(self):
        return {m: len(path.read_text(encoding="utf-8").splitlines()) for m, path in self.files.items()}

    def code(self):
        """The same without empty lines, comments and texts that stand by themselves, such as docstrings."""
        return {m: len(code_lines(path, self.trees[m])) for m, path in self.files.items()}

    def by_room(self, counts):
        """Room → the sum over its modules."""
        found = dict.fromkeys((room for row in self.rooms for room in row), 0)
        for module, count in counts.items():
            found[self.room(module)] += count
        return found

    def namesakes(self):
        """Name → the modules that have it, where there are several; `__init__` and `__main__` are no names."""
        found = defaultdict(list)
        for module, path in self.files.items():
            if not path.stem.startswith("__"):
                found[path.stem].append(module)
        return {name: modules for name, modules in sorted(found.items()) if len(modules) > 1}

    @cached_property
    def loaded(self):
        return {m: importlib.import_module(m) for m in self.modules if not m.endswith("__main__")}

    def made(self):
        """The classes that the package calls, as `name()` or `module.name()`, by the names at the top of its files."""

        def called(function, loaded):
            if isinstance(function, ast.Attribute):
                of = getattr(loaded, getattr(function.value, "id", ""), None)
                return vars(of).get(function.attr) if inspect.ismodule(of) else None
            return getattr(loaded, getattr(function, "id", ""), None)

        calls = (
            called(node.func, loaded)
            for module, loaded in self.loaded.items()
            for node in ast.walk(self.trees[module])
            if isinstance(node, ast.Call)
        )
        return {thing for thing in calls if isinstance(thing, type)}

    def classes(self):
        """The package's classes that have subclasses in it, each with those that name it as a base."""
        found = {c for module in self.loaded.values() for c in vars(module).values() if isinstance(c, type)}
        own = {c for c in found if c.__module__.split(".")[0] == self.root.name}
        children = {c: [s for s in own if c in s.__bases__] for c in own}
        return {c: subclasses for c, subclasses in children.items() if subclasses}


def code_lines(path, tree):
    """The numbers of the lines that hold code."""
    texts = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    with path.open("rb") as file:
        found = {
            number
            for token in tokenize.tokenize(file.readline)
            if token.type not in NO_CODE
            for number in range(token.start[0], token.end[0] + 1)
        }
    return found - texts


def components(graph):
    """The strongly connected components of a graph (Tarjan 1972)."""
    number, low, path, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        path.append(node)
        for other in graph[node]:
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in path:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            start = path.index(node)
            found.append(set(path[start:]))
            del path[start:]

    for node in graph:
        if node not in number:
            visit(node)
    return found


def missing(kind):
    """The methods and properties that raise NotImplementedError, or are abstract."""
    found = set(getattr(kind, "__abstractmethods__", ()))
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        function = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
        if "NotImplementedError" in getattr(getattr(function, "__code__", None), "co_names", ()):
            found.add(name)
    return found


def is_abstract(kind, subclasses, made):
    """Whether a class with subclasses can't be used by itself.

    It can't if it leaves out a method that a subclass supplies. (That alone isn't enough to look for: an instruction
    without an adjoint has a method that raises, too, and works.) Where only data is left to subclasses, no method is
    missing; then its docstring has to say "Base of", or "Base:", and nothing in the package may call it. Errors are
    caught by their base, and a protocol has no objects."""
    if issubclass(kind, BaseException) or getattr(kind, "_is_protocol", False):
        return True
    if any(missing(kind) - missing(subclass) for subclass in subclasses):
        return True
    return (kind.__doc__ or "").startswith(("Base of ", "Base: ")) and kind not in made
