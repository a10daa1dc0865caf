"""An array library whose numbers know how large the sums are that they were made of: the measure of rounding errors.

Where a difference of large numbers is small its size is still theirs. `evaluate` and `run` take it for NumPy.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(eq=False)
class Sum:
    """A value and its size, at least the value's own."""

    value: np.ndarray
    size: np.ndarray

    __array_ufunc__ = None  # NumPy leaves arithmetic with it to it

    @property
    def dtype(self):
        return self.value.dtype

    def __neg__(self):
        return Sum(-self.value, self.size)

    def __add__(self, other):
        other = lift(other)
        return Sum(self.value + other.value, self.size + other.size)

    def __sub__(self, other):
        return self + -lift(other)

    def __mul__(self, other):
        other = lift(other)
        size = self.size * np.abs(other.value) + np.abs(self.value) * other.size
        return Sum(self.value * other.value, size)

    def __truediv__(self, other):
        other = lift(other)
        value = self.value / other.value
        return Sum(value, (self.size + np.abs(value) * other.size) / np.abs(other.value))

    def __pow__(self, n):
        value = self.value**n
        return Sum(
            value,
            np.abs(n * self.value ** (n - 1)) * self.size + (1 + np.abs(np.log(np.abs(self.value)))) * np.abs(value),
        )

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return lift(other) - self

    def __rtruediv__(self, other):
        return lift(other) / self

    def __lt__(self, other):
        return self.value < lift(other).value

    def __gt__(self, other):
        return self.value > lift(other).value

    def __eq__(self, other):
        return self.value == lift(other).value


def lift(x):
    return x if isinstance(x, Sum) else Sum(np.asarray(x, float), np.abs(np.asarray(x, float)))


def ndim(x):
    return lift(x).value.ndim


def asarray(x, dtype=None):
    return lift(x)


def arange(n):
    return np.arange(n)


def cumprod(x):
    """Of numbers alone."""
    return np.cumprod(lift(x).value)


def full_like(x, value):
    return where(np.ones_like(x.value, bool), value, x)


def sqrt(x):
    x, value = lift(x), np.sqrt(lift(x).value)
    result = Sum(value, value + np.minimum(x.size / value, 300 * np.sqrt(x.size)))  # √(v + δ) − √v ≤ √δ
    return result if value.ndim else float(value)


def absolute(x):
    return Sum(np.abs(x.value), x.size)


def sign(x):
    """Where rounding decides it may be any."""
    return Sum(np.sign(x.value), np.where(np.abs(x.value) < 1e-6 * x.size, np.inf, 1))


def where(condition, x, y):
    x, y = lift(x), lift(y)
    return Sum(np.where(condition, x.value, y.value), np.where(condition, x.size, y.size))


def maximum(x, y):
    return where(lift(x).value > lift(y).value, x, y)


def minimum(x, y):
    return where(lift(x).value < lift(y).value, x, y)


abs = absolute  # NumPy's other name
