"""The native engine's pipeline without some of its passes."""

from dataclasses import replace

from thalweg.engine import ENGINES


def leave_out(patch, *names):
    native = ENGINES["native"]
    assert {p.name for p in native.passes}.issuperset(names)
    patch.setitem(ENGINES, "native", replace(native, passes=[p for p in native.passes if p.name not in names]))
