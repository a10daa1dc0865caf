"""The losses of whole rows, as functions of the losses' names. P, Y, D: (classes, n), transposed rows; T: n results,
then scratch. See `loss_loops.py`. The loops over r are vectorised."""

from thalweg.engine.native.compiler.llvm import select, unknown
from thalweg.engine.native.kernels.losses.loss_loops import F32, ONE
from thalweg.engine.native.language.callables import compiled, independent, inlined
from thalweg.engine.native.linalg import mathematics as maths

ZERO = F32(0)
EPSILON = F32(1e-7)


@inlined
def clipped(p):
    p = EPSILON if p < EPSILON else p
    return ONE - EPSILON if p > ONE - EPSILON else p  # in this order NaN stays NaN


@inlined
def power(x, exponent):
    """x^exponent for x ≥ 0; x⁰ is 1."""
    return ONE if exponent == ZERO else maths.power(x, exponent)


@compiled
def sum_of(A, B, result, n, classes):
    """result[r] = Σ A·B over the classes"""
    for r in independent(n):
        result[r] = A[0, r] * B[0, r]
    for j in range(1, classes):
        for r in independent(n):
            result[r] += A[j, r] * B[j, r]


@compiled
def mass_of(A, result, n, classes):
    """result[r] = Σ A over the classes"""
    for r in independent(n):
        result[r] = A[0, r]
    for j in range(1, classes):
        for r in independent(n):
            result[r] += A[j, r]


@compiled
def smooth(Y, smoothing, n, classes):
    if smoothing != ZERO:
        for j in range(classes):
            for r in independent(n):
                Y[j, r] = Y[j, r] * (ONE - smoothing) + smoothing / F32(classes)


@compiled
def largest(P, top, n, classes):
    """top[r] = the largest of the classes; NaN if any is."""
    one = unknown(ONE)
    for r in independent(n):
        top[r] = P[0, r]
    for j in range(1, classes):
        for r in independent(n):
            x, highest = P[j, r], top[r] * one
            top[r] = select(x <= highest, highest, x)


@compiled
def softmax(P, top, mass, n, classes):
    """P −= top, then P = eᴾ/Σ; `mass` receives the sum of the exponentials."""
    for j in range(classes):
        for r in independent(n):
            P[j, r] = maths.exp(P[j, r] - top[r])
    mass_of(P, mass, n, classes)
    for r in independent(n):
        top[r] = ONE / mass[r]
    for j in range(classes):
        for r in independent(n):
            P[j, r] *= top[r]


@compiled
def categorical_crossentropy_logits(P, Y, D, T, n, classes, smoothing):
    """ℓ = Σ y·(log Σeʰ − h), dh = softmax(h)·Σy − y"""
    loss, top, mass, truth = T[:n], T[2 * n : 3 * n], T[3 * n : 4 * n], T[4 * n : 5 * n]
    smooth(Y, smoothing, n, classes)
    largest(P, top, n, classes)
    loss[:] = ZERO
    for j in range(classes):
        for r in independent(n):
            loss[r] += Y[j, r] * (top[r] - P[j, r])
    softmax(P, top, mass, n, classes)
    mass_of(Y, truth, n, classes)
    for r in independent(n):
        loss[r] += truth[r] * maths.log(mass[r])
    for j in range(classes):
        for r in independent(n):
            D[j, r] = P[j, r] * truth[r] - Y[j, r]


@compiled
def categorical_crossentropy(P, Y, D, T, n, classes, smoothing):
    """ℓ = −Σ y·log q with q = p/Σp, clipped; dp = (Σy − y/q)/Σp over the classes whose q is not clipped."""
    loss, mass, truth = T[:n], T[2 * n : 3 * n], T[3 * n : 4 * n]
    smooth(Y, smoothing, n, classes)
    mass_of(P, mass, n, classes)
    loss[:] = ZERO
    truth[:] = ZERO
    for j in range(classes):
        for r in independent(n):
            q = P[j, r] / mass[r]
            loss[r] -= Y[j, r] * maths.log(clipped(q))
            truth[r] += ZERO if q < EPSILON or q > ONE - EPSILON else Y[j, r]
    for j in range(classes):
        for r in independent(n):
            q = P[j, r] / mass[r]
            of_q = ZERO if q < EPSILON or q > ONE - EPSILON else Y[j, r] / clipped(q)
            D[j, r] = (truth[r] - of_q) / mass[r]


