"""Optimizer steps, each lane on its own stretch of the flat vectors. c[0] is the factor of the learning rate."""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import select
from thalweg.engine.native.kernels.updates.gradients import part, stretch
from thalweg.engine.native.layouts.state import LEARNING_RATE, UPDATE
from thalweg.engine.native.linalg.mathematics import exp, log

F32 = np.float32
ZERO, ONE = F32(0), F32(1)


def gradient_descent(o, c, s, f):
    """w −= learning_rate·dw"""
    first, after = stretch(o[2], o[3], s)
    w, dw = part(o[0], first, after), part(o[1], first, after)
    rate = F32(f[LEARNING_RATE] * c[0])
    for i in range(w.size):
        w[i] -= rate * dw[i]


def momentum(o, c, s, f):
    """v = momentum·v − learning_rate·dw; w += v"""
    first, after = stretch(o[3], o[4], s)
    w, dw, v = part(o[0], first, after), part(o[1], first, after), part(o[2], first, after)
    rate, keep = F32(f[LEARNING_RATE] * c[0]), F32(c[1])
    for i in range(w.size):
        u = keep * v[i] - rate * dw[i]
        v[i] = u
        w[i] += u


def nesterov(o, c, s, f):
    """v = momentum·v − learning_rate·dw; w += momentum·v − learning_rate·dw"""
    first, after = stretch(o[3], o[4], s)
    w, dw, v = part(o[0], first, after), part(o[1], first, after), part(o[2], first, after)
    rate, keep = F32(f[LEARNING_RATE] * c[0]), F32(c[1])
    for i in range(w.size):
        step = rate * dw[i]
        u = keep * v[i] - step
        v[i] = u
        w[i] += keep * u - step


def rmsprop(o, c, s, f):
    """v += (1−ρ)·(dw² − v); [a += (1−ρ)·(dw − a)]; [p = momentum·p +] learning_rate·dw/√(v [− a²] + ε); w −= it"""
    first, after = stretch(o[5], o[6], s)
    w, dw, v = part(o[0], first, after), part(o[1], first, after), part(o[2], first, after)
    a, p = part(o[3], first, after), part(o[4], first, after)
    rate, new, keep, epsilon = F32(f[LEARNING_RATE] * c[0]), F32(1 - c[1]), F32(c[2]), F32(c[3])
    if o[3] and o[4]:
        for i in range(w.size):  # two loops: LLVM doesn't check more than four arrays for overlaps
            g = dw[i]
            v[i] += new * (g * g - v[i])
            a[i] += new * (g - a[i])
        for i in range(w.size):
            p1 = keep * p[i] + rate * dw[i] / math.sqrt(v[i] - a[i] * a[i] + epsilon)
            p[i] = p1
            w[i] -= p1
    elif o[3]:
        for i in range(w.size):
            g = dw[i]
            v1 = v[i] + new * (g * g - v[i])
            a1 = a[i] + new * (g - a[i])
            v[i] = v1
            a[i] = a1
            w[i] -= rate * g / math.sqrt(v1 - a1 * a1 + epsilon)
    elif o[4]:
        for i in range(w.size):
            g = dw[i]
            v1 = v[i] + new * (g * g - v[i])
            p1 = keep * p[i] + rate * g / math.sqrt(v1 + epsilon)
            v[i] = v1
            p[i] = p1
            w[i] -= p1
    else:
        for i in range(w.size):
            g = dw[i]
            v1 = v[i] + new * (g * g - v[i])
            v[i] = v1
            w[i] -= rate * g / math.sqrt(v1 + epsilon)


