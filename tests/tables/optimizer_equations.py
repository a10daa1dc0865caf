"""Every optimizer once more: its paper's equation, in the form that Keras documents, as plain NumPy of one array.

A row is a function and the options that it is tried with. The function takes an array of weights w, its gradient g, the
step's number t = 1, 2, … and a dictionary s, empty at first, in which it remembers; it returns the new weights. Its
defaults are Keras's, or the paper's where Keras hasn't the optimizer. Nothing here is the package's.
"""

import numpy as np


def sgd(w, g, t, s, learning_rate=0.01, momentum=0.0, nesterov=False):
    """Polyak, 1964; Sutskever et al., ICML 2013, equations 3 and 4, in Keras's form."""
    s["v"] = momentum * s.get("v", 0) - learning_rate * g
    return w + (momentum * s["v"] - learning_rate * g if nesterov else s["v"])


def rmsprop(w, g, t, s, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    """Hinton, 2012; centered: Graves, arXiv 1308.0850, equations 38 to 41."""
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g**2
    s["a"] = rho * s.get("a", 0) + (1 - rho) * g
    spread = s["v"] - s["a"] ** 2 if centered else s["v"]
    s["p"] = momentum * s.get("p", 0) + learning_rate * g / np.sqrt(spread + epsilon)
    return w - s["p"]


def adam(w, g, t, s, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    """Kingma and Ba, ICLR 2015, the end of section 2; amsgrad: Reddi et al., ICLR 2018."""
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    s["top"] = np.maximum(s.get("top", 0), s["v"]) if amsgrad else s["v"]
    alpha = learning_rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - alpha * s["m"] / (np.sqrt(s["top"]) + epsilon)


def adamw(w, g, t, s, learning_rate=0.001, weight_decay=0.004, **others):
    """Loshchilov and Hutter, ICLR 2019, algorithm 2."""
    return adam(w - learning_rate * weight_decay * w, g, t, s, learning_rate, **others)


def adabelief(w, g, t, s, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-16):
    """Zhuang et al., NeurIPS 2020, algorithm 2."""
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["s"] = beta_2 * s.get("s", 0) + (1 - beta_2) * (g - s["m"]) ** 2 + epsilon
    m_hat, s_hat = s["m"] / (1 - beta_1**t), s["s"] / (1 - beta_2**t)
    return w - learning_rate * m_hat / (np.sqrt(s_hat) + epsilon)


def nadam(w, g, t, s, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Dozat, ICLR workshop 2016, algorithm 2, with the schedule of its section 3."""
    mu, mu_next = beta_1 * (1 - 0.5 * 0.96**t), beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
    s["product"] = s.get("product", 1) * mu
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["n"] = beta_2 * s.get("n", 0) + (1 - beta_2) * g**2
    m_bar = mu_next * s["m"] / (1 - s["product"] * mu_next) + (1 - mu) * g / (1 - s["product"])
    return w - learning_rate * m_bar / (np.sqrt(s["n"] / (1 - beta_2**t)) + epsilon)


def adamax(w, g, t, s, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Kingma and Ba, ICLR 2015, algorithm 2."""
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["u"] = np.maximum(beta_2 * s.get("u", 0), np.abs(g))
    return w - learning_rate / (1 - beta_1**t) * s["m"] / (s["u"] + epsilon)


def adagrad(w, g, t, s, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7):
    """Duchi, Hazan and Singer, JMLR 2011, figure 1 with diagonal matrices."""
    s["sum"] = s.get("sum", initial_accumulator_value) + g**2
    return w - learning_rate * g / np.sqrt(s["sum"] + epsilon)


def adadelta(w, g, t, s, learning_rate=0.001, rho=0.95, epsilon=1e-7):
    """Zeiler, arXiv 1212.5701, algorithm 1."""
    s["g2"] = rho * s.get("g2", 0) + (1 - rho) * g**2
    delta = -np.sqrt(s.get("x2", 0) + epsilon) / np.sqrt(s["g2"] + epsilon) * g
    s["x2"] = rho * s.get("x2", 0) + (1 - rho) * delta**2
    return w + learning_rate * delta


def lion(w, g, t, s, learning_rate=0.001, beta_1=0.9, beta_2=0.99):
    """Chen et al., NeurIPS 2023, program 1."""
    m = s.get("m", 0)
    s["m"] = beta_2 * m + (1 - beta_2) * g
    return w - learning_rate * np.sign(beta_1 * m + (1 - beta_1) * g)


def ftrl(
    w, g, t, s, learning_rate=0.001, learning_rate_power=-0.5, initial_accumulator_value=0.1,
    l1_regularization_strength=0.0, l2_regularization_strength=0.0, l2_shrinkage_regularization_strength=0.0, beta=0.0,
):  # fmt: skip
    """McMahan et al., KDD 2013, algorithm 1, with Keras's shrinkage; where nothing was learned w stays."""
    before = s.get("n", np.full_like(w, initial_accumulator_value))
    s["n"] = before + g**2
    sigma = (s["n"] ** -learning_rate_power - before**-learning_rate_power) / learning_rate
    s["z"] = s.get("z", 0) + g + 2 * l2_shrinkage_regularization_strength * w - sigma * w
    divisor = (beta + s["n"] ** -learning_rate_power) / learning_rate + 2 * l2_regularization_strength
    shrunk = np.sign(s["z"]) * np.minimum(np.abs(s["z"]), l1_regularization_strength) - s["z"]
    return np.array([a / b if b else c for a, b, c in zip(shrunk.flat, divisor.flat, w.flat, strict=True)]).reshape(
        w.shape
    )


def schedule_free_adamw(w, g, t, s, learning_rate=0.0025, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup_steps=0):
    """Defazio et al., NeurIPS 2024, algorithm 1, with the mean of all z equally weighted, as in Keras."""
    z, x = s.get("z", w), s.get("x", w)
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    rate = learning_rate * (min(t / warmup_steps, 1) if warmup_steps else 1)
    s["z"] = z - rate * g / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)
    s["x"] = (1 - 1 / t) * x + s["z"] / t
    return (1 - beta_1) * s["z"] + beta_1 * s["x"]


def lamb(w, g, t, s, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """You et al., ICLR 2020, algorithm 2."""
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    r = s["m"] / (1 - beta_1**t) / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)
    ratio = np.linalg.norm(w) / np.linalg.norm(r) if w.any() and r.any() else 1
    return w - learning_rate * ratio * r


def adafactor(
    w, g, t, s, learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0,
    relative_step=True,
):  # fmt: skip
    """Shazeer and Stern, ICML 2018, algorithms 4 and 5; the rate of algorithm 6 bounds a given one, as in Keras."""
    beta_2, square = 1 - t**beta_2_decay, g**2 + epsilon_1
    if w.ndim > 1:
        s["r"] = beta_2 * s.get("r", 0) + (1 - beta_2) * square.mean(axis=-1)
        s["c"] = beta_2 * s.get("c", 0) + (1 - beta_2) * square.mean(axis=-2)
        s["v"] = np.outer(s["r"], s["c"]) / s["r"].mean()
    else:
        s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * square
    u = g / np.sqrt(s["v"])
    rms_u, rms_w = (np.sqrt(np.mean(x**2)) for x in (u, w))
    return w - max(epsilon_2, rms_w) * min(learning_rate, 1 / np.sqrt(t)) * u / max(1, rms_u / clip_threshold)


def muon(
    w, g, t, s, learning_rate=0.001, adam_beta_1=0.9, adam_beta_2=0.999, adam_weight_decay=0.004, epsilon=1e-7,
    weight_decay=0.004, muon_a=3.4445, muon_b=-4.7750, muon_c=2.0315, adam_lr_ratio=1, momentum=0.95, ns_steps=5,
    nesterov=True, rms_rate=0.2,
):  # fmt: skip
    """Jordan, 2024, with the scale of Liu et al., arXiv 2502.16982; what isn't a matrix is Adam's."""
    if w.ndim != 2:
        w = w - learning_rate * adam_weight_decay * w
        return adam(w, g, t, s, learning_rate * adam_lr_ratio, adam_beta_1, adam_beta_2, epsilon)
    w = w - learning_rate * weight_decay * w
    s["m"] = momentum * s.get("m", 0) + g
    x = g + momentum * s["m"] if nesterov else s["m"]
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(ns_steps):
        x = muon_a * x + muon_b * x @ x.T @ x + muon_c * x @ x.T @ x @ x.T @ x
    return w - learning_rate * (1 if rms_rate is None else np.sqrt(max(w.shape)) * rms_rate) * x


FTRL = {
    "learning_rate": 0.1, "beta": 0.3, "l1_regularization_strength": 0.2, "l2_regularization_strength": 0.1,
    "l2_shrinkage_regularization_strength": 0.05,
}  # fmt: skip

# The class's name → its equation, and the options that it is tried with beside the defaults.
EQUATIONS = {
    "SGD": (sgd, {"learning_rate": 0.1, "momentum": 0.8}, {"momentum": 0.8, "nesterov": True}),
    "RMSprop": (
        rmsprop, {"rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}, {"centered": True, "epsilon": 0.1},
        {"momentum": 0.5, "centered": True, "epsilon": 0.1},
    ),
    "Adam": (adam, {"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.1}, {"amsgrad": True, "beta_1": 0.5, "beta_2": 0.2}),
    "AdamW": (adamw, {"learning_rate": 0.05, "weight_decay": 0.1}, {"amsgrad": True, "beta_2": 0.2}),
    "AdaBelief": (adabelief, {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-3}),
    "Nadam": (nadam, {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.1}),
    "Adamax": (adamax, {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.5, "epsilon": 0.1}),
    "Adagrad": (adagrad, {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 0.1}),
    "Adadelta": (adadelta, {"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-3}),
    "Lion": (lion, {"learning_rate": 0.3, "beta_1": 0.5, "beta_2": 0.6}, {"learning_rate": 0.1, "beta_1": 0.8}),
    "Adafactor": (adafactor, {"learning_rate": 0.01, "clip_threshold": 0.5, "beta_2_decay": -0.5, "epsilon_1": 0.1}),
    "Lamb": (lamb, {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.1}),
    "Ftrl": (
        ftrl,
        {"initial_accumulator_value": 0.0, "l1_regularization_strength": 0.1},
        {"initial_accumulator_value": 0.0, "l1_regularization_strength": 0.1, "learning_rate_power": -0.7},
        FTRL,
        FTRL | {"learning_rate_power": -0.7},
    ),
    "Muon": (muon, {"nesterov": False, "rms_rate": None, "momentum": 0.5}, {"adam_lr_ratio": 0.5, "epsilon": 0.1}),
    "ScheduleFreeAdamW": (
        schedule_free_adamw, {"warmup_steps": 4}, {"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.1, "warmup_steps": 2},
    ),
}  # fmt: skip
