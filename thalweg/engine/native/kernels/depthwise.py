"""Depthwise convolutions: by hand, on vectors of channels, not matrices, as every channel has a kernel of its own.

The outputs of a row that use the same taps are a run: for a vector of channels, the kernel stays in registers during
the run, and so do the sums of a kernel's gradient. Addresses are in bytes, strides in floats.
"""

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.convolution import phase_of, zone
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import Emitter

RUN = ("row", "column", "rows", "columns", "count", "step", "channels")
COMMON = ((3, 3), (5, 5))  # kernel sizes for which loops are unrolled


class _Run(Emitter):
    """A run of `count` outputs. Their windows are `step` floats apart and have rows × columns elements, `row` and
    `column` floats apart. It covers all channels, a vector at a time."""

    constants = ("size",)  # the window's, or None

    def emit(self):
        builder = self.builder
        whole, done, rest = self.divided(self.given["channels"], VW)
        self.repeat(whole, [], lambda v, _: self.vector_of_channels(builder.mul(v, integer(VW)), self.load, self.store))
        with builder.if_then(builder.icmp_signed(">", rest, integer(0))):
            self.keep(rest)
            self.vector_of_channels(done, self.load_some, self.store_some)

    def vector_of_channels(self, k, load, store):
        """Emits the work on the channels from k on; returns no carried values."""
        raise NotImplementedError

    def times(self, a, name):
        """a times an argument, for a number or an emitted value a"""
        return self.builder.mul(integer(a) if isinstance(a, int) else a, self.given[name])

    def taps(self):
        """(row, column) of every element of a window of known size."""
        return [(a, b) for a in range(self.size[0]) for b in range(self.size[1])]

    def weight(self, a, b, k):
        return self.place("w", self.times(a, "wr"), self.times(b, "channels"), k)

    def seen(self, i, a, b, k):
        return self.place("x", self.times(i, "step"), self.times(a, "row"), self.times(b, "column"), k)

    def each_tap(self, carried, body):
        """carried = body(a, b, carried) for every element of a window."""
        for a, b in self.taps() if self.size else ():
            carried = body(a, b, carried)
        if self.size:
            return carried
        rows, columns = self.given["rows"], self.given["columns"]
        return self.repeat(rows, carried, lambda a, sums: self.repeat(columns, sums, lambda b, sums: body(a, b, sums)))


class _Weigh(_Run):
    arguments = ("x", "w", "wr", "bias", "y", "apart", *RUN, "relu", "gate")

    def vector_of_channels(self, k, load, store):
        """y = bias + Σ x·w, then max(y, 0) or y·[G > 0], G `gate` bytes after y; outputs are `apart` floats apart."""
        builder, given = self.builder, self.given
        given["G"] = builder.add(given["y"], given["gate"])
        (start,) = self.if_given("bias", [self.zero], lambda _, where: load(self.place("bias", where)), [k])
        weights = {tap: load(self.weight(*tap, k)) for tap in (self.taps() if self.size else ())}

        def output(i, carried):
            def add(a, b, sums):
                w = weights[a, b] if self.size else load(self.weight(a, b, k))
                return [self.multiply_add(load(self.seen(i, a, b, k)), w, sums[0])]

            (total,) = self.each_tap([start], add)
            at = self.times(i, "apart")
            total = self.if_given("relu", [total], lambda v, _: self.at_least_zero(v), [at])
            (total,) = self.if_given("gate", total, lambda v, at: self.gated(v, load(self.place("G", at, k))), [at])
            store(total, self.place("y", at, k))
            return carried

        return self.repeat(given["count"], [], output)


class _WeightGradient(_Run):
    arguments = ("x", "d", "w", "wr", *RUN)

    def vector_of_channels(self, k, load, store):
        """w += Σ over the run of x·d"""

        def error(i):
            return load(self.place("d", self.times(i, "channels"), k))

        def add(i, sums):
            d = error(i)
            return [
                self.multiply_add(load(self.seen(i, a, b, k)), d, total)
                for (a, b), total in zip(self.taps(), sums, strict=True)
            ]

        if self.size:
            places = [self.weight(a, b, k) for a, b in self.taps()]
            sums = self.repeat(self.given["count"], [self.zero] * len(places), add)
            for p, total in zip(places, sums, strict=True):
                store(self.builder.fadd(load(p), total), p)
            return []

        def tap(a, b, carried):
            def one(i, sums):
                return [self.multiply_add(load(self.seen(i, a, b, k)), error(i), sums[0])]

            p = self.weight(a, b, k)
            (total,) = self.repeat(self.given["count"], [self.zero], one)
            store(self.builder.fadd(load(p), total), p)
            return carried

        return self.each_tap([], tap)


