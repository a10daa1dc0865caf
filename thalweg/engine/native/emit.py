"""Object code from numba: one file for each kernel, which calls nothing of numba's and can be loaded without it.

numba makes a C function that wraps the compiled one, and turns errors into Python's exceptions with the help of
numba's runtime. Our own wrapper leaves that out. Only what numba documents is used (`cfunc`, `inspect_llvm`,
`native_name`), and that a compiled function returns a status and takes two places, for its result and its error,
before its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as binding
import numba
from llvmlite import ir
from numba import types

from thalweg.engine.native.compile import CompilerError
from thalweg.engine.native.llvm import BYTES, FLAGS, I32, I64
from thalweg.engine.native.loader import ENTRY, FAILED
from thalweg.engine.native.processor import FEATURES, NAME

KERNEL = types.void(*(types.CPointer(t) for t in (types.int64, types.float64, types.int64, types.float64)))
METHOD = types.int64(types.int64, types.int64)
OPTIONS = {"fastmath": FLAGS["fastmath"], "error_model": FLAGS["error_model"], "nopython": True}
RUNTIME = ("NRT_", "numba_")  # the names of what numba alone has …
ADDRESSES = "numba.dynamic.globals"  # … and of what it writes addresses into
DESTRUCTOR = "NRT_MemInfo_call_dtor"


def compiled(function: Callable[..., Any], method: bool) -> Any:
    """numba's C function."""
    try:
        return numba.cfunc(METHOD if method else KERNEL, **OPTIONS)(function)
    except numba.core.errors.NumbaError as error:
        raise CompilerError(str(error)) from error


def object_code(function: Any, method: bool) -> bytes | None:
    """The object code of numba's C function.

    None where another process couldn't use it: where it holds an address, or needs numba's runtime to make an array.
    """
    source = binding.parse_assembly(function.inspect_llvm())
    inner = function.native_name.removeprefix("cfunc.")
    if any(v.name.startswith(ADDRESSES) for v in source.global_variables):
        return None
    for value in (*source.functions, *source.global_variables):
        if not value.is_declaration:
            value.linkage = "internal"  # LLVM takes over only those that something refers to
    source.get_function(inner).linkage = "linkonce_odr"
    module = binding.parse_assembly(str(wrapper(inner, method, source.triple, source.data_layout)))
    module.link_in(source)
    module.get_function(inner).linkage = "internal"
    if any(f.is_declaration and f.name.startswith(RUNTIME) for f in module.functions):
        return None
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(module.triple)
    place = "static" if target.name.startswith("x86") else "default"  # as numba's own engine does
    machine = target.create_target_machine(NAME, FEATURES, opt=3, reloc=place, codemodel="jitdefault", jit=True)
    code: bytes = machine.emit_object(module)
    return code


def wrapper(inner: str, method: bool, triple: str, layout: str) -> ir.Module:
    """The module with the function that is called from outside."""
    module = ir.Module()
    module.triple, module.data_layout = triple, layout
    given = [I64] * 2 if method else [BYTES] * 4
    result = I64 if method else BYTES
    status_of = ir.Function(module, ir.FunctionType(I32, [result.as_pointer(), BYTES.as_pointer(), *given]), inner)
    failed = ir.Function(module, ir.FunctionType(ir.VoidType(), []), FAILED)
    entry = ir.Function(module, ir.FunctionType(I64 if method else ir.VoidType(), given), ENTRY)
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
    # numba calls it for arrays that own their memory. Kernels have none, but that is known only when they run.
    destructor = ir.Function(module, ir.FunctionType(ir.VoidType(), [BYTES]), DESTRUCTOR)
    ir.IRBuilder(destructor.append_basic_block("entry")).ret_void()
    return module