def adam(o, c, s, f):
    """m += (1−β₁)·(dw − m); v += (1−β₂)·(dw² − v); w −= η·m/(√v + ε), or with the largest v so far"""
    first, after = stretch(o[5], o[6], s)
    w, dw = part(o[0], first, after), part(o[1], first, after)
    m, v, top = part(o[2], first, after), part(o[3], first, after), part(o[4], first, after)
    t = float(s[UPDATE])
    rate = F32(f[LEARNING_RATE] * c[0] * math.sqrt(1 - c[2] ** t) / (1 - c[1] ** t))
    new_1, new_2, epsilon = F32(1 - c[1]), F32(1 - c[2]), F32(c[3])
    if o[4]:
        for i in range(w.size):
            g = dw[i]
            m[i] += new_1 * (g - m[i])
            v[i] += new_2 * (g * g - v[i])
        for i in range(w.size):  # a second loop: LLVM doesn't check more than four arrays for overlaps
            v1, most = v[i], top[i]
            most = v1 if v1 > most else most
            top[i] = most
            w[i] -= rate * m[i] / (math.sqrt(most) + epsilon)
    else:
        for i in range(w.size):
            g = dw[i]
            m1 = m[i] + new_1 * (g - m[i])
            v1 = v[i] + new_2 * (g * g - v[i])
            m[i] = m1
            v[i] = v1
            w[i] -= rate * m1 / (math.sqrt(v1) + epsilon)


def nadam(o, c, s, f):
    """m, v as in adam; w −= learning_rate·(c₁·m + c₂·dw)/(√(v/c₃) + ε); c[4] is the product that `product` tends to"""
    first, after = stretch(o[4], o[5], s)
    w, dw = part(o[0], first, after), part(o[1], first, after)
    m, v = part(o[2], first, after), part(o[3], first, after)
    t, power, product = s[UPDATE], 1.0, c[4]
    if t < 500:
        product = 1.0
        for _ in range(t):
            power *= 0.96
            product *= 1 - 0.5 * power
    power = 0.96 ** float(t)
    product *= c[1] ** float(t)
    u, next_u = c[1] * (1 - 0.5 * power), c[1] * (1 - 0.5 * power * 0.96)
    of_m = F32(f[LEARNING_RATE] * c[0] * next_u / (1 - product * next_u))
    of_g = F32(f[LEARNING_RATE] * c[0] * (1 - u) / (1 - product))
    new_1, new_2, epsilon = F32(1 - c[1]), F32(1 - c[2]), F32(c[3])
    correction = F32(1 / (1 - c[2] ** float(t)))
    for i in range(w.size):
        g = dw[i]
        m1 = m[i] + new_1 * (g - m[i])
        v1 = v[i] + new_2 * (g * g - v[i])
        m[i] = m1
        v[i] = v1
        w[i] -= (of_m * m1 + of_g * g) / (math.sqrt(v1 * correction) + epsilon)


def adamax(o, c, s, f):
    """m += (1−β₁)·(dw − m); u = max(β₂·u, |dw|); w −= learning_rate/(1−β₁ᵗ)·m/(u + ε)"""
    first, after = stretch(o[4], o[5], s)
    w, dw = part(o[0], first, after), part(o[1], first, after)
    m, u = part(o[2], first, after), part(o[3], first, after)
    rate = F32(f[LEARNING_RATE] * c[0] / (1 - c[1] ** float(s[UPDATE])))
    new, keep, epsilon = F32(1 - c[1]), F32(c[2]), F32(c[3])
    for i in range(w.size):
        g = dw[i]
        m1 = m[i] + new * (g - m[i])
        kept, size = keep * u[i], abs(g)
        u1 = kept if kept > size else size
        m[i] = m1
        u[i] = u1
        w[i] -= rate * m1 / (u1 + epsilon)


def adagrad(o, c, s, f):
    """a += dw²; w −= learning_rate·dw/√(a + ε)"""
    first, after = stretch(o[3], o[4], s)
    w, dw, a = part(o[0], first, after), part(o[1], first, after), part(o[2], first, after)
    rate, epsilon = F32(f[LEARNING_RATE] * c[0]), F32(c[1])
    for i in range(w.size):
        g = dw[i]
        a1 = a[i] + g * g
        a[i] = a1
        w[i] -= rate * g / math.sqrt(a1 + epsilon)


def adadelta(o, c, s, f):
    """a += (1−ρ)·(dw² − a); step = √(d + ε)/√(a + ε)·dw; d += (1−ρ)·(step² − d); w −= learning_rate·step"""
    first, after = stretch(o[4], o[5], s)
    w, dw = part(o[0], first, after), part(o[1], first, after)
    a, d = part(o[2], first, after), part(o[3], first, after)
    rate, new, epsilon = F32(f[LEARNING_RATE] * c[0]), F32(1 - c[1]), F32(c[2])
    for i in range(w.size):
        g, d0 = dw[i], d[i]
        a1 = a[i] + new * (g * g - a[i])
        step = math.sqrt((d0 + epsilon) / (a1 + epsilon)) * g
        a[i] = a1
        d[i] = d0 + new * (step * step - d0)
        w[i] -= rate * step