@compiled
def categorical_focal_crossentropy(P, Y, D, T, n, classes, smoothing, gamma, alpha):
    """ℓ = −Σ α·(1 − q)^γ·y·log q with q = p/Σp, clipped"""
    loss, mass, turning = T[:n], T[2 * n : 3 * n], T[3 * n : 4 * n]
    smooth(Y, smoothing, n, classes)
    mass_of(P, mass, n, classes)
    for j in range(classes):
        for r in independent(n):  # D = log q
            D[j, r] = maths.log(clipped(P[j, r] / mass[r]))
    loss[:] = ZERO
    turning[:] = ZERO
    for j in range(classes):
        for r in independent(n):
            q = clipped(P[j, r] / mass[r])
            loss[r] -= alpha * power(ONE - q, gamma) * Y[j, r] * D[j, r]
        for r in independent(n):
            q = P[j, r] / mass[r]
            inside = not (q < EPSILON or q > ONE - EPSILON)
            q = clipped(q)
            outer = ZERO if gamma == ZERO else gamma * power(ONE - q, gamma - ONE) * D[j, r]
            slope = alpha * Y[j, r] * (outer - power(ONE - q, gamma) / q)
            D[j, r] = slope if inside else ZERO
        for r in independent(n):
            turning[r] += D[j, r] * P[j, r] / mass[r]
    for j in range(classes):
        for r in independent(n):
            D[j, r] = (D[j, r] - turning[r]) / mass[r]


@compiled
def categorical_focal_crossentropy_logits(P, Y, D, T, n, classes, smoothing, gamma, alpha):
    """`categorical_focal_crossentropy` of p = softmax(h): dh = p·(dp − Σ dp·p)"""
    turning = T[4 * n : 5 * n]
    largest(P, turning, n, classes)
    softmax(P, turning, T[3 * n : 4 * n], n, classes)
    categorical_focal_crossentropy(P, Y, D, T, n, classes, smoothing, gamma, alpha)
    sum_of(D, P, turning, n, classes)
    for j in range(classes):
        for r in independent(n):
            D[j, r] = P[j, r] * (D[j, r] - turning[r])


@compiled
def generalized_cross_entropy(P, Y, D, T, n, classes, q):
    """ℓ = (1 − p_y^q)/q, dp_y = −p_y^(q − 1)"""
    loss, slope = T[:n], T[2 * n : 3 * n]
    sum_of(P, Y, loss, n, classes)
    for r in independent(n):
        slope[r] = power(loss[r], q - ONE)
    for r in independent(n):
        loss[r] = (ONE - power(loss[r], q)) / q
    for j in range(classes):
        for r in independent(n):
            D[j, r] = -slope[r] if Y[j, r] > ZERO else ZERO


@compiled
def categorical_hinge(P, Y, D, T, n, classes):
    """ℓ = max(max (1 − y)·ŷ − Σ y·ŷ + 1, 0)"""
    loss, top, place = T[:n], T[2 * n : 3 * n], T[3 * n : 4 * n]
    sum_of(P, Y, loss, n, classes)
    for j in range(classes):
        for r in independent(n):
            D[j, r] = (ONE - Y[j, r]) * P[j, r]
    largest(D, top, n, classes)
    for r in independent(n):
        margin = top[r] - loss[r] + ONE
        loss[r] = ZERO if margin < ZERO else margin
    place[:] = F32(-1)  # the first class whose (1 − y)·ŷ is the largest
    for j in range(classes):
        for r in independent(n):
            place[r] = F32(j) if D[j, r] == top[r] and place[r] < ZERO else place[r]
    for j in range(classes):
        for r in independent(n):
            y = Y[j, r]
            D[j, r] = ((ONE - y if place[r] == F32(j) else ZERO) - y) * (ONE if loss[r] > ZERO else ZERO)


