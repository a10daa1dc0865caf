"""What can't be traced: one sentence, which names the user's line."""

import re

import numpy as np
import pytest

from thalweg import Input, Model, ops
from thalweg.errors import ThalwegError
from thalweg.layers import Dense, Layer


class Own(Layer):
    """A layer with a weight, whose call is a function of itself and its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def build(self, input_shape):
        self.w = self.add_weight(shape=(3,), name="w")

    def call(self, x):
        return self.function(self, x)


OTHER = Input((5, 3))


def branch(x):
    return x if ops.max(x, (1, 2)) > 0 else -x


def loop(x):
    while x > 0:
        x = x - 1
    return x


REFUSED = {
    "if": (branch, "Python if or while.*ops.where"),
    "while": (loop, "Python if or while.*ops.where"),
    "and": (lambda x: x > 0 and x < 1, "Python if or while"),
    "float": (lambda x: float(x) * x, "no numbers before there is data"),
    "numpy function": (lambda x: np.mean(x), "numpy.mean.*thalweg.ops"),
    "numpy array": (lambda x: np.asarray(x), "thalweg.ops"),
    "numpy in place": (lambda x: np.add(np.ones(3), x, out=np.ones(3)), "numpy.add"),
    "numpy list": (lambda x: np.concatenate([x, x], 1), "numpy.concatenate.*use ops.concatenate"),
    "numpy ufunc": (lambda x: np.exp(x), "numpy.exp.*use ops.exp"),
    "reshape of rows": (lambda x: ops.reshape(x, (3, -1)), "belong to a row"),
    "reshape to other sizes": (lambda x: ops.reshape(x, (-1, 4, 4)), "15 numbers"),
    "reshape across rows": (lambda x: ops.reshape(x, (-1,)), "belong to a row"),
    "transpose of rows": (lambda x: ops.transpose(x), "mixes the rows"),
    "swapaxes of rows": (lambda x: ops.swapaxes(x, 0, 1), "mixes the rows"),
    "concatenate rows": (lambda x: ops.concatenate([x, x]), "mixes the rows"),
    "stack rows": (lambda x: ops.stack([x, x]), "mixes the rows"),
    "maximum of rows": (lambda x: ops.max(x, 0), "mixes the rows"),
    "softmax of rows": (lambda x: ops.softmax(x, 0), "mixes the rows"),
    "cumprod of rows": (lambda x: ops.cumprod(x, 0), "mixes the rows"),
    "cumsum of rows": (lambda x: ops.cumsum(x, 0), "mixes the rows"),
    "flip of rows": (lambda x: ops.flip(x, 0), "mixes the rows"),
    "split of rows": (lambda x: ops.split(x, 2), "mixes the rows"),
    "pad of rows": (lambda x: ops.pad(x, 1), "mixes the rows"),
    "a row": (lambda x: x[0], "mixes the rows"),
    "some rows": (lambda x: x[1:], "mixes the rows"),
    "a mask of rows": (lambda x: x[np.array([True, False])], "mixes the rows"),
    "a computed place": (lambda x: x[:, ops.argmax(x, 1)], "take_along_axis"),
    "tile of rows": (lambda x: ops.tile(x, [ops.shape(x)[0], 1, 1]), "mixes the rows"),
    "repeat of rows": (lambda x: ops.repeat(x, ops.shape(x)[0], axis=0), "mixes the rows"),
    "two lists": (lambda x: x[:, [0, 1], [1, 2]], "one list of places"),
    "a mask of another length": (lambda x: x[:, [True, False]], "whole numbers"),
    "a place beyond": (lambda x: x[:, 5], "0 … 4"),
    "a negative place beyond": (lambda x: x[:, [-6]], "0 … 4"),
    "a fraction": (lambda x: x[:, 1.0], "whole numbers"),
    "too many places": (lambda x: x[:, 0, 0, 0], "4 places"),
    "nothing": (lambda x: x[:, 3:3], "empty"),
    "matmul": (lambda x: ops.matmul(x, np.ones((4, 2))), "matmul.*3"),
    "@": (lambda x: x @ np.ones((4, 2)), "matmul.*3"),
    "add": (lambda x: x + np.ones(4), "add.*shape"),
    "add of a batch": (lambda x: x + np.ones((2, 5, 3)), "2 rows"),
    "different axes": (lambda x: x + ops.sum(x, 1), "different numbers of axes"),
    "concatenate": (lambda x: ops.concatenate([x, x[:, :2]], 2), "differ only there"),
    "stack of shapes": (lambda x: ops.stack([x, x[:, :2]], 1), "differ only there"),
    "no such axis": (lambda x: ops.sum(x, 3), "axes 0 … 2"),
    "einsum of three": (lambda x: ops.einsum("bij,jk,kl->bil", x, np.ones((3, 2))), "each of its 2 operands"),
    "einsum with signs": (lambda x: ops.einsum("b!j->bj", x), "letters"),
    "einsum of two sizes": (lambda x: ops.einsum("bij,jk->bik", x, np.ones((4, 2))), "'j' has the sizes 3 and 4"),
    "einsum of an unknown axis": (lambda x: ops.einsum("bij->bik", x), "no operand has"),
    "einsum that drops axes": (lambda x: ops.einsum("b...->b", x), "'...' in its result"),
    "einsum without rows": (lambda x: ops.einsum("bij,bjk->ijk", x, x), "mixes the rows"),
    "einsum with rows last": (lambda x: ops.einsum("bij->ijb", x), "mixes the rows"),
    "einsum of other rows": (lambda x: ops.einsum("bij,bj->bij", x, np.ones((2, 3))), "of any number, not 2"),
    "einsum by an option": (lambda x: ops.einsum("bij->bji", x, optimize=True), "no optimize"),
    "einsum with wrong letters": (lambda x: ops.einsum("bi->b", x), "einsum.*axes"),
    "einsum across rows": (lambda x: ops.einsum("bij,cij->bc", x, x), "rows"),
    "rows + 1": (lambda x: ops.zeros((ops.shape(x)[0] + 1, 3)), "number of rows isn't known"),
    "a range of rows": (lambda x: x + ops.arange(ops.shape(x)[0]), "number of rows isn't known"),
    "size": (lambda x: x / ops.size(x), "number of rows isn't known"),
    "no tensor": (lambda x: x + "1", "numbers are needed|a tensor or numbers"),
    "scan of nothing": (lambda x: ops.scan(lambda c, v: (c, v), x[:, 0]), "number of steps.*neither"),
    "scan of two lengths": (lambda x: ops.scan(lambda c, v: (c, c), x[:, 0], x, length=4), r"got \[4, 5\]"),
    "scan of a number": (lambda x: ops.scan(lambda c, v: (c, c), x[:, 0], 3.0), "one of them has none"),
    "scan with a growing carry": (lambda x: ops.scan(lambda c, v: (v, c), 0.0, x), r"\(rows\), got \(rows, 3\)"),
    "scan with another carry": (lambda x: ops.scan(lambda c, v: ((c, c), c), x[:, 0], x), "the same shapes"),
    "scan with an unroll": (lambda x: ops.scan(lambda c, v: (c, c), x[:, 0], x, unroll=0), "unroll.*got 0"),
    "while_loop without a bound": (
        lambda x: ops.while_loop(lambda v: ops.sum(v, (1, 2)) < 9, lambda v: v + 1, x), "maximum_iterations.*None"
    ),
    "while_loop on all rows": (
        lambda x: ops.while_loop(lambda v: ops.any(v < 9), lambda v: v + 1, x, 3), "mixes the rows"
    ),
    "while_loop with many conditions": (
        lambda x: ops.while_loop(lambda v: v < 9, lambda v: v + 1, x, 3), "one truth value for each row"
    ),
    "while_loop that grows": (
        lambda x: ops.while_loop(lambda v: v[:, 0] < 9, lambda v: (v, v), x[:, 0], 3), "while_loop carries"
    ),
    "while_loop on arrays": (
        lambda x: ops.while_loop(lambda n: ops.sum(x, (1, 2)) < n, lambda n: n + 1, 0.0, 3), "none of loop_vars"
    ),
    "fori_loop to a tensor": (lambda x: ops.fori_loop(0, x[:, 0, 0], lambda k, v: v, x), "bounds that are known"),
    "associative_scan of rows": (lambda x: ops.associative_scan(ops.add, x), "mixes the rows"),
    "associative_scan of no axis": (lambda x: ops.associative_scan(ops.add, x, axis=3), "an axis 3"),
    "associative_scan of sizes": (
        lambda x: ops.associative_scan(lambda a, b: a, (x, x[:, 1:]), axis=1), r"got \[4, 5\]"
    ),
    "solve of no square": (lambda x: ops.solve(x, x), "square matrices"),
    "det of a vector": (lambda x: ops.det(x[:, 0]), "square matrices"),
    "cholesky of no square": (lambda x: ops.cholesky(x), "square matrices"),
    "inv of no square": (lambda x: ops.inv(x), "square matrices"),
    "solve of other axes": (lambda x: ops.solve(x[:, :3], x[:, :3, :, None]), "as many axes as a"),
    "solve_triangular of no square": (lambda x: ops.solve_triangular(x, x), "square matrices"),
    "segments of another length": (lambda x: ops.segment_sum(x, [0, 1]), "a number for each part"),
    "segments of any number": (lambda x: ops.segment_max(x, x[:, :, 0]), "needs num_segments"),
    "no segments": (lambda x: ops.segment_sum(x, [0] * 5, 0), "a segment at least"),
    "affine_transform by six": (lambda x: ops.image.affine_transform(x[..., None], [1.0] * 6), "eight numbers"),
    "another network": (lambda x: x + OTHER, "two networks|disconnected"),
    "random numbers for all": (lambda x: x + __import__("thalweg").random.normal((5, 3)), "ops.shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_in_a_layer_it_is_told_with_the_line(name):
    function, told = REFUSED[name]
    check(lambda: Own(lambda layer, x: function(x * layer.w))(Input((5, 3))), told)


@pytest.mark.parametrize("name", [n for n in REFUSED if n not in ("another network", "random numbers for all")])
def test_in_a_graph_it_is_told_with_the_line(name):
    function, told = REFUSED[name]
    check(lambda: function(Input((5, 3))), told)


def check(build, told, line=True):
    with pytest.raises((ThalwegError, TypeError)) as caught:
        build()
    message = str(caught.value)
    assert re.search(told, message), message
    assert "\n" not in message
    if line and isinstance(caught.value, ThalwegError):
        assert "test_tracing.py, line " in message, message


def test_weights_alone_outside_of_call():
    layer = Own(lambda layer, x: x * layer.w)
    layer(Input((5, 3)))
    check(lambda: layer.w * 2, "belong into a layer's call")
    check(lambda: ops.exp(layer.w), "belong into a layer's call")


@pytest.mark.parametrize("value", [3.0, np.ones(3), "x", [1.0]])
def test_add_loss_of_something_else(value):
    check(lambda: Own(lambda layer, x: (layer.add_loss(value), x)[1])(Input((5, 3))), "add_loss takes a tensor")


def test_add_loss_outside_of_call():
    model = Model(x := Input((3,)), Dense(2)(x))
    check(lambda: model.add_loss(ops.mean(ops.square(x))), "add_loss takes a tensor computed in call")


def test_a_mean_over_the_rows_is_no_output():
    x = Input((5, 3))
    check(lambda: Model(x, Own(lambda layer, x: ops.mean(x * layer.w))(x)), "a loss, no output", line=False)
    check(lambda: Model(x, ops.mean(x)), "a loss, no output", line=False)
    check(lambda: ops.exp(ops.mean(Dense(3)(x))), "not used in exp")
    check(lambda: Own(lambda layer, x: ops.mean(x) + ops.sum(x * layer.w))(x), "not used in add")
