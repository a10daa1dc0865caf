"""The formula that a listing prints is read back, computed, and compared with what the instruction's reference does."""

import re

import conformance
import numpy as np
import pytest
from harness import ACCUMULATE, EXTREME, TOLERANCE, Case, Shape
from printed import Matrix, Reader, Transposed, Unreadable, pieces

from thalweg.program.formula.functions import FUNCTIONS
from thalweg.program.ir.instruction import TOTALS, Buffer

# The rows whose formulas are words or use signs that aren't understood. It may only shrink.
UNREAD = frozenset(
    """
    adam_of_rows attention attention_adjoint by_steps columns mask_weights scan
    embedding embedding_gradient table_reduce
    accumulate adabelief adadelta adafactor adagrad adam adamax affine_share affine_sum alpha_dropout
    alpha_dropout_adjoint angle_adjoint_of_y argmax argsort average average_pooling average_pooling_adjoint
    batch_moments batch_normalization batch_normalization_adjoint batch_sums bin_indicators
    binary_matches categorical_crossentropy
    categorical_crossentropy_gradient categorical_crossentropy_logits categorical_crossentropy_logits_gradient
    categorical_focal_crossentropy categorical_focal_crossentropy_gradient categorical_focal_crossentropy_logits
    categorical_focal_crossentropy_logits_gradient categorical_hinge categorical_hinge_gradient categorical_matches
    center_distance center_distance_gradient center_sums center_update channel_gradient class_counts clip_norm
    concatenation confusion_counts convolution convolution_by_columns cosine_similarity cosine_similarity_gradient
    cumulative_product cumulative_product_adjoint cumulative_sum custom custom_adjoint depthwise_convolution
    depthwise_kernel_gradient
    depthwise_transposed_convolution dice dice_gradient difference_adjoint_of_x difference_adjoint_of_y dropout
    dropout_adjoint
    exponentials flip forest ftrl gather gather_bytes gather_share gaussian_dropout gaussian_nll gaussian_nll_gradient
    gaussian_nll_logarithm gaussian_nll_logarithm_gradient gaussian_noise generalized_cross_entropy
    generalized_cross_entropy_gradient glu glu_adjoint gradient_descent kernel_gradient kernel_gradient_by_columns lamb
    largest layout lion
    log_of_sum_of_exponentials_adjoint_of_y log_softmax matrix_product max_pooling max_pooling_adjoint
    maximum_adjoint_of_x
    maximum_adjoint_of_y mean_over_axes minimum_adjoint_of_y mod_adjoint_of_y moments moving_average muon nadam
    norm_constraint normalization one_hot orthogonal_penalty periodic_embedding periodic_gradient
    periodic_input_gradient permutation piecewise_linear piecewise_linear_adjoint placement
    power_adjoint_of_y prelu_adjoint_of_alpha prelu_adjoint_of_h
    product product_of_two_adjoint_of_x product_of_two_adjoint_of_y product_without_zeros quotient_adjoint_of_x
    quotient_adjoint_of_y random_bernoulli random_brightness random_contrast random_crop random_erasing random_flip
    random_normal random_uniform random_warp reduce resampling reshape rmsprop row_correlations schedule-free_adamw
    score_histogram share_weight_gradient slice smallest softmax sparse_categorical_crossentropy
    sparse_categorical_crossentropy_gradient sparse_categorical_crossentropy_logits
    sparse_categorical_crossentropy_logits_gradient sparse_matches sparse_top_matches sparsemax sparsemax_adjoint
    spatial_dropout squared_norm squares_and_targets standardization standardization_adjoint store sum
    sum_of_two_adjoint_of_y take take_adjoint take_along_axis take_along_axis_adjoint ties top_matches transpose
    transposed_convolution transposed_convolution_by_columns tversky tversky_gradient upsampling upsampling_adjoint
    where_adjoint_of_x where_adjoint_of_y winograd_convolution winograd_convolution_by_columns winograd_gradient
    winograd_gradient_by_columns winograd_kernel winograd_kernel_gradient zeros
    """.split()  # noqa: SIM905
)
SHAPES = [Shape(rows=4, width=5, units=3, flags=flags & ~ACCUMULATE, seed=seed) for flags, seed in
          ((0, 0), (1, 1), (8, 2), (255 - EXTREME, 3), (32, 4), (33, 5), (97, 6), (1, 7), (65, 8))]  # fmt: skip


