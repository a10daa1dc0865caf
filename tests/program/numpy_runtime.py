"""The head of every file that `numpy_exporter.py` writes: what its lines call. It needs NumPy alone."""

import math

import numpy as np

EPSILON = 1e-7
np.seterr(all="ignore")

# --- random numbers from a counter: a hash of (seed, iteration, stream, element) --------------------------------------


def splitmix(z):
    z = (z + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def key(seed, iteration, stream):
    return splitmix(splitmix(splitmix(seed % 2**64) ^ iteration) ^ stream)


def mix(x):
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def uniform(seed, iteration, stream, first_row, rows, shape):
    """Numbers in [0, 1), of shape (rows, *shape)."""
    k, size = key(seed, iteration, stream), math.prod(shape)
    counter = np.arange(first_row * size, (first_row + rows) * size, dtype=np.uint64).astype(np.uint32)
    bits = mix(mix(counter ^ np.uint32(k % 2**32)) + np.uint32(k >> 32))
    return ((bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)).reshape(rows, *shape)


def normal(draw, stream, *shape):
    u = draw(stream, *shape, 2).astype(np.float64)
    return np.sqrt(-2 * np.log(1 - u[..., 0])) * np.cos(2 * np.pi * u[..., 1])


def between(u, bounds):
    return bounds[0] + (bounds[1] - bounds[0]) * u.astype(np.float64)


# --- functions of formulas that NumPy hasn't --------------------------------------------------------------------------

erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def logcosh(x):
    t = np.abs(x)
    near = np.log1p(2 * np.sinh(np.minimum(t, 1) / 2) ** 2)
    return np.where(t < 1, near, t + np.log1p(np.exp(-2 * t)) - math.log(2))


def tanh_shrink(x):
    return x - np.tanh(x)


def cumulative_normal(x):
    return np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2


def normal_density(x):
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def mish_gate(x):
    return np.tanh(softplus(x))


def mish_gate_slope(x):
    n = np.exp(np.minimum(x, 30)) * (np.exp(np.minimum(x, 30)) + 2)
    return 4 * (n + 1) / (n + 2) ** 2 * sigmoid(x)


def power(x, y):
    return np.where((x == -np.inf) & (y == 0.5), np.inf, np.power(x, y))


def pochhammer(a, q, n):
    return math.prod(1 - a * q**k for k in range(min(int(n), 2000)))


def fit(value, space, axes, shape, combine="sum"):
    """An elementwise result along the axes of its value; the others are combined."""
    value = np.broadcast_to(value, space)
    return (getattr(np, combine)(value, axis=axes) if axes else value).reshape(shape)


# --- rows and classes -------------------------------------------------------------------------------------------------


def along(x):
    """The sum along the last axis."""
    return x.sum(axis=-1, keepdims=True)


def one_hot(ids, n):
    return np.where(ids[..., None] == np.arange(n), 1.0, 0.0)


def class_of(y, p):
    return y[..., 0].astype(int) if y.shape[-1] == 1 and p.shape[-1] > 1 else y.argmax(axis=-1)


def classes(y, n):
    """The class numbers in y (0 where y isn't one), and where it is one."""
    known = (y >= 0) & (y < n) & (y == np.floor(y))
    return np.where(known, y, 0).astype(int), known


def chosen(y, n):
    """One-hot rows of class numbers (rows, …, 1); NaN for what isn't one."""
    labels, known = classes(y, n)
    return np.where(known, (labels == np.arange(n)) * 1.0, np.nan)


def softmax(h):
    e = np.exp(h - h.max(axis=-1, keepdims=True))
    return e / along(e)


def log_sum_exp(h):
    top = h.max(axis=-1, keepdims=True)
    return top + np.log(along(np.exp(h - top)))


def sparsemax(h):
    top = h.max(axis=-1, keepdims=True)
    falling = -np.sort(-(h - top), axis=-1)
    sums = falling.cumsum(axis=-1) - 1
    last = along(falling * np.arange(1, h.shape[-1] + 1) > sums) - 1
    return np.maximum(h - top - np.take_along_axis(sums, np.maximum(last, 0), axis=-1) / (last + 1), 0)


def glu_adjoint(h, da):
    x, g = np.split(h, 2, axis=-1)
    return np.concatenate([da * sigmoid(g), da * x * sigmoid(g) * (1 - sigmoid(g))], axis=-1)


def probabilities(p):
    return np.clip(p / along(p), EPSILON, 1 - EPSILON)


def crossentropy_slope(y, p):
    q = p / along(p)
    y = np.where((q >= EPSILON) & (q <= 1 - EPSILON), y, 0)
    return (along(y) - y / np.clip(q, EPSILON, 1)) / along(p)


def focal(y, p, gamma, alpha):
    q = probabilities(p)
    return -(alpha * (1 - q) ** gamma * y * np.log(q)).sum(axis=-1)


def focal_slope(y, p, gamma, alpha):
    q, c = p / along(p), probabilities(p)
    outer = gamma * (1 - c) ** (gamma - 1) * np.log(c) if gamma else 0
    slope = np.where((q >= EPSILON) & (q <= 1 - EPSILON), alpha * y * (outer - (1 - c) ** gamma / c), 0)
    return (slope - along(slope * q)) / along(p)


def through_softmax(slope, h):
    s = softmax(h)
    d = slope(s)
    return s * (d - along(d * s))


def hinge(y, p):
    return np.maximum(((1 - y) * p).max(axis=-1) - (y * p).sum(axis=-1) + 1, 0)


def hinge_slope(y, p):
    first = one_hot(((1 - y) * p).argmax(axis=-1), p.shape[-1])
    return np.where(hinge(y, p)[..., None] > 0, (1 - y) * first - y, 0)


def cosine_slope(y, p):
    of_y, size = np.maximum(np.sqrt(along(y * y)), EPSILON), np.sqrt(along(p * p))
    of_p = np.maximum(size, EPSILON)
    return -(y - np.where(size < EPSILON, 0, along(y * p) * p / of_p**2)) / (of_y * of_p)


def cosine(y, p):
    norms = [np.maximum(np.sqrt((v * v).sum(axis=-1)), EPSILON) for v in (y, p)]
    return -(y * p).sum(axis=-1) / (norms[0] * norms[1])


def tversky_bottom(y, p, alpha, beta):
    return along(y * p + alpha * (1 - p) * y + beta * p * (1 - y)) + EPSILON


def gaussian(y, p, eps, logarithm):
    """The value and slope of the negative logarithm of a normal density."""
    mean, v = np.split(p, 2, axis=-1)
    v = np.exp(v) if logarithm else np.maximum(v, eps)
    slope = (mean - y) / v
    of_v = 0.5 * (1 - slope * (mean - y)) if logarithm else 0.5 * (1 / v - slope**2)
    return 0.5 * (np.log(v) + slope * (mean - y)).sum(axis=-1), np.concatenate([slope, of_v], axis=-1)


def among_largest(p, labels, k):
    own = np.take_along_axis(p, labels, axis=-1)
    return ((p > own).sum(axis=-1) < k) & np.isfinite(own[..., 0])


def confusion(p, y, threshold, class_id, top_k):
    p, y = p.reshape(-1, p.shape[-1]), y.reshape(-1, p.shape[-1]) != 0
    positive = p > threshold
    if top_k:
        one, other = p[:, :, None], p[:, None, :]
        before = (other > one) | ((other == one) & np.tri(p.shape[-1], k=-1, dtype=bool))
        positive = positive & (before.sum(axis=-1) < top_k)
    if class_id >= 0:
        positive, y = positive[:, class_id], y[:, class_id]
    return np.stack([(a & b).sum() for a, b in ((positive, y), (positive, ~y), (~positive, y), (~positive, ~y))])


def class_counts(p, y, threshold):
    p, y = p.reshape(-1, p.shape[-1]), y.reshape(-1, y.shape[-1])
    y = y if y.shape[-1] == p.shape[-1] else (y == np.arange(p.shape[-1])) * 1.0
    positive = p > threshold if threshold >= 0 else (p >= p.max(axis=-1, keepdims=True)) & (np.abs(p) > 1e-9)
    return np.concatenate([(positive * y).sum(axis=0), positive.sum(axis=0), y.sum(axis=0)])


def histogram(p, y, size, buckets, by_output, logits):
    p, y = p.reshape(-1, p.shape[-1]), y.reshape(-1, p.shape[-1])
    p = 1 / (1 + np.exp(-p)) if logits else p
    bucket = np.maximum(np.ceil(np.clip(p, 0, 1) * (buckets - 1)).astype(int) - 1, 0)
    place = (2 * buckets * (np.arange(p.shape[1]) if by_output else 0) + bucket).ravel()
    return np.bincount(place, y.ravel(), size) + np.bincount(place + buckets, (1 - y).ravel(), size)


def correlation(p, y):
    p, y = (v - v.mean(axis=-1, keepdims=True) for v in (p, y))
    return ((p * y).sum(axis=-1) / np.sqrt((p * p).sum(axis=-1) * (y * y).sum(axis=-1))).sum()


# --- images and moving elements ---------------------------------------------------------------------------------------


def flat(x):
    """(rows·places, channels)"""
    return x.reshape(-1, x.shape[-1])


def places(window, x, fill=0.0):
    """For each element (a, b) of a window, what of the image lies under it: (rows, places down, across, channels)."""
    (s, t), (d, e), (height, width) = window["strides"], window["dilation"], window["size"]
    border = [(b, a) for b, a in zip(window["before"], window["after"], strict=True)]
    x = np.pad(x, [(0, 0), *border, (0, 0)], constant_values=fill)
    down, across = x.shape[1] - (height - 1) * d, x.shape[2] - (width - 1) * e
    return {(a, b): x[:, a * d : a * d + down : s, b * e : b * e + across : t] for a, b in np.ndindex(height, width)}


def spread(window, parts, image):
    """Adds what each element (a, b) of a window gives to the image under it: the adjoint of `places`."""
    (s, t), (d, e) = window["strides"], window["dilation"]
    (top, left), (bottom, right) = window["before"], window["after"]
    rows, down, across, _ = next(iter(parts.values())).shape
    x = np.zeros((rows, image[0] + top + bottom, image[1] + left + right, image[2]))
    for (a, b), part in parts.items():
        x[:, a * d : a * d + (down - 1) * s + 1 : s, b * e : b * e + (across - 1) * t + 1 : t] += part
    return x[:, top : top + image[0], left : left + image[1]]


def by_groups(x, groups):
    return x.reshape(*x.shape[:-1], groups, -1)


def convolution(x, W, window, groups):
    W = by_groups(W.reshape(*window["size"], x.shape[-1] // groups, -1), groups)
    h = sum(np.einsum("nijgc,cgo->nijgo", by_groups(part, groups), W[k]) for k, part in places(window, x).items())
    return h.reshape(*h.shape[:3], -1)


def kernel_gradient(x, dh, window, groups):
    dh = by_groups(dh, groups)
    parts = places(window, x).values()
    return np.stack([np.einsum("nijgc,nijgo->cgo", by_groups(part, groups), dh) for part in parts])


def transposed_convolution(x, W, window, groups, image):
    W = by_groups(W.reshape(*window["size"], image[2] // groups, -1), groups)
    parts = {k: np.einsum("nijgo,cgo->nijgc", by_groups(x, groups), W[k]) for k in np.ndindex(*window["size"])}
    return spread(window, {k: part.reshape(*part.shape[:3], -1) for k, part in parts.items()}, image)


def max_pooling_adjoint(x, a, da, window):
    left, parts = np.ones(a.shape, bool), {}
    for k, part in places(window, x, -np.inf).items():
        parts[k], left = np.where(left & (part == a), da, 0), left & (part != a)
    return spread(window, parts, x.shape[1:])


def counts(window, image):
    return sum(places(window, np.ones((1, *image[:2], 1))).values())


def strides_of(starts, steps, shape):
    ends = [first + step * n for first, step, n in zip(starts, steps, shape, strict=True)]
    return (..., *(slice(f, e if e >= 0 else None, s) for f, e, s in zip(starts, ends, steps, strict=True)))


def placed(x, lead, shape, starts, steps, value):
    z = np.full((*x.shape[:lead], *shape), value, float)
    z[strides_of(starts, steps, x.shape[lead:])] = x
    return z


def running_product_adjoint(x, dz, axis):
    """For each element the products that hold it, without it."""
    x, dz = np.moveaxis(x, axis, -1), np.moveaxis(dz, axis, -1)
    others = [np.where(np.arange(x.shape[-1]) == k, 1, x).cumprod(axis=-1) for k in range(x.shape[-1])]
    dx = [(dz * product)[..., k:].sum(axis=-1) for k, product in enumerate(others)]
    return np.moveaxis(np.stack(dx, axis=-1), -1, axis)


def shared(x, shape):
    """The sums over the rows, and over the axes along which there is one number."""
    return x.sum(0).sum(tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


def take_along(x, ids, axis):
    n = x.shape[axis]
    there = (ids >= -n) & (ids < n)
    at = np.where(there, ids, 0).astype(int)
    return np.where(there, np.take_along_axis(x, np.where(at < 0, at + n, at), axis=axis), np.nan)


def put_along(dz, ids, axis, n):
    """Adds each element where its id says."""
    ids = np.moveaxis(np.trunc(ids), axis, -1)
    at = one_hot(np.where(ids < 0, ids + n, ids), n)
    return np.moveaxis((np.moveaxis(dz, axis, -1)[..., None] * at).sum(axis=-2), -1, axis)


def resampled(x, first_and_count, weights, axis):
    matrix = np.zeros((len(weights), x.shape[axis]))
    for row, (first, count) in enumerate(first_and_count.astype(int)):
        matrix[row, first : first + count] = weights[row, :count]
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)


def bins(places):
    """The column of each bin."""
    return np.repeat(np.arange(len(places) - 1), np.diff(places.astype(int)))


def forest(x, nodes, trees, values, base, sets):
    y = np.repeat(base[None], len(x), axis=0)
    for row, to in zip(x, y, strict=True):
        for root, place in trees.astype(int):
            leaf = leaf_of(row, nodes, sets, root)
            to.reshape(-1, values.shape[1])[place] += values[leaf]
    return y


def leaf_of(row, nodes, sets, at):
    while True:
        column, threshold, skip, missing = nodes[at]
        if not skip:
            return int(threshold)
        v = row[int(column if column >= 0 else -1 - column)]
        if column >= 0:
            left = bool(missing) if np.isnan(v) else v <= threshold
        else:
            bits = [int(word) >> j & 1 for word in sets[int(threshold)] for j in range(24)]
            left = bits[int(v) + 1 if 0 <= v < len(bits) - 1 else 0]
        at += 1 if left else int(skip)


def periodic_slope(x, omega, phi, W, da):
    back = np.einsum("rcu,cku->rck", da.reshape(len(x), len(W), -1), W)
    return -2 * np.pi * np.sin(2 * np.pi * (x[:, :, None] * omega + phi)) * back


def cosines(x, omega, phi):
    return np.cos(2 * np.pi * (x[:, :, None] * omega + phi))


def warped(x, u, angle, shift, zoom, alike, fill_mode, fill_value, interpolation):
    height, width = n = np.array(x.shape[1:3])
    turn, tall = 2 * np.pi * between(u[:, 0], angle), between(u[:, 3], zoom[0])
    wide = tall if alike else between(u[:, 4], zoom[1])
    moved = np.stack([between(u[:, 1], shift[0]) * height, between(u[:, 2], shift[1]) * width], axis=1)
    rows = [np.cos(turn) * tall, np.sin(turn) * wide, -np.sin(turn) * tall, np.cos(turn) * wide]
    matrix, centre = np.stack(rows, axis=1).reshape(-1, 2, 2), (n - 1) / 2
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1)
    at = np.einsum("nij,yxj->nyxi", matrix, grid) + (centre - matrix @ centre - moved)[:, None, None]

    def look(p):
        inside = ((p >= 0) & (p < n)).all(axis=-1, keepdims=True)
        edges = {"reflect": lambda: np.minimum(p % (2 * n), 2 * n - 1 - p % (2 * n)), "wrap": lambda: p % n}
        p = edges.get(fill_mode, lambda: np.clip(p, 0, n - 1))()
        pixels = x[np.arange(len(x))[:, None, None], p[..., 0], p[..., 1]]
        return np.where(inside, pixels, fill_value) if fill_mode == "constant" else pixels

    if interpolation == "nearest":
        return look(np.floor(at + 0.5).astype(int))
    low = np.floor(at).astype(int)
    share = at - low
    corners = [np.array(corner) for corner in np.ndindex(2, 2)]
    return sum(np.where(c, share, 1 - share).prod(axis=-1, keepdims=True) * look(low + c) for c in corners)


def erased(x, u, factor, scale, fill):
    gone = (u[:, 5] < between(u[:, 4], factor))[:, None, None]
    for axis, share, place in ((1, u[:, 1], u[:, 3]), (2, u[:, 0], u[:, 2])):
        n = x.shape[axis]
        length = np.sqrt(between(share, scale)) * n
        start, at = place.astype(np.float64) * (n - length), np.arange(n)
        inside = (at >= start[:, None]) & (at < (start + length)[:, None])
        gone = gone & np.expand_dims(inside, 3 - axis)
    return np.where(gone[..., None], fill, x)


def cropped(x, u, shape):
    start = np.floor(u * (np.array(x.shape[1:3]) - shape[:2] + 1)).astype(int)
    down, across = (start[:, k, None] + np.arange(shape[k]) for k in range(2))
    return x[np.arange(len(x))[:, None, None], down[:, :, None], across[:, None, :]]


# --- normalization, centres, penalties, updates -----------------------------------------------------------------------


def scaled(x, gamma, beta):
    x = x if gamma is None else x * gamma
    return x if beta is None else x + beta


def standard(x, groups, by_place, epsilon, centered):
    """The standardised sets (rows, places, groups, channels), and the inverse of their spread."""
    x = x.reshape(*((-1, 1) if by_place else (len(x), -1)), groups, x.shape[-1] // groups)
    x = x - x.mean(axis=(1, 3), keepdims=True) if centered else x
    scale = 1 / np.sqrt((x * x).mean(axis=(1, 3), keepdims=True) + epsilon)
    return x * scale, scale


def standardization_adjoint(x, da, groups, by_place, epsilon, centered):
    normal, scale = standard(x, groups, by_place, epsilon, centered)
    da = da.reshape(normal.shape)
    da = da - da.mean(axis=(1, 3), keepdims=True) if centered else da
    return ((da - normal * (da * normal).mean(axis=(1, 3), keepdims=True)) * scale).reshape(x.shape)


def away(x, y, centers):
    labels, known = classes(y[:, 0], len(centers))
    return np.where(known[:, None], x.reshape(len(x), -1) - centers[labels], np.nan)


def center_sums(x, y, weight, centers):
    rows = np.concatenate([-away(x, y, centers), np.ones((len(x), 1))], axis=1)
    return ((y == np.arange(len(centers))) * 1.0).T @ (rows if weight is None else rows * weight)


def embedding_gradient(ids, dh, shape):
    numbers, known = classes(ids.reshape(len(ids), -1), shape[0])
    dW = np.zeros(shape)
    np.add.at(dW, numbers, np.where(known[..., None], dh.reshape(*numbers.shape, -1), 0))
    return dW, np.bincount(numbers.ravel(), known.ravel() * 1.0, shape[0])


def norm_constraint(W, low, high, rate, outer, reduced, inner):
    w = W.reshape(outer, reduced, inner)
    norm = np.sqrt((w * w).sum(axis=1, keepdims=True))
    return (w * ((rate * np.clip(norm, low, high) + (1 - rate) * norm) / (EPSILON + norm))).reshape(W.shape)


def orthogonal_penalty(W, factor, columns, batch_rows):
    W = W.T if columns else W
    norms = np.sqrt((W * W).sum(axis=1, keepdims=True))
    inverse = 1 / np.maximum(norms, 1e-7)
    U, diagonal = W * inverse, np.eye(len(W), dtype=bool)
    products = np.where(diagonal, 0, U @ U.T)
    k, totals = factor / (len(W) * (len(W) - 1)), np.abs(products).sum(axis=1)
    P = np.where(diagonal, np.where(norms > 1e-7, -totals[:, None], 0), np.sign(products)) * (2 * k * inverse)
    found = batch_rows * k * totals.sum(), np.stack([inverse[:, 0], totals])
    return (*found, U.T, P.T) if columns else (*found, U, P)


def lamb(w, dw, m, v, rate, t, beta_1, beta_2, epsilon):
    m, v = m + (1 - beta_1) * (dw - m), v + (1 - beta_2) * (dw * dw - v)
    u = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    of_w, of_u = np.sqrt((w**2).sum()), np.sqrt((u**2).sum())
    return w - rate * (of_w / of_u if of_w and of_u else 1) * u, m, v


def adafactor(w, dw, r, c, rate, t, matrices, rows, columns, decay, epsilon_1, epsilon_2, limit):
    new, square = t**decay, dw * dw + epsilon_1
    if columns:
        square = square.reshape(matrices, rows, columns)
        of_rows, of_columns = (
            (1 - new) * old.ravel()[: mean.size].reshape(mean.shape) + new * mean
            for old, mean in ((r, square.mean(axis=2)), (c, square.mean(axis=1)))
        )
        v = ((of_rows / of_rows.mean(axis=1, keepdims=True))[:, :, None] * of_columns[:, None]).reshape(dw.shape)
        r, c = (
            np.concatenate([front.ravel(), old.ravel()[front.size :]]).reshape(old.shape)
            for front, old in ((of_rows, r), (of_columns, c))
        )
    else:
        v = r = (1 - new) * r + new * square
    u = dw / np.sqrt(v)
    of_w, of_u = (np.sqrt((x * x).mean()) for x in (w, u))
    return w - max(epsilon_2, of_w) * min(rate, 1 / math.sqrt(t)) * u / max(1.0, of_u / limit), r, c


def muon(w, dw, m, rate, rows, columns, steps, nesterov, momentum, a, b, c):
    m = momentum * m + dw
    g = dw + momentum * m if nesterov else m
    x = g.reshape(rows, columns)
    x = x.T if rows > columns else x
    x = x / (np.sqrt((x * x).sum()) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.T if rows > columns else x
    return w - rate * x.reshape(w.shape), m


def table_updated(after, before, counts, columns):
    """The rows of a table that occur in the batch, updated."""
    return np.where(np.repeat(counts > 0, columns).reshape(before.shape), after, before)


def stored(y, Y, order):
    Y = Y.copy()
    Y[order] = y
    return Y


def matrix_product(x, y, turn_x, turn_y, z_lead, z_shape):
    """Summed along the axes that z lacks, the rows included."""
    products = np.swapaxes(x, -1, -2) if turn_x else x
    products = products @ (np.swapaxes(y, -1, -2) if turn_y else y)
    wanted = (1,) * (products.ndim - z_lead - len(z_shape)) + (*products.shape[:z_lead], *z_shape)
    axes = tuple(
        k for k, (n, m) in enumerate(zip(products.shape, wanted, strict=True)) if n != m or (not z_lead and n != m)
    )
    return products.sum(axis=axes, keepdims=True).reshape(*products.shape[:z_lead], *z_shape)


def turned(W, shape, strides):
    """A kernel rotated, its channels exchanged, what lies under the same element of an image kept together."""
    rows, columns = (
        [a for phase in range(s) for a in reversed(range(phase, n, s))] for n, s in zip(shape, strides, strict=False)
    )
    return W.reshape(*shape[:2], *shape[:1:-1])[np.ix_(rows, columns)].swapaxes(2, 3)


def normalization_sums(x, mean, variance, da, epsilon):
    normal = (x - mean) / np.sqrt(variance + epsilon)
    return np.concatenate([flat(da).sum(axis=0), flat(da * normal).sum(axis=0)])


def normalization_adjoint(x, mean, variance, gamma, da, sums, epsilon):
    inverse = 1 / np.sqrt(variance + epsilon)
    one, other = np.split(sums / len(flat(x)), 2)
    return scaled((da - one - (x - mean) * inverse * other) * inverse, gamma, None)


def piecewise_adjoint(x, places, lows, slopes, dz):
    columns = bins(places)
    z = (x[:, columns] - lows) * slopes
    return np.where((z >= 0) & (z < 1), dz * slopes, 0) @ one_hot(columns, x.shape[1])


def periodic_gradient(x, omega, phi, W, da):
    g, each = periodic_slope(x, omega, phi, W, da), da.reshape(len(x), len(W), -1)
    of_W = np.einsum("rck,rcu->cku", cosines(x, omega, phi), each)
    return (g * x[:, :, None]).sum(axis=0), g.sum(axis=0), of_W, each.sum(axis=0)


def embedded(ids, W):
    numbers, known = classes(ids, len(W))
    return np.where(known[..., None], W[numbers], np.nan)


def contrasted(x, f, clip):
    mean = x.mean(axis=(1, 2), keepdims=True)
    return np.clip(mean + f * (x - mean), *clip)


def alpha_scale(rate):
    return 1 / math.sqrt((1 - rate) * (1 + rate * 1.7580993408473766**2))


def by_rows(x):
    return x.reshape(len(x), -1).astype(np.float64)


def loss_of(rows, weight, coefficient, total, batch_rows):
    """rows·L of numbers (rows, …)."""
    rows = rows.reshape(len(rows), -1).sum(axis=1) * (1 if weight is None else weight[:, 0])
    return rows.sum() * coefficient * (batch_rows if total else 1)


def slope_of(slope, weight, coefficient, total, batch_rows):
    slope = slope if weight is None else (slope.reshape(len(slope), -1) * weight).reshape(slope.shape)
    return slope * coefficient / (1 if total else batch_rows)


# --- attention --------------------------------------------------------------------------------------------------------


def attention_scores(q, k, mask, scale, causal, window):
    """The scores (rows, heads, T, S), and where a query may look."""
    scores = scale * np.einsum("rthd,rshd->rhts", q, np.repeat(k, q.shape[2] // k.shape[2], axis=2))
    apart = np.arange(q.shape[1])[:, None] - np.arange(k.shape[1])
    allowed = (apart >= (0 if causal else -k.shape[1])) & (np.abs(apart) < (window or k.shape[1] + q.shape[1]))
    allowed = np.broadcast_to(allowed if mask is None else allowed & (mask != 0), scores.shape)
    return np.where(allowed, scores, -1e9), allowed


def attention_kept(draw, scores, rate, stream):
    return (draw(stream, *scores.shape[1:]) >= np.float32(rate)) / (1 - rate) if rate else 1.0


def attention(draw, q, k, v, mask, scale, causal, window, rate, stream):
    scores, _ = attention_scores(q, k, mask, scale, causal, window)
    top = scores.max(axis=-1)
    powers = np.exp(scores - top[..., None])
    total = powers.sum(axis=-1)
    weights = powers / total[..., None] * attention_kept(draw, scores, rate, stream)
    v = np.repeat(v, q.shape[2] // v.shape[2], axis=2)
    return np.einsum("rhts,rshn->rthn", weights, v), np.stack([top, total], axis=2)


def attention_adjoint(draw, q, k, v, mask, scale, causal, window, rate, stream, o, sums, do):
    scores, allowed = attention_scores(q, k, mask, scale, causal, window)
    keep, share = attention_kept(draw, scores, rate, stream), q.shape[2] // k.shape[2]
    p = np.exp(scores - sums[:, :, 0, :, None]) / sums[:, :, 1, :, None]
    slope = np.einsum("rthn,rshn->rhts", do, np.repeat(v, share, axis=2)) * keep
    ds = scale * allowed * p * (slope - np.moveaxis((do * o).sum(axis=-1), 2, 1)[..., None])
    dq = np.einsum("rhts,rshd->rthd", ds, np.repeat(k, share, axis=2))
    dk, dv = np.einsum("rhts,rthd->rshd", ds, q), np.einsum("rhts,rthn->rshn", p * keep, do)
    return dq, *(x.reshape(*x.shape[:2], -1, share, x.shape[-1]).sum(axis=3) for x in (dk, dv))
