"""Object code: one file per kernel, which calls the system, Python and families of micro-kernels by name.

LLVM optimises a whole kernel once, when it sees what each function is called with. A family of micro-kernels is
optimised and kept separately.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as binding
from llvmlite import ir

from thalweg.engine.native.compiler.kernel import SYMBOL, Kernel, symbol_of
from thalweg.engine.native.compiler.levels import LEVEL
from thalweg.engine.native.compiler.llvm import F64, I64, architecture, triple
from thalweg.engine.native.compiler.named import TABLES, Named, table
from thalweg.engine.native.compiler.shared import Shared
from thalweg.engine.native.language.number_operators import FLAGS
from thalweg.engine.native.language.things import Value, parts
from thalweg.engine.native.language.translation import translated
from thalweg.engine.native.language.types import int64
from thalweg.engine.native.language.unit import Unit

REORDERED = ("fadd", "fsub", "fmul", "fdiv", "frem", "fcmp")


@cache
def target_machine() -> Any:
    """Code for any address, which a linker can put into a shared library; WebAssembly's memory begins at 0."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target, reloc = binding.Target.from_triple(triple()), "static" if architecture() == "wasm32" else "pic"
    return target.create_target_machine(LEVEL.processor, LEVEL.features, opt=3, reloc=reloc, codemodel="default")


def optimise(module: Any) -> None:
    """All of LLVM's passes, once, for a whole kernel or family."""
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
    builder = binding.create_pass_builder(target_machine(), options)
    builder.getModulePassManager().run(module, builder)


def simplify(module: Any) -> None:
    """The two passes that shorten what is emitted as it should be; the others take a second for the tiles, in vain."""
    builder = binding.create_pass_builder(target_machine(), binding.create_pipeline_tuning_options(speed_level=0))
    passes = binding.create_new_module_pass_manager()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.run(module, builder)


def object_code(kernel: Kernel) -> tuple[bytes, list[str]]:
    """The object code of a kernel or of what a family is made of, and the names of the families that it calls.

    Raises:
        LanguageError: the function isn't in the language of kernels.
    """
    function: Any = kernel.function()
    family = hasattr(function, "emit")
    module = binding.parse_assembly(str((of_family if family else lowered)(kernel)))
    (simplify if family and function.finished else optimise)(module)
    called = [f.name for f in module.functions if f.is_declaration and f.name.startswith(SYMBOL)]
    for each in module.functions:
        if not each.is_declaration and each.name != symbol_of(kernel):
            each.linkage = "internal"  # only now: LLVM might have changed the arguments of a family's functions
    return bytes(target_machine().emit_object(module)), called


def lowered(kernel: Kernel) -> ir.Module:
    """A kernel as LLVM IR that isn't optimised, with the function that is called from outside."""
    machine = target_machine()
    function: Any = kernel.function()
    unit = Unit(machine.triple, str(machine.target_data), translated)
    words = 2 if kernel.method else len(function.names) if isinstance(function, Shared) else 0
    given = [I64] * words or [I64.as_pointer(), F64.as_pointer()] * 2
    outer = ir.Function(unit.module, ir.FunctionType(I64 if kernel.method else ir.VoidType(), given), symbol_of(kernel))
    builder = ir.IRBuilder(outer.append_basic_block("entry"))
    if words:
        arguments = tuple(Value(int64, (word,)) for word in outer.args)
    elif isinstance(function, Named):
        arguments = function.arguments(builder, outer.args)
    else:
        arguments = tuple(table(builder, place, item) for place, item in zip(outer.args, TABLES, strict=True))
    inner = getattr(function, "function", function)
    code, _ = unit.function(inner, arguments, inline=True)
    result = builder.call(code, parts(arguments))
    builder.ret(result) if kernel.method else builder.ret_void()
    return unit.module


def of_family(kernel: Kernel) -> ir.Module:
    """A family of micro-kernels, one of them, or the function that finds them, as LLVM IR."""
    machine, module = target_machine(), ir.Module()
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    function: Any = kernel.function()
    function.emit(module, kernel.member)
    reorder(module)
    return module


def reorder(module: ir.Module) -> None:
    """Gives operations on real numbers the flags of the language, but for those that have some."""
    for function in module.functions:
        for block in function.blocks:
            for each in block.instructions:
                if getattr(each, "opname", "") in REORDERED and not each.flags:
                    each.flags = list(FLAGS)
