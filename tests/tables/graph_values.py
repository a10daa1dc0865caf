"""The graphs of an export, evaluated with NumPy."""

import numpy as np

from thalweg.program.graphs.traced_values import walk


def evaluate(values, given, step, rows):
    """The arrays of values. given: arrays by buffer."""
    found = {}
    for v in walk(values):
        found[v] = one(v, [found[o] for o in v.operands], given, step, rows)
        assert found[v].shape == tuple(n if n < 2**31 - 1 else n // (2**31 - 1) * rows for n in v.shape), v
        if v.function not in ("name",):
            assert found[v].dtype == v.dtype, (v, found[v].dtype, v.dtype)
    return [found[v] for v in values]


def one(v, o, given, step, rows):
    f, options = v.function, dict(v.options)
    shape = tuple(n if n < 2**31 - 1 else n // (2**31 - 1) * rows for n in v.shape)
    if f == "name":
        return given[options["buffer"]]
    if f == "constant":
        return options["elements"]
    if f == "step":
        return np.asarray(getattr(step, options["name"]), v.dtype)
    if f == "rows":
        return np.asarray(rows, v.dtype)
    options.pop("weak", None)
    if f == "drawn":
        return step.drawn(np, options["stream"], shape[1:])
    if f == "arange":
        return np.arange(*shape, dtype=v.dtype)
    if f == "astype":
        return o[0].astype(v.dtype)
    if f in ("reshape", "broadcast_to"):
        return getattr(np, f)(o[0], shape)
    if f == "transpose":
        return o[0].transpose(options["axes"])
    if f == "slice":
        ends = [
            slice(s, e if (e := s + k * n) >= 0 else None, k)
            for s, k, n in zip(options["starts"], options["steps"], shape, strict=True)
        ]
        return o[0][tuple(ends)]
    if f == "pad":
        return np.pad(o[0], options["widths"], constant_values=options["value"])
    if f == "concatenate":
        return np.concatenate(o, **options).astype(v.dtype)
    if f == "bincount":
        return np.bincount(o[0], o[1], minlength=v.shape[0])
    if f in ("sum", "prod", "max", "min", "any", "all"):
        return getattr(np, f)(o[0], **options)
    if f in ("argmax", "argmin"):
        return getattr(np, f)(o[0], axis=options["axis"][0])
    if f == "lexsort":
        return np.lexsort(o[0])
    if f == "take":
        return np.take(*o, **options)
    if f in ("erf", "ndtr"):
        import scipy.special

        return getattr(scipy.special, f)(o[0])
    with np.errstate(all="ignore"):
        return np.asarray(getattr(np, f)(*o, **options))
