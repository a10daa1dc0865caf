"""The levels of processors: what each needs, and which this machine has."""

import importlib
import os
import platform
import subprocess
import sys

import pytest

from thalweg.engine.native.compiler import levels
from thalweg.errors import ArgumentError

ALL = {"X86_V2": True, "X86_V3": True, "X86_V4": True}
OLDER_NUMPY = dict.fromkeys(("SSSE3", "SSE42", "POPCNT", "AVX2", "FMA3", "F16C", "AVX512_SKX"), True)


def possible(monkeypatch, machine, features):
    """The names of the levels of a machine with these features."""
    core = importlib.import_module("numpy._core" if importlib.util.find_spec("numpy._core") else "numpy.core")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(core._multiarray_umath, "__cpu_features__", dict.fromkeys(("X86_V2", "AVX2"), False) | features)
    return [level.name for level in levels.possible()]


@pytest.mark.parametrize(
    ("machine", "features", "levels"),
    [
        ("x86_64", ALL, ["x86-64-v4", "x86-64-v3", "x86-64-v2"]),
        ("AMD64", ALL | {"X86_V4": False}, ["x86-64-v3", "x86-64-v2"]),
        ("x86_64", {"X86_V2": True}, ["x86-64-v2"]),
        ("x86_64", {}, ["generic"]),
        ("x86_64", OLDER_NUMPY, ["x86-64-v4", "x86-64-v3", "x86-64-v2"]),
        ("x86_64", OLDER_NUMPY | {"FMA3": False}, ["x86-64-v2"]),
        ("x86_64", OLDER_NUMPY | {"AVX512_SKX": False}, ["x86-64-v3", "x86-64-v2"]),
        ("arm64", {}, ["arm64"]),
        ("aarch64", {}, ["arm64"]),
        ("ppc64le", {}, ["generic"]),
    ],
)
def test_a_machine_has_the_levels_whose_instructions_it_has(machine, features, levels, monkeypatch):
    assert possible(monkeypatch, machine, features) == levels


def test_a_level_is_chosen_from_these_and_what_is_below_it_stays_usable(monkeypatch):
    monkeypatch.setenv("THALWEG_LEVEL", "x86-64-v3")
    monkeypatch.setattr(levels, "possible", lambda: levels.X86)
    assert levels.chosen() == levels.X86[1:]
    monkeypatch.setattr(levels, "possible", lambda: levels.X86[2:])
    with pytest.raises(ArgumentError, match=r"THALWEG_LEVEL is 'x86-64-v3'; here it can be x86-64-v2$"):
        levels.chosen()
    monkeypatch.setenv("THALWEG_TRIPLE", "x86_64-pc-windows-gnu")  # kernels for another machine
    assert levels.chosen()[0].name == "x86-64-v3"


def test_a_wrong_level_is_one_sentence():
    done = subprocess.run(
        [sys.executable, "-c", "import thalweg.engine.native.compiler.levels"],
        env={**os.environ, "THALWEG_LEVEL": "x86-64-v9", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert "ArgumentError: THALWEG_LEVEL is 'x86-64-v9'; here it can be " in done.stderr


@pytest.mark.jit
@pytest.mark.parametrize("name", levels.LEVELS)
def test_llvm_knows_the_processor_of_a_level(name):
    from llvmlite import binding

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    level = levels.LEVELS[name]
    triple = "aarch64-unknown-linux-gnu" if level in levels.ARM else "x86_64-unknown-linux-gnu"
    machine = binding.Target.from_triple(triple).create_target_machine(level.processor, level.features)
    wide = binding.parse_assembly(
        f"""target triple = "{triple}"
        define <{level.width} x float> @f(<{level.width} x float> %a, <{level.width} x float> %b) {{
        %c = fadd <{level.width} x float> %a, %b
        ret <{level.width} x float> %c }}"""
    )
    assert machine.emit_assembly(wide).count("add") == 1  # one instruction: the register is as wide