@compiled
def cosine_similarity(P, Y, D, T, n, classes):
    """ℓ = −Σ y·ŷ/(‖y‖·‖ŷ‖)"""
    loss, of_y, of_p, turning = T[:n], T[2 * n : 3 * n], T[3 * n : 4 * n], T[4 * n : 5 * n]
    sum_of(Y, Y, of_y, n, classes)
    sum_of(P, P, of_p, n, classes)
    sum_of(P, Y, loss, n, classes)
    for r in independent(n):
        size = of_y[r] ** F32(0.5)
        of_y[r] = EPSILON if size < EPSILON else size
        size = of_p[r] ** F32(0.5)
        turning[r] = ZERO if size < EPSILON else ONE
        of_p[r] = EPSILON if size < EPSILON else size
        loss[r] = -loss[r] / (of_y[r] * of_p[r])
        turning[r] *= loss[r] / (of_p[r] * of_p[r])  # ℓ/‖ŷ‖²
        of_y[r] = ONE / (of_y[r] * of_p[r])
    for j in range(classes):
        for r in independent(n):
            D[j, r] = -Y[j, r] * of_y[r]
        for r in independent(n):
            D[j, r] -= P[j, r] * turning[r]


@compiled
def dice(P, Y, D, T, n, classes):
    """ℓ = 1 − 2·Σ y·ŷ/S with S = Σ y + Σ ŷ + ε, dŷ = 2·(Σ y·ŷ/S − y)/S"""
    loss, of_y, of_p = T[:n], T[2 * n : 3 * n], T[3 * n : 4 * n]
    mass_of(Y, of_y, n, classes)
    mass_of(P, of_p, n, classes)
    sum_of(P, Y, loss, n, classes)
    for r in independent(n):
        of_p[r] = ONE / (of_p[r] + of_y[r] + EPSILON)
        of_y[r] = loss[r] * of_p[r]
        loss[r] = ONE - F32(2) * of_y[r]
    for j in range(classes):
        for r in independent(n):
            D[j, r] = F32(2) * (of_y[r] - Y[j, r]) * of_p[r]


@compiled
def tversky(P, Y, D, T, n, classes, alpha, beta):
    """ℓ = 1 − I/B with I = Σ y·ŷ, B = I + α·Σ (1 − ŷ)·y + β·Σ ŷ·(1 − y) + ε"""
    loss, bottom, ratio = T[:n], T[2 * n : 3 * n], T[3 * n : 4 * n]
    sum_of(P, Y, loss, n, classes)
    bottom[:] = EPSILON
    for j in range(classes):
        for r in independent(n):
            p, y = P[j, r], Y[j, r]
            bottom[r] += p * y + alpha * (ONE - p) * y + beta * p * (ONE - y)
    for r in independent(n):
        bottom[r] = ONE / bottom[r]
        ratio[r] = loss[r] * bottom[r]
        loss[r] = ONE - ratio[r]
    for j in range(classes):
        for r in independent(n):
            y = Y[j, r]
            D[j, r] = (ratio[r] * (y - alpha * y + beta * (ONE - y)) - y) * bottom[r]


@compiled
def gaussian_nll(P, Y, D, T, n, classes, eps):
    """ℓ = Σ ½(log v + (μ − y)²/v), v at least eps; the first half of the outputs are μ"""
    half = classes // 2
    T[:n] = ZERO
    for j in range(half):
        for r in independent(n):
            v, e = P[half + j, r], P[j, r] - Y[j, r]
            v = eps if v < eps else v
            D[j, r] = e / v
        for r in independent(n):
            v, g = P[half + j, r], D[j, r]
            v = eps if v < eps else v
            D[half + j, r] = F32(0.5) * (ONE / v - g * g)
        for r in independent(n):
            v, g = P[half + j, r], D[j, r]
            v = eps if v < eps else v
            T[r] += F32(0.5) * (maths.log(v) + g * g * v)


@compiled
def gaussian_nll_logarithm(P, Y, D, T, n, classes, eps):
    """ℓ = Σ ½(s + (μ − y)²·e⁻ˢ)"""
    half = classes // 2
    T[:n] = ZERO
    for j in range(half):
        for r in independent(n):
            e, s = P[j, r] - Y[j, r], P[half + j, r]
            g = e * maths.exp(-s)
            T[r] += F32(0.5) * (s + g * e)
            D[j, r], D[half + j, r] = g, F32(0.5) * (ONE - g * e)
