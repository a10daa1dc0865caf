"""C files, compiled and called."""

import ctypes
import shutil
import subprocess

import numpy as np

GCC = shutil.which("gcc")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffreestanding"]


def compiled(folder, name, code, header="", optimised="-O1"):
    """The library of a C file."""
    (folder / f"{name}.c").write_text(code, encoding="utf-8")
    (folder / f"{name}.h").write_text(header, encoding="utf-8")
    made = [GCC, *FLAGS, optimised, "-shared", "-fPIC", f"{name}.c", "-o", f"{name}.so", "-lm"]
    done = subprocess.run(made, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    return ctypes.CDLL(str(folder / f"{name}.so"))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def predicted(function, inputs, shapes):
    """What NAME_predict_rows gives for some rows, and the number that it returns."""
    rows = len(inputs[0])
    given = [np.ascontiguousarray(x, np.float32) for x in inputs]
    results = [np.full((rows, *shape), -777, np.float32) for shape in shapes]
    error = function(*map(pointer, (*given, *results)), ctypes.c_size_t(rows))
    return results, error
