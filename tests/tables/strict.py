"""An array library as strict as one that traces: its functions are NumPy's, but NumPy's own refuse its arrays, and no
array becomes a Python number. Such a reference can be compiled, whether or not JAX is there to try it."""

from typing import Any

import numpy as np

__name__ = "numpy"  # as references see it

OPERATORS = [np.add, np.subtract, np.multiply, np.divide, np.floor_divide, np.remainder, np.power, np.matmul]
OPERATORS += [np.negative, np.positive, np.absolute, np.invert, np.bitwise_and, np.bitwise_or, np.bitwise_xor]
OPERATORS += [np.left_shift, np.right_shift, np.less, np.less_equal, np.greater, np.greater_equal, np.equal]
OPERATORS += [np.not_equal, np.square, np.sqrt]  # these two as powers
OF_METHODS = [np.maximum, np.minimum, np.logical_or, np.logical_and]  # such as x.max(), which reduces
OF_ONE = ("erf (vectorized)", "ndtr (vectorized)")  # what NumPy lacks, see `thalweg.program.formula.functions.special`


class Strict(np.ndarray):
    """An array of this library."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        allowed = ufunc in OPERATORS or ufunc.__name__ in OF_ONE or (method == "reduce" and ufunc in OF_METHODS)
        if not allowed:
            raise TypeError(f"np.{ufunc.__name__} is called on an array of another library")
        return strict(getattr(ufunc, method)(*map(plain, inputs), **{k: plain(v) for k, v in options.items()}))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        raise TypeError(f"np.{function.__name__} is called on an array of another library")

    def refused(self) -> Any:
        raise TypeError("an array becomes a Python number")

    __bool__ = __float__ = __int__ = __index__ = item = tolist = refused


def plain(x: Any) -> Any:
    """NumPy's array in the place of one of this library, also within lists and tuples."""
    if isinstance(x, Strict):
        return x.view(np.ndarray)
    return type(x)(map(plain, x)) if type(x) in (list, tuple) else x


def strict(x: Any) -> Any:
    """The other way round; a number of NumPy's becomes an array."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x).view(Strict)
    return type(x)(map(strict, x)) if type(x) in (list, tuple) else x


def __getattr__(name: str) -> Any:
    of = getattr(np, name)
    if isinstance(of, type) or not callable(of):
        return of

    def function(*arguments: Any, **options: Any) -> Any:
        return strict(of(*map(plain, arguments), **{k: plain(v) for k, v in options.items()}))

    return function
