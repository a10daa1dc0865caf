"""Object code of kernels as a shared library. Made by zig, which links for every system."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import llvmlite.binding as binding
from llvmlite import ir

from thalweg.engine.native.compiler.emit import target_machine
from thalweg.engine.native.compiler.llvm import BYTES, I32, I64, triple
from thalweg.engine.native.compiler.ready import HOOKS
from thalweg.engine.native.compiler.system import CLOCK, HOLD, LEAVE, NAMES, NAP, REENTER, YIELD

NOTHING = ir.VoidType()
SYSTEMS = {  # zig's names
    "linux": "linux-gnu.2.17",
    "macos": "macos.11.0",
    "windows": "windows-gnu",
    "wasm32": "wasi",
}
STACK = 1 << 20  # bytes of a page's stack, below everything else: what overflows it is an error


def signature(name: str) -> ir.FunctionType:
    """The type of a function that kernels call."""
    clock = ir.FunctionType(I32, [I64.as_pointer()] if "windows" in triple() else [I32, I64.as_pointer()])
    return {
        YIELD: ir.FunctionType(I32, []),
        NAP: ir.FunctionType(I32, [I32]),
        CLOCK: clock,
        HOLD: ir.FunctionType(NOTHING, [BYTES]),
        LEAVE: ir.FunctionType(BYTES, []),
        REENTER: ir.FunctionType(NOTHING, [BYTES]),
    }[name]


def hooks() -> bytes:
    """Object code of functions with these names, which call the addresses in a table that the loader fills."""
    machine, module = target_machine(), ir.Module()
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    table = ir.GlobalVariable(module, ir.ArrayType(BYTES, len(NAMES)), HOOKS)
    table.initializer = ir.Constant(table.value_type, None)
    for place, name in enumerate(NAMES):
        kind = signature(name)
        function = ir.Function(module, kind, name)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        address = builder.load(builder.gep(table, [ir.Constant(I32, 0), ir.Constant(I32, place)]))
        result = builder.call(builder.bitcast(address, kind.as_pointer()), function.args)
        if kind.return_type == NOTHING:
            builder.ret_void()
        else:
            builder.ret(result)
    code: bytes = machine.emit_object(binding.parse_assembly(str(module)))
    return code


def stand_ins() -> bytes:
    """Object code of the same functions for a page, which has one thread: there is nobody to wait for, no clock, and no
    Python."""
    machine, module = target_machine(), ir.Module()
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    for name in (YIELD, NAP, CLOCK):
        function = ir.Function(module, signature(name), name)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        if name == CLOCK:
            for place in range(2):
                builder.store(ir.Constant(I64, 0), builder.gep(function.args[1], [ir.Constant(I32, place)]))
        builder.ret(ir.Constant(I32, 0))
    code: bytes = machine.emit_object(binding.parse_assembly(str(module)))
    return code


def link(objects: Iterable[Path], symbols: Iterable[str], library: Path) -> None:
    """Links objects into a library that exports these symbols and the table of hooks."""
    processor, *_ = triple().split("-")
    system = next(name for name in SYSTEMS if name in triple())
    symbols = sorted(symbols)
    exported = sorted([*symbols, HOOKS])
    listed = library.with_suffix(".exports")
    match system:
        case "linux":
            listed.write_text("{ global:\n" + "".join(f'  "{name}";\n' for name in exported) + " local: *;\n};\n")
            options = [f"-Wl,--version-script={listed}", "-Wl,-Bsymbolic", "-Wl,-z,defs", "-lm"]
            options += ["-Wl,-z,noexecstack", "-Wl,--gc-sections", "-Wl,--hash-style=gnu", "-Wl,-s"]
        case "macos":
            listed.write_text("".join(f"_{name}\n" for name in exported))
            options = [f"-Wl,-exported_symbols_list,{listed}", "-Wl,-dead_strip", "-Wl,-x"]
        case "wasm32":
            listed.write_text("")
            options = ["-mexec-model=reactor", "-O2", "-s", "-Wl,--export-table", "-Wl,--growable-table"]
            options += ["-Wl,--gc-sections", f"-Wl,-z,stack-size={STACK}"]
            options += [f"-Wl,--export={name}" for name in symbols]
        case _:
            listed = listed.with_suffix(".def")
            listed.write_text("EXPORTS\n" + "".join(f'  "{name}"\n' for name in exported))
            options = [str(listed), "-Wl,-s"]
    arguments = library.with_suffix(".arguments")
    arguments.write_text("\n".join(map(str, objects)))
    shared = [] if system == "wasm32" else ["-shared"]
    command = ["-target", f"{processor}-{SYSTEMS[system]}", *shared, "-o", str(library), f"@{arguments}", *options]
    done = subprocess.run([sys.executable, "-m", "ziglang", "cc", *command], capture_output=True, text=True)
    for file in (listed, arguments):
        file.unlink()
    if done.returncode:
        raise RuntimeError(f"zig can't link {library.name}: {done.stderr[-2000:]}")
