"""Object code from numba: one file per kernel, which calls nothing in numba and can be loaded without it.

numba optimises every function with all that it calls, and makes machine code of it, before it continues with its
caller: a function six calls deep is optimised and generated six times. Here its libraries hold what it has lowered, and
LLVM optimises the whole kernel once, when it also sees what each function is called with. A family of micro-kernels is
optimised and kept separately; kernels call it by name.

numba wraps the compiled function in a C function that turns errors into Python exceptions with the help of numba's
runtime. Our own wrapper leaves that out. It relies on the two pointers, for its result and its error, that a compiled
function takes before its arguments, and on the status that it returns.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as binding
import numba
from llvmlite import ir
from numba import types
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import FastMathOptions
from numba.core.fastmathpass import rewrite_module
from numba.core.registry import cpu_target

from thalweg.engine.native.compiler.frontend import sooner
from thalweg.engine.native.compiler.kernel import SYMBOL, CompilerError, Kernel, symbol_of
from thalweg.engine.native.compiler.levels import LEVEL
from thalweg.engine.native.compiler.llvm import BYTES, FLAGS, I32, I64, architecture, triple
from thalweg.engine.native.compiler.shared import Shared
from thalweg.engine.native.compiler.system import FAILED

KERNEL = types.void(*(types.CPointer(t) for t in (types.int64, types.float64, types.int64, types.float64)))
METHOD = types.int64(types.int64, types.int64)
OPTIONS = {"fastmath": FLAGS["fastmath"], "error_model": FLAGS["error_model"], "nopython": True}
RUNTIME = ("NRT_", "numba_")  # prefixes of functions that only numba has
ADDRESSES = "numba.dynamic.globals"  # prefix of variables into which numba writes addresses
DESTRUCTOR = "NRT_MemInfo_call_dtor"


class _Library(JITCodeLibrary):  # type: ignore[misc]
    """A function and what it calls, as numba lowers them: neither optimised nor made machine code."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def finalize(self) -> None:
        """Leaves what it calls where it is: otherwise it would be copied into each library on the way to the kernel."""
        self._finalized = True

    def alone(self) -> Any:
        """The function without what it calls."""
        return super()._get_module_for_linking()

    def _get_module_for_linking(self) -> Any:
        """The function with what it calls, as one of numba's own libraries links it."""
        return linked(self.alone().clone(), self)

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0


class _Codegen(JITCPUCodegen):  # type: ignore[misc]
    """Makes code for the target, which may be another system."""

    _library_class = _Library

    def _init(self, module: Any) -> None:
        super()._init(module)
        self._tm = target_machine()
        self._target_data = self._tm.target_data
        self._data_layout = str(self._target_data)

    def _create_empty_module(self, name: str) -> ir.Module:
        module = super()._create_empty_module(name)
        if self._data_layout:  # otherwise it is that of the engine, which is this system's and never used
            module.triple = self._tm.triple
        return module

    def set_env(self, name: str, environment: Any) -> None:
        """Does nothing: without machine code, there is no variable to set."""


@cache
def codegen() -> _Codegen:
    return _Codegen("thalweg")


@cache
def target_machine() -> Any:
    """Code for any address, which a linker can put into a shared library; WebAssembly's memory begins at 0."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target, reloc = binding.Target.from_triple(triple()), "static" if architecture() == "wasm32" else "pic"
    return target.create_target_machine(LEVEL.processor, LEVEL.features, opt=3, reloc=reloc, codemodel="default")


def by_numba(function: Any, method: bool) -> Any:
    """numba's C function. Those that numba itself has to load, from users' Python functions, call no micro-kernels."""
    signature = METHOD if method else KERNEL
    if isinstance(function, Shared):
        function, signature = function.function, types.void(*[types.int64] * len(function.names))
    try:
        return numba.cfunc(signature, **OPTIONS)(function)
    except numba.core.errors.NumbaError as error:
        raise CompilerError(f"{function.__name__}: {error}") from error


def optimise(module: Any) -> None:
    """All of LLVM's passes, once, for a whole kernel or family."""
    passes, builder = codegen()._module_pass_manager()
    passes.run(module, builder)


def simplify(module: Any) -> None:
    """The two passes that shorten what is emitted as it should be; the others take a second for the tiles, in vain."""
    builder = binding.create_pass_builder(target_machine(), binding.create_pipeline_tuning_options(speed_level=0))
    passes = binding.create_new_module_pass_manager()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.run(module, builder)


def emit(module: Any) -> bytes:
    """The module's object code."""
    code: bytes = target_machine().emit_object(module)
    return code


