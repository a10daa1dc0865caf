"""Every row of the table of instructions with ready kernels, without a compiler.

For processors that are emulated, where the tests would take hours: some random shapes of each row, native against
reference. It needs NumPy and SciPy (whose OpenBLAS multiplies wrongly on the processor that QEMU emulates by default):

    PYTHONPATH=.:tests/tables THALWEG_READY=build/ready/linux-arm64 QEMU_CPU=cortex-a72 \\
        qemu-aarch64-static -L ROOT ROOT/usr/bin/python3 tests/tables/try_ready.py
"""

import platform
import time

from conformance import ROWS, SHAPES
from harness import Case, Shape

from thalweg.engine.native.compiler.ready import is_ready, library
from thalweg.engine.native.kernels.table import kernel_of

OTHERS = [Shape(*numbers) for numbers in ((7, 33, 19, 1, 2, 5), (16, 64, 48, 1, 0, 6), (3, 129, 70, 2, 5, 7))]


def main() -> None:
    begin, tried, without, wrong = time.perf_counter(), 0, set(), []
    found = library()
    assert found is not None, "there is no library of ready kernels"
    named = [name for name in ROWS if not name.startswith(("formula", "custom"))]  # those are compiled
    for name in sorted({*named} - {"reshape", "batch_statistics"}):
        for shape in (*SHAPES, *OTHERS):
            case = Case(ROWS[name], shape)
            if not is_ready(kernel_of(case.instruction)):
                without.add(name)
                continue
            tried += 1
            try:
                case.check()
            except AssertionError as error:
                wrong.append(str(error))
    level, rows, seconds = found.level.name, len(named) - 2 - len(without), time.perf_counter() - begin
    print(f"{platform.machine()}, {level}: {tried:,} cases of {rows} rows, {len(wrong)} wrong; {seconds:.0f} s")
    print(f"without a ready kernel: {', '.join(sorted(without))}")
    print("\n".join(wrong))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
