"""Class centres in feature space: by hand, as the lanes share the sums and the update of the centres."""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats, load_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.losses.class_numbers import NO_CLASS, class_of

F32 = np.float32
ONE = F32(1)


@kernel
def center_sums(x, y, weight, centers, parts, features, classes, *, rows, accumulate, lane):
    """parts = Σ w·(c − x), Σ w of each class, over this lane's rows that have a class"""
    width = features + 1
    parts += 4 * lane * classes * width
    if not accumulate:
        floats(parts, classes * width)[:] = F32(0)
    y = floats(y, rows)
    for r in range(rows):
        label = class_of(y[r], classes)
        if label == NO_CLASS:  # then the distance is NaN, and the step ends before the centres move
            continue
        u, center = floats(x + 4 * r * features, features), floats(centers + 4 * label * features, features)
        part = floats(parts + 4 * label * width, width)
        w = load_f32(weight, r) if weight else ONE
        for k in range(features):
            part[k] += w * (center[k] - u[k])
        part[features] += w


@kernel
def center_update(parts, centers, classes, features, alpha: float, *, lane, lanes, busy):
    """c −= alpha·Σ (c − x)/(1 + n) for this lane's share of the classes; lanes without rows of the batch don't count"""
    width = features + 1
    for j in range(classes * lane // lanes, classes * (lane + 1) // lanes):
        n = F32(0)
        for other in range(busy):
            n += load_f32(parts, (other * classes + j) * width + features)
        center, step = floats(centers + 4 * j * features, features), F32(alpha) / (ONE + n)
        for k in range(features):
            total = F32(0)
            for other in range(busy):
                total += load_f32(parts, (other * classes + j) * width + k)
            center[k] -= step * total