def lowered(function: Any, method: bool) -> Any:
    """numba's C function as LLVM IR that isn't optimised."""
    context = cpu_target.target_context
    with global_compiler_lock:
        before = context._internal_codegen
        context._internal_codegen = codegen()
        try:
            with sooner():
                return by_numba(function, method)
        finally:
            context._internal_codegen = before


def linked(module: Any, library: Any) -> Any:
    """The module of a library, with the code of all that it calls."""
    libraries = [library]
    found: dict[str, Any] = {}  # the modules that have functions, by the functions' names
    for calling in libraries:  # which become more meanwhile
        libraries += [called for called in calling._linking_libraries if called not in libraries]
    for called in libraries[1:]:
        part = called.alone() if isinstance(called, _Library) else called._get_module_for_linking()
        found |= {f.name: part for f in part.functions if not f.is_declaration}
    while parts := dict.fromkeys(found[f.name] for f in module.functions if f.is_declaration and f.name in found):
        for part in parts:
            module.link_in(part, preserve=True)  # only those of its functions that are called
    return module


def warm() -> None:
    """What is done once before a process compiles its first kernel, such as filling numba's registries."""
    target_machine()
    lowered(nothing, False)


def nothing(o: Any, c: Any, s: Any, f: Any) -> None:
    """The shortest kernel."""


def object_code(kernel: Kernel) -> tuple[bytes, list[str]] | None:
    """The object code of a kernel, and the names of the families of micro-kernels that it calls.

    None if another process couldn't use it: if it holds an address, or needs numba's runtime to create an array.
    """
    function: Any = kernel.function()
    made = lowered(function, kernel.method)
    given = [I64] * len(function.names) if isinstance(function, Shared) else [I64] * 2 if kernel.method else [BYTES] * 4
    source = linked(made._library._final_module, made._library)
    inner = made.native_name.removeprefix("cfunc.")
    for value in (*source.functions, *source.global_variables):
        if not value.is_declaration:  # LLVM drops what nothing refers to; what is internal may become part of the code
            value.linkage = "linkonce_odr" if value.name.startswith(ADDRESSES) else "internal"
    source.get_function(inner).linkage = "linkonce_odr"
    module = binding.parse_assembly(str(wrapper(inner, kernel, given, source.triple, source.data_layout)))
    module.link_in(source)
    for name in (inner, DESTRUCTOR):
        module.get_function(name).linkage = "internal"
    optimise(module)
    called = [f.name for f in module.functions if f.is_declaration]
    holds_address = any(v.name.startswith(ADDRESSES) for v in module.global_variables)
    if holds_address or any(name.startswith(RUNTIME) for name in called):
        return None
    return emit(module), [name for name in called if name.startswith(SYMBOL)]


def family_code(kernel: Kernel) -> bytes:
    """The object code of a family of micro-kernels."""
    family: Any = kernel.function()
    machine, empty = target_machine(), ir.Module()
    empty.triple, empty.data_layout = machine.triple, str(machine.target_data)
    family.emit(empty)
    rewrite_module(empty, FastMathOptions(FLAGS["fastmath"]))  # as numba does with what it compiles
    module = binding.parse_assembly(str(empty))
    (simplify if family.finished else optimise)(module)
    for function in module.functions:
        if not function.is_declaration and function.name != symbol_of(kernel):
            function.linkage = "internal"  # only now: LLVM might have changed the arguments of internal functions
    return emit(module)


def wrapper(inner: str, kernel: Kernel, given: list[ir.Type], triple: str, layout: str) -> ir.Module:
    """A module with the function that is called from outside."""
    module, method = ir.Module(), kernel.method
    module.triple, module.data_layout = triple, layout
    result = I64 if method else BYTES
    status_of = ir.Function(module, ir.FunctionType(I32, [result.as_pointer(), BYTES.as_pointer(), *given]), inner)
    failed = ir.Function(module, ir.FunctionType(ir.VoidType(), []), FAILED)
    entry = ir.Function(module, ir.FunctionType(I64 if method else ir.VoidType(), given), symbol_of(kernel))
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    place, error = builder.alloca(result), builder.alloca(BYTES)
    builder.store(ir.Constant(result, None), place)
    status = builder.call(status_of, [place, error, *entry.args])
    with builder.if_then(builder.icmp_signed("!=", status, ir.Constant(I32, 0)), likely=False):
        builder.call(failed, [])
    if method:
        builder.ret(builder.load(place))
    else:
        builder.ret_void()
    # numba calls this for arrays that own their memory. Kernels have none, but that is known only when they run.
    destructor = ir.Function(module, ir.FunctionType(ir.VoidType(), [BYTES]), DESTRUCTOR)
    ir.IRBuilder(destructor.append_basic_block("entry")).ret_void()
    return module
