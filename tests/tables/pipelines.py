"""The native engine's pipeline without some of its passes."""

from dataclasses import replace

from thalweg.engine import TARGETS


def leave_out(patch, *names):
    native = TARGETS["native"]
    assert {p.name for p in native.passes}.issuperset(names)
    patch.setitem(TARGETS, "native", replace(native, passes=[p for p in native.passes if p.name not in names]))
