"""Class numbers as targets."""

import numpy as np

from thalweg.engine.native.language.callables import inlined

F32 = np.float32
NO_CLASS = -1


@inlined
def class_of(y, classes):
    """A target's class number; NO_CLASS if it is NaN, a fraction, negative or too large.

    Targets are checked when a fit begins, but the array is the caller's and may change until it ends, so a kernel
    checks again before it indexes.
    """
    if not F32(0) <= y < F32(classes):
        return NO_CLASS
    number = np.int64(y)
    return number if F32(number) == y else NO_CLASS
