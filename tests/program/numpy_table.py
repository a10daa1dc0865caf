"""What operations compute that state no equation, as one line of NumPy each: see numpy_exporter.py."""

RESHAPED = "x.reshape(*x.shape[:z_lead], *z_shape)"
MOVED = "np.moveaxis(np.moveaxis(dz, axis + dx_lead, -1) @ one_hot(indices, dx_shape[axis]), -1, axis + dx_lead)"
CUMULATIVE = "np.flip(np.cumsum(np.flip(x, axis + x_lead), axis + x_lead), axis + x_lead)"
SETS = "groups, by_place, epsilon, centered"
ERASING = "np.array(fill) if fill else np.clip(normal(draw, key(stream, 0, 0) >> 1, *x_shape) * clip[1], *clip)"
SQUARES = "np.concatenate([((by_rows(p) - by_rows(y)) ** 2).sum(0), by_rows(y).sum(0), (by_rows(y) ** 2).sum(0)])"
PRODUCTS = "(by_rows(p), by_rows(y), by_rows(p) ** 2, by_rows(y) ** 2, by_rows(p) * by_rows(y))"
DISTANCE = "along(away(x, y, centers) ** 2)"
# The operation: what it computes, of its operands and attributes by name. b_shape is the shape of operand b without the
# rows, b_lead whether it has rows. Several results are named by the operands that they give a value.
TABLE = {
    "adafactor": "w, r, c = adafactor(w, dw, r, c, learning_rate * factor, update, matrices, rows_, columns, decay, "
    "epsilon_1, epsilon_2, limit)",
    "affine": "scaled(x @ W, None, b)",
    "alpha_dropout": "alpha_scale(amount) * (np.where(draw(stream, *a_shape) >= np.float32(amount), h, "
    "-1.7580993408473766) + amount * 1.7580993408473766)",
    "argmax": "(np.argmin if smallest else np.argmax)(x, axis=axis + x_lead).reshape(*x.shape[:x_lead], *z_shape)",
    "argsort": "np.lexsort((-x if descending else x,), axis=-1)[..., :z_shape[-1]].astype(float)",
    "attention": "o, sums = attention(draw, q, k, v, mask, scale, causal, window, rate, stream)",
    "attention_adjoint": "dq, dk, dv = attention_adjoint(draw, q, k, v, mask, scale, causal, window, rate, stream, o, "
    "sums, do)",
    "average_pooling": "sum(places(window, x).values()) / counts(window, x_shape)",
    "average_pooling_adjoint": "spread(window, dict.fromkeys(np.ndindex(*window['size']), da / counts(window, "
    "dx_shape)), dx_shape)",
    "batch_normalization_adjoint": "normalization_adjoint(x, mean, variance, gamma, da, sums, epsilon)",
    "batch_statistics": "mean, variance = (flat(x).mean(axis=0), flat(x).var(axis=0))",
    "batch_sums": "normalization_sums(x, mean, variance, da, epsilon)",
    "bin_indicators": "((lows <= x[:, bins(places)]) & (x[:, bins(places)] < ends)) * 1.0",
    "categorical_matches": "np.sum(p.argmax(axis=-1) == y.argmax(axis=-1))",
    "center_distance": f"({DISTANCE} * (1 if weight is None else weight)).sum() * factor / 2 * (batch_rows if total "
    "else 1)",
    "center_distance_gradient": "(away(x, y, centers) * (1 if weight is None else weight)).reshape(x.shape) * factor / "
    "(1 if total else batch_rows)",
    "center_sums": "center_sums(x, y, weight, centers)",
    "center_update": "centers - alpha * parts[:, :-1] / (1 + parts[:, -1:])",
    "channel_gradient": "np.split(sums, 2)[place]",
    "class_counts": "class_counts(p, y, threshold)",
    "concatenation": "np.concatenate(parts, axis=axis + z_lead)",
    "confusion_counts": "confusion(p, y, threshold, class_id, top_k)",
    "convolution": "scaled(convolution(x, W, window, groups), None, b)",
    "copy": RESHAPED,
    "cumulative_product": "np.cumprod(x, axis + x_lead)",
    "cumulative_sum": f"{CUMULATIVE} if backwards else np.cumsum(x, axis + x_lead)",
    "derived_adjoint alpha_dropout": (
        "np.where(draw(stream, *a_shape) >= np.float32(amount), alpha_scale(amount) * dz[0], 0)"
    ),
    "derived_adjoint cumulative_product": "running_product_adjoint(x, dz[0], axis + x_lead)",
    "derived_adjoint prelu": (
        "shared(dz[0] * np.minimum(h, 0), dx_shape) if place else dz[0] * np.where(h > 0, 1, alpha)"
    ),
    "derived_adjoint upsampling": "dz[0].reshape(-1, x_shape[0], size[0], x_shape[1], size[1], x_shape[2]).sum((2, 4))",
    "dropout": "np.where(draw(stream, *a_shape) >= rate, h / (1 - rate), 0)",
    "embedding": "embedded(ids, W)",
    "embedding_gradient": "dW, counts = embedding_gradient(ids, dh, dW_shape)",
    "flip": "turned(W, flipped_shape, strides)",
    "forest": "forest(x, nodes, trees, values, base, sets)",
    "gather_bytes": "X[order].astype(float)",
    "gather_floats": "X[order]",
    "gaussian_dropout": "h * (1 + amount * normal(draw, stream, *a_shape))",
    "gaussian_noise": "h + amount * normal(draw, stream, *a_shape)",
    "glu": "np.split(h, 2, axis=-1)[0] * sigmoid(np.split(h, 2, axis=-1)[1])",
    "input_gradient": "dh @ W.T",
    "kernel_gradient": "kernel_gradient(x, dh, window, groups).reshape(dW_shape)",
    "lamb": "w, m, v = lamb(w, dw, m, v, learning_rate * factor, update, beta_1, beta_2, epsilon)",
    "log_softmax": "h - log_sum_exp(h)",
    "matrix_product": "matrix_product(x, y, transpose_x, transpose_y, z_lead, z_shape)",
    "mask_weights": "x / np.maximum(x.mean(), 1e-30)",
    "max_pooling": "np.max(list(places(window, x, -np.inf).values()), axis=0)",
    "max_pooling_adjoint": "max_pooling_adjoint(x, a, da, window)",
    "moments": f"np.concatenate([v.sum(axis=0) for v in {PRODUCTS}])",
    "muon": "w, m = muon(w, dw, m, learning_rate * factor * scale_of_step, rows_, columns, steps, nesterov, momentum, "
    "a, b, c)",
    "norm_constraint": "norm_constraint(W, low, high, rate, outer, reduced, inner)",
    "one_hot": "one_hot(ids, z_shape[-1])",
    "orthogonal_penalty": "sums, lengths, U, P = orthogonal_penalty(W, factor, columns, batch_rows)",
    "orthogonal_penalty_gradient": "U @ P if columns else P @ U",
    "periodic_embedding": "(np.einsum('rck,cku->rcu', cosines(x, omega, phi), W) + b).reshape(len(x), -1)",
    "periodic_gradient": "domega, dphi, dW, db = periodic_gradient(x, omega, phi, W, da)",
    "periodic_input_gradient": "(omega * periodic_slope(x, omega, phi, W, da)).sum(axis=2)",
    "permutation": "x.transpose(*range(z_lead), *(k + z_lead for k in order))",
    "piecewise_linear": "np.clip((x[:, bins(places)] - lows) * ends, 0, 1)",
    "piecewise_linear_adjoint": "piecewise_adjoint(x, places, lows, slopes, dz)",
    "placement": "placed(x, z_lead, z_shape, starts, steps, value)",
    "random_bernoulli": "np.where(draw(stream, *z_shape) < np.float32(first), second, 0)",
    "random_brightness": "np.clip(x + between(draw(stream, 1, 1, 1), factor) * (clip[1] - clip[0]), *clip)",
    "random_contrast": "contrasted(x, between(draw(stream, 1, 1, 1), factor), clip)",
    "random_crop": "cropped(x, draw(stream, 2).astype(float), z_shape)",
    "random_erasing": f"erased(x, draw(stream, 6), factor, scale, {ERASING})",
    "random_flip": "np.where(draw(stream, 1, 1, 1) <= 0.5, np.flip(x, (1,) * vertical + (2,) * horizontal), x)",
    "random_normal": "first + second * normal(draw, stream, *z_shape)",
    "random_uniform": "first + (second - first) * draw(stream, *z_shape)",
    "random_warp": "warped(x, draw(stream, 5), angle, shift, zoom, alike, fill_mode, fill_value, interpolation)",
    "resampling": "resampled(x, places, weights, axis + z_lead)",
    "reshape": RESHAPED,
    "row_correlations": "correlation(p, y)",
    "rowwise_adjoint softmax": "v * (da - along(da * v))",
    "rowwise_adjoint log_softmax": "da - np.exp(v) * along(da)",
    "rowwise_adjoint sparsemax": "(v > 0) * (da - along(da * (v > 0)) / along(v > 0))",
    "rowwise_adjoint glu": "glu_adjoint(v, da)",
    "score_histogram": "histogram(p, y, sums_shape[0], buckets, by_output, logits)",
    "slice": "x[strides_of(starts, steps, z_shape)]",
    "softmax": "softmax(h)",
    "sparse_matches": "np.sum(p.argmax(axis=-1) == y[..., 0])",
    "sparse_top_matches": "np.sum(among_largest(p, classes(y[..., :1], p_shape[-1])[0], k) & classes(y[..., :1], "
    "p_shape[-1])[1][..., 0])",
    "sparsemax": "sparsemax(h)",
    "spatial_dropout": "np.where(draw(stream, *(1 for _ in a_shape[1:]), a_shape[-1]) >= np.float32(amount), h / (1 - "
    "amount), 0)",
    "squared_norm": "sum((part**2).sum() for part in dw)",
    "squares_and_targets": SQUARES,
    "standardization": f"standard(x, {SETS})[0].reshape(x.shape)",
    "standardization_adjoint standardization": f"standardization_adjoint(x, da, {SETS})",
    "store": "stored(y, Y, order)",
    "take": "np.take(x, indices.astype(int), axis=axis + z_lead)",
    "take_adjoint": MOVED,
    "take_along_axis": "take_along(x, ids, axis + z_lead)",
    "take_along_axis_adjoint": "put_along(dz, ids, axis + dx_lead, dx_shape[axis])",
    "top_matches": "np.sum(among_largest(p, class_of(y, p)[..., None], k))",
    "transposed_convolution": "scaled(transposed_convolution(x, W, window, groups, h_shape), None, b)",
    "upsampling": "x.repeat(size[0], axis=1).repeat(size[1], axis=2)",
    "weight_gradient": "flat(x).T @ flat(dh)",
}
# Losses of whole rows: the value and the slope, of predictions p and targets y.
LOSSES = {
    "categorical_crossentropy": ("-(y * np.log(probabilities(p))).sum(axis=-1)", "crossentropy_slope(y, p)"),
    "categorical_crossentropy_logits": ("(y * (log_sum_exp(p) - p)).sum(axis=-1)", "softmax(p) * along(y) - y"),
    "categorical_focal_crossentropy": ("focal(y, p, gamma, alpha)", "focal_slope(y, p, gamma, alpha)"),
    "categorical_focal_crossentropy_logits": (
        "focal(y, softmax(p), gamma, alpha)",
        "through_softmax(lambda s: focal_slope(y, s, gamma, alpha), p)",
    ),
    "categorical_hinge": ("hinge(y, p)", "hinge_slope(y, p)"),
    "cosine_similarity": ("cosine(y, p)", "cosine_slope(y, p)"),
    "dice": (
        "1 - 2 * (y * p).sum(axis=-1) / ((y + p).sum(axis=-1) + EPSILON)",
        "2 * (along(y * p) / (along(y + p) + EPSILON) - y) / (along(y + p) + EPSILON)",
    ),
    "gaussian_nll": ("gaussian(y, p, eps, False)[0]", "gaussian(y, p, eps, False)[1]"),
    "gaussian_nll_logarithm": ("gaussian(y, p, eps, True)[0]", "gaussian(y, p, eps, True)[1]"),
    "generalized_cross_entropy": ("(1 - (y * p).sum(axis=-1) ** q) / q", "-y * along(y * p) ** (q - 1)"),
    "tversky": (
        "1 - (along(y * p) / tversky_bottom(y, p, alpha, beta))[..., 0]",
        "(along(y * p) / tversky_bottom(y, p, alpha, beta) * (y - alpha * y + beta * (1 - y)) - y) / "
        "tversky_bottom(y, p, alpha, beta)",
    ),
}
OF_CLASSES = {f"sparse_{name}": name for name in LOSSES if name.startswith("categorical_crossentropy")}
OF_CLASSES["generalized_cross_entropy"] = "generalized_cross_entropy"