def computed(case: Case) -> dict[str, np.ndarray]:
    """What the printed formula makes of the operands, by the name of the output."""
    i, m = case.instruction, case.memory(np.float64)
    operands = {b.name: b for b in i.operands if b is not None}
    outputs = {b.name for b in case.outputs().values()}
    parts = pieces(i.formula)
    result = {}

    def array(b: Buffer) -> np.ndarray:
        if b.per_row and b.size == 1:  # a weight
            return m[b].reshape(-1, *[1] * max(len(o.shape) for o in operands.values()))
        return m[b].view(Matrix) if not b.per_row and len(b.shape) == 2 else m[b]

    def first(name: str) -> int:
        return next((n for n, (left, *_) in enumerate(parts) if left == name), len(parts))

    def value(place: int):
        def of(name: str):
            known = {"rows": case.batch_rows, "learning_rate": m.step.learning_rate, "π": np.pi}
            if name in known:
                return known[name]
            if name in result:
                return result[name]
            if name in operands and (name not in outputs or place <= first(name)):  # as it was before
                return array(operands[name])
            if name.endswith("ᵀ") and name not in operands:
                return Transposed(of(name.removesuffix("ᵀ")))
            after = [n for n, (left, *_) in enumerate(parts) if left == name]
            if not after:
                raise Unreadable(name)
            near = next((n for n in after if n > place), after[-1])
            return read(near)

        return of

    def read(place: int):
        name, how, text = parts[place]
        running = name in operands and operands[name].region == TOTALS

        def total(x, over_rows):
            if name in operands and operands[name].per_row:
                return np.sum(x, axis=-1, keepdims=True)
            if not running:
                return np.asarray(x).reshape(-1, x.shape[-1]).sum(axis=0)  # over rows and positions
            if (" over rows of " in text or text.startswith("mean")) and not over_rows:
                return x.reshape(len(x), -1).sum(axis=1).reshape(-1, *[1] * (x.ndim - 1))
            return np.sum(x) * (case.batch_rows if how == "=" else 1)

        def mean(x, over_rows):
            if name in outputs and not operands[name].per_row and not running:  # over rows and positions
                return np.asarray(x).reshape(-1, x.shape[-1]).mean(axis=0)
            rows = np.broadcast_to(x, np.broadcast_shapes(np.shape(x), (case.shape.rows, *[1] * (np.ndim(x) - 1))))
            return rows.sum() if over_rows else rows.mean() * case.shape.rows

        return Reader(text, value(place), total, mean).all()

    for place, (name, how, _) in enumerate(parts):
        if name in outputs:
            before = m[operands[name]]
            change = read(place)
            added = operands[name].region == TOTALS or how == "+="
            result[name] = before + change if added else before - change if how == "−=" else change
    if missing := outputs - result.keys():
        raise Unreadable(f"nothing is said of {missing}")
    return result


def check(name: str) -> None:
    for shape in SHAPES:
        case = Case(conformance.ROWS[name], shape)
        case.penalties = 1.0  # the factor of a step, which no formula shows: only `fit(shuffle=…)` sets it
        with np.errstate(all="ignore"):
            got, want, m = computed(case), case.reference(), case.memory(np.float64)
        for field, b in case.outputs().items():
            size = case.magnitudes[field](m) if field in case.magnitudes else abs(want[field])
            right = np.broadcast_to(got[b.name], want[field].shape)
            wrong = ~(abs(right - want[field]) <= TOLERANCE * size + 1e-9) & ~(np.isnan(right) & np.isnan(want[field]))
            assert not wrong.any(), f"{case.instruction.formula} gives {right[wrong][0]}, not {want[field][wrong][0]}"


def printed_formula_is_the_reference(name):
    """One that can be read is off the list of those that can't."""
    if name in UNREAD:
        with pytest.raises((Unreadable, AssertionError, TypeError, ValueError, AttributeError)):
            check(name)
    else:
        check(name)


def test_the_list_has_no_other_names():
    assert not UNREAD - conformance.ROWS.keys()


# What each function is shown as occurs in one of these.
SHOWN = {
    "expm1": "elu", "log": "binary_crossentropy", "sqrt": "bent_identity", "abs": "softsign",
    "sign": "absolute_error_gradient", "sin": "sine", "cos": "sine_adjoint", "arctan": "arctan", "tanh": "tanh",
    "min": "relu6", "max": "relu", "where": "leaky_relu", "sigmoid": "sigmoid", "logcosh": "log_cosh", "normal": "gelu",
    "normal_density": "gelu_adjoint", "mish_gate": "mish", "mish_gate_slope": "mish_adjoint",
    "tanh_shrink": "tanh_shrink", "softplus": "softplus",
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_a_wrong_sign_in_what_is_printed_is_noticed(name, monkeypatch):
    function = FUNCTIONS[name]
    if "{0}" not in function.shown:
        wrong = re.sub(r"\bx\b", "(2 * x)", function.shown)
    elif name == "where":
        wrong = "({0} ? {2} : {1})"
    else:
        wrong = "banana" + function.shown
    monkeypatch.setitem(FUNCTIONS, name, function._replace(shown=wrong))
    with pytest.raises((Unreadable, AssertionError)):
        check(SHOWN[name])