def lion(o, c, s, f):
    """w −= learning_rate·sign(β₁·m + (1−β₁)·dw); m += (1−β₂)·(dw − m)"""
    first, after = stretch(o[3], o[4], s)
    w, dw, m = part(o[0], first, after), part(o[1], first, after), part(o[2], first, after)
    rate, keep, new_1, new_2 = F32(f[LEARNING_RATE] * c[0]), F32(c[1]), F32(1 - c[1]), F32(1 - c[2])
    for i in range(w.size):
        g, m0 = dw[i], m[i]
        u = keep * m0 + new_1 * g
        sign = ONE if u > ZERO else (-ONE if u < ZERO else u)
        m[i] = m0 + new_2 * (g - m0)
        w[i] -= rate * sign


def ftrl(o, c, s, f):
    """n += dw²; z += dw + 2·shrink·w − (n⁻ᵖ − n₀⁻ᵖ)/lr·w; w = (clip(z, ±l1) − z)/((n⁻ᵖ + β)/lr + 2·l2)"""
    first, after = stretch(o[4], o[5], s)
    w, dw = part(o[0], first, after), part(o[1], first, after)
    n, z = part(o[2], first, after), part(o[3], first, after)
    per_rate, power = F32(1 / (f[LEARNING_RATE] * c[0])), F32(-c[1])
    l1, shrink = F32(c[2]), F32(2 * c[4])
    below = F32(c[5] / (f[LEARNING_RATE] * c[0]) + 2 * c[3])
    if c[1] == -0.5:
        for i in range(w.size):
            g, w0, n0 = dw[i], w[i], n[i]
            n1 = n0 + g * g
            before, root = math.sqrt(n0), math.sqrt(n1)
            z1 = z[i] + (g + shrink * w0 - (root - before) * per_rate * w0)
            clipped = l1 if z1 > l1 else (-l1 if z1 < -l1 else z1)
            n[i] = n1
            z[i] = z1
            divisor = root * per_rate + below  # 0 where nothing was learned yet
            w[i] = select(divisor == ZERO, w0, (clipped - z1) / divisor)
    else:
        for i in range(w.size):
            g, w0, n0 = dw[i], w[i], n[i]
            n1 = n0 + g * g
            before, root = exp(power * log(n0)), exp(power * log(n1))
            z1 = z[i] + (g + shrink * w0 - (root - before) * per_rate * w0)
            clipped = l1 if z1 > l1 else (-l1 if z1 < -l1 else z1)
            n[i] = n1
            z[i] = z1
            divisor = root * per_rate + below
            w[i] = select(divisor == ZERO, w0, (clipped - z1) / divisor)


def schedule_free_adamw(o, c, s, f):
    """x = (w − (1−β₁)·z)/β₁; v as in adam; z −= lr·dw/(√(v/(1−β₂ᵗ)) + ε); w = (1−β₁)·z + β₁·(x + (z − x)/t)"""
    first, after = stretch(o[4], o[5], s)
    w, dw = part(o[0], first, after), part(o[1], first, after)
    z, v = part(o[2], first, after), part(o[3], first, after)
    t = float(s[UPDATE])
    rise = min(t / o[6], 1.0) if o[6] else 1.0
    rate = F32(f[LEARNING_RATE] * c[0] * rise)
    new, epsilon, correction = F32(1 - c[2]), F32(c[3]), F32(1 / (1 - c[2] ** t))
    of_z, of_x, per_x, weight = F32(1 - c[1]), F32(c[1]), F32(1 / c[1]), F32(1 / t)
    for i in range(w.size):
        g, z0 = dw[i], z[i]
        x = (w[i] - of_z * z0) * per_x
        v1 = v[i] + new * (g * g - v[i])
        z1 = z0 - rate * g / (math.sqrt(v1 * correction) + epsilon)
        v[i] = v1
        z[i] = z1
        w[i] = of_z * z1 + of_x * (x + (z1 - x) * weight)
