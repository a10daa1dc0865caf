"""Results that Keras's programs ask for their `numpy()`: NumPy's arrays and Python's floats, which have one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class ArrayResult(np.ndarray):
    """An array, with Keras's method; it is shown as any other, and what is computed from it has the method, too.

    >>> ArrayResult.of([1.0, 2.0]) * 2, ArrayResult.of([1.0, 2.0]).numpy(), ArrayResult.of([1.0, 2.0]).sum()
    (array([2., 4.]), array([1., 2.]), np.float64(3.0))
    """

    @classmethod
    def of(cls, result: Any) -> Any:
        """The same numbers, without a copy of an array; a single one as a `FloatResult`."""
        array = np.asarray(result)
        return array.view(cls) if array.ndim else FloatResult(result)

    def numpy(self) -> NDArray[Any]:
        """The numbers, as an array of NumPy's own type."""
        return np.array(self)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What NumPy computed of it: an array of this kind, or a plain number."""
        return array.view(ArrayResult) if array.ndim else array[()]

    def __repr__(self) -> str:
        return repr(np.asarray(self))


class FloatResult(float):
    """A float, with Keras's method.

    >>> FloatResult(0.5), FloatResult(0.5).numpy(), FloatResult(0.5) + 1
    (0.5, np.float64(0.5), 1.5)
    """

    def numpy(self) -> np.float64:
        """The number, as NumPy's."""
        return np.float64(self)
