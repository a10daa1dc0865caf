"""Class centres in feature space: distances, their gradient, a lane's sums, and the update of the centres."""

import numpy as np

from thalweg.engine.native.compiler.llvm import doubles, floats, load_f32
from thalweg.engine.native.kernels.losses.class_numbers import NO_CLASS, class_of
from thalweg.engine.native.layouts.state import ACCUMULATE, BATCH_ROWS, BUSY, LANE, LANES, ROWS

F32 = np.float32
ONE = F32(1)


def center_distance(o, c, s, f):
    """sums += factor·½·Σ w·‖x − c_y‖², NaN if any y isn't a class"""
    features, is_sum, classes = o[5], o[6], o[7]
    y = floats(o[1], s[ROWS])
    result = 0.0
    for r in range(s[ROWS]):
        label = class_of(y[r], classes)
        if label == NO_CLASS:
            result = np.nan
            break
        x, center = floats(o[0] + 4 * r * features, features), floats(o[3] + 4 * label * features, features)
        squares = F32(0)
        for k in range(features):
            e = x[k] - center[k]
            squares += e * e
        result += np.float64(squares * (load_f32(o[2], r) if o[2] else ONE))
    doubles(o[4], 1)[0] += result * c[0] * 0.5 * (s[BATCH_ROWS] if is_sum else 1)


def center_distance_gradient(o, c, s, f):
    """dx = w·factor·(x − c_y)/rows, NaN where y isn't a class"""
    features, is_sum, classes = o[5], o[6], o[7]
    y = floats(o[1], s[ROWS])
    scale = F32(c[0] if is_sum else c[0] / s[BATCH_ROWS])
    for r in range(s[ROWS]):
        x, dx = floats(o[0] + 4 * r * features, features), floats(o[4] + 4 * r * features, features)
        label = class_of(y[r], classes)
        if label == NO_CLASS:
            dx[:] = F32(np.nan)
            continue
        center = floats(o[3] + 4 * label * features, features)
        w = scale * (load_f32(o[2], r) if o[2] else ONE)
        for k in range(features):
            dx[k] = w * (x[k] - center[k])


def center_sums(o, c, s, f):
    """parts = Σ w·(c − x), Σ w of each class, over this lane's rows that have a class"""
    features, classes = o[5], o[6]
    width = features + 1
    parts = o[4] + 4 * s[LANE] * classes * width
    if not s[ACCUMULATE]:
        floats(parts, classes * width)[:] = F32(0)
    y = floats(o[1], s[ROWS])
    for r in range(s[ROWS]):
        label = class_of(y[r], classes)
        if label == NO_CLASS:  # then the distance is NaN, and the step ends before the centres move
            continue
        x, center = floats(o[0] + 4 * r * features, features), floats(o[3] + 4 * label * features, features)
        part = floats(parts + 4 * label * width, width)
        w = load_f32(o[2], r) if o[2] else ONE
        for k in range(features):
            part[k] += w * (center[k] - x[k])
        part[features] += w


def center_update(o, c, s, f):
    """c −= alpha·Σ (c − x)/(1 + n) for this lane's share of the classes; lanes without rows of the batch don't count"""
    classes, features = o[2], o[3]
    width = features + 1
    for j in range(classes * s[LANE] // s[LANES], classes * (s[LANE] + 1) // s[LANES]):
        n = F32(0)
        for lane in range(s[BUSY]):
            n += load_f32(o[0], (lane * classes + j) * width + features)
        center, step = floats(o[1] + 4 * j * features, features), F32(c[0]) / (ONE + n)
        for k in range(features):
            total = F32(0)
            for lane in range(s[BUSY]):
                total += load_f32(o[0], (lane * classes + j) * width + k)
            center[k] -= step * total