def _size(builder, given):
    """The number of the windows' size, or 0."""
    key = integer(0)
    for number, size in enumerate(COMMON, start=1):
        sides = zip(("rows", "columns"), size, strict=True)
        same = [builder.icmp_signed("==", given[side], integer(n)) for side, n in sides]
        key = builder.select(builder.and_(*same), integer(number), key)
    return key


WEIGHERS, WEIGHT_GRADIENTS = (
    Family(name, kind, {n: (size,) for n, size in enumerate((None, *COMMON))})
    for name, kind in (("WEIGHERS", _Weigh), ("WEIGHT_GRADIENTS", _WeightGradient))
)
weigh, weigh_gradient = WEIGHERS.function(_size), WEIGHT_GRADIENTS.function(_size)


@compiled
def _correlate(x, C, w, wr, bias, y, of_y, images, down, across, relu, gate):
    """y[image, i, j] = bias + Σ x[image, i·sh + a·dh + ah, j·sw + b·dw + aw]·w[a, b] over the taps on the image.

    of_y: strides of y's images, rows and columns.
    """
    (OH, H, sh, dh, ah, _), (OW, W, sw, dw, aw, _), (yi, yr, yc) = down, across, of_y
    for image in range(images):
        i = 0
        while i < OH:
            a, after_a, next_i = zone(i, *down)
            j = 0
            while j < OW:
                b, after_b, next_j = zone(j, *across)
                for r in range(i, next_i):
                    weigh(
                        x + 4 * ((image * H + r * sh + a * dh + ah) * W + j * sw + b * dw + aw) * C,
                        w + 4 * (a * wr + b * C), wr, bias, y + 4 * (image * yi + r * yr + j * yc), yc,
                        dh * W * C, dw * C, after_a - a, max(0, after_b - b), next_j - j, sw * C, C, relu, gate,
                    )  # fmt: skip
                j = next_j
            i = next_i


@kernel
def depthwise_convolution(
    x, W, b, h, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, relu=0, a=0, *, rows
):
    """h = x ∗ W + b; max(h, 0), or h·[a > 0]"""
    down, across = (OH, H, sh, dilation_h, -top, kh), (OW, Wd, sw, dilation_w, -left, kw)
    _correlate(x, C, W, kw * C, b, h, (OH * OW * C, OW * C, C), rows, down, across, relu, a - h if a else 0)


@kernel
def depthwise_transposed_convolution(
    x, flipped, b, h, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, relu=0, a=0, *, rows
):
    """h = x ∗ Wᶠ + b; max(h, 0), or h·[a > 0]; elements that are a stride apart lie under the same taps."""
    of_h, gate = (H * Wd * C, sh * Wd * C, sw * C), a - h if a else 0
    for p in range(min(sh, H)):
        first_a, down = phase_of(p, H, OH, sh, dilation_h, top, kh)
        for q in range(min(sw, Wd)):
            first_b, across = phase_of(q, Wd, OW, sw, dilation_w, left, kw)
            of, to = flipped + 4 * (first_a * kw + first_b) * C, h + 4 * (p * Wd + q) * C
            _correlate(x, C, of, kw * C, b, to, of_h, rows, down, across, relu, gate)


@kernel
def depthwise_kernel_gradient(
    x, dh, dW, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, *, rows, accumulate
):
    """dW = x ∗ dh"""
    if accumulate == 0:
        floats(dW, kh * kw * C)[:] = 0
    for image in range(rows):
        for i in range(OH):
            a, after_a, _ = zone(i, i + 1, H, sh, dilation_h, -top, kh)
            j = 0
            while j < OW:
                b, after_b, next_j = zone(j, OW, Wd, sw, dilation_w, -left, kw)
                weigh_gradient(
                    x + 4 * ((image * H + i * sh + a * dilation_h - top) * Wd + j * sw + b * dilation_w - left) * C,
                    dh + 4 * ((image * OH + i) * OW + j) * C, dW + 4 * (a * kw + b) * C, kw * C,
                    dilation_h * Wd * C, dilation_w * C, after_a - a, max(0, after_b - b), next_j - j, sw * C, C,
                )  # fmt: skip
                j = next_j
