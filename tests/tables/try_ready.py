"""Every row of the table of instructions with ready kernels, without a compiler.

For processors that are emulated, where the tests would take hours: some random shapes of each row, native against
reference. It needs NumPy alone:

    PYTHONPATH=.:tests/tables THALWEG_READY=build/ready/linux-arm64 \\
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
    for name in ROWS.keys() - {"reshape", "batch_statistics"}:
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
    print(
        f"{platform.machine()}, {found.level.name}: {tried:,} cases of {len(ROWS) - 2 - len(without)} rows, {len(wrong)} wrong"
    )
    print(f"without a ready kernel: {', '.join(sorted(without))}; {time.perf_counter() - begin:.0f} s")
    print("\n".join(wrong))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
