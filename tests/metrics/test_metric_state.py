"""Metrics by themselves: the score of all rows so far, weighted; lists of thresholds; metrics of one's own in NumPy."""

import pickle

import numpy as np
import pytest
from test_metrics import BITS, METRICS, ONE_HOT, SIGMOIDS

from thalweg import Sequential, losses, metrics, ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import Dense
from thalweg.metrics.means import FunctionMetric


def fresh(metric):
    return type(metric).from_config(metric.get_config())


@METRICS
def test_the_score_of_batches_is_that_of_all_rows(metric, y, p, score):
    metric = fresh(metric)
    assert metric.result() == 0
    for first in range(0, len(p), 7):
        metric.update_state(y[first : first + 7], p[first : first + 7])
    assert metric.result() == pytest.approx(score, rel=1e-5)
    metric.reset_state()
    assert metric.result() == 0
    assert metric(y, p) == pytest.approx(score, rel=1e-5)
    assert metric(y, p) == pytest.approx(fresh(metric)(np.concatenate([y, y]), np.concatenate([p, p])))


@METRICS
def test_a_weight_counts_a_row_so_many_times(metric, y, p, score):
    times = np.random.default_rng(5).integers(0, 5, len(p))
    weighted, repeated = fresh(metric), fresh(metric)
    weighted.update_state(y, p, sample_weight=times)
    repeated.update_state(np.repeat(y, times, axis=0), np.repeat(p, times, axis=0))
    assert weighted.result() == pytest.approx(repeated.result(), rel=1e-6)
    assert weighted.result() != pytest.approx(score, rel=1e-6)  # a case that can tell


COUNTED = [metrics.Precision, metrics.Recall, metrics.TruePositives, metrics.FalsePositives, metrics.FalseNegatives,
           metrics.TrueNegatives]  # fmt: skip


@pytest.mark.parametrize("kind", COUNTED)
def test_a_list_of_thresholds_has_a_result_for_each(kind):
    metric = kind(thresholds=[0.2, 0.5, 0.8])
    metric.update_state(BITS[:9], SIGMOIDS[:9])
    metric.update_state(BITS[9:], SIGMOIDS[9:])
    wanted = [kind(t)(BITS, SIGMOIDS) for t in (0.2, 0.5, 0.8)]
    assert metric.result().tolist() == wanted
    assert len(set(wanted)) == 3
    assert fresh(metric) == metric
    assert pickle.loads(pickle.dumps(metric)).result().tolist() == wanted
    metric.reset_state()
    assert metric.result().tolist() == [0, 0, 0]
    assert kind([0.2])(BITS, SIGMOIDS) == wanted[0]  # one is no list, as in Keras
    model = Sequential([Dense(1, input_dim=2)])
    with pytest.raises(ArgumentError, match="a history keeps one number"):
        model.compile("sgd", "mse", metrics=[metric])


P = np.array([[0.9, 0.2, 0.8, 0.1], [0.2, 0.9, 0.7, 0.6], [0.1, 0.2, 0.4, 0.3], [0, 1, 0.7, 0.3]])
T = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
WEIGHTS = [((0.0, 2.0, 3.0, 5.0),), (1, 2, 3, 4), ((1,), (2,), (3,), (4,)), np.arange(16.0).reshape(4, 4), 2.0, [[3.0]]]


@pytest.mark.parametrize("thresholds", [None, [0.15, 0.5, 0.85]])
@pytest.mark.parametrize("kind", COUNTED)
def test_weights_of_outputs_as_in_keras(kind, thresholds, keras):
    ours, theirs = kind(thresholds=thresholds), getattr(keras.metrics, kind.__name__)(thresholds=thresholds)
    for weight in WEIGHTS:
        for metric in (ours, theirs):
            metric.update_state(T, P, sample_weight=weight)
        np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), rtol=1e-5)


def test_weights_of_outputs():
    assert metrics.TrueNegatives(thresholds=[0.15, 0.5, 0.85])(T, P, WEIGHTS[0]).tolist() == [5, 15, 23]
    assert metrics.TrueNegatives()([0, 1, 0, 1], [0.1, 0.3, 0.6, 0.8], [1, 2, 3, 4]) == 1
    with pytest.raises(ShapeError, match="a number for each of the 4 rows"):
        metrics.TrueNegatives()(T, P, np.ones((2, 4)))
    with pytest.raises(ShapeError, match="a number for each of the 4 rows"):  # which count isn't a sum over outputs
        metrics.Precision(top_k=2)(T, P, WEIGHTS[0])
    with pytest.raises(ShapeError, match="a number for each of the 4 rows"):
        metrics.MeanSquaredError()(T, P, WEIGHTS[0])


class Confident(metrics.Metric):
    """The rows whose prediction is above a threshold, in Keras's manner."""

    def __init__(self, least=0.9, name="confident"):
        super().__init__(name=name)
        self.least = least
        self.found = self.add_weight(name="found", initializer="zeros")
        self.by_output = self.add_variable((2,), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        above = np.asarray(y_pred) > self.least
        self.found.assign(self.found + above.sum())
        self.by_output.assign_add(above.sum(axis=0))

    def result(self):
        return self.found.numpy()


def test_a_metric_of_one_s_own_by_itself():
    metric = Confident(0.5)
    metric.update_state(None, [[0.6, 0.7], [0.2, 0.9]])
    assert metric(None, [[0.6, 0.1]]) == 4
    assert metric.by_output.numpy().tolist() == [2, 2]
    assert len(metric.variables) == 2
    metric.reset_state()
    assert metric.result() == 0
    assert not metric.by_output.any()
    model = Sequential([Dense(1, input_dim=2)])
    for own in (Confident, metrics.Mean(), metrics.Sum()):
        with pytest.raises(ArgumentError, match=r"a loop of your own|is a name or one of"):
            model.compile("sgd", "mse", metrics=[own])
    with pytest.raises(ArgumentError, match="Nothing has no update_state"):
        type("Nothing", (metrics.Metric,), {})()


def test_means_and_sums_of_any_values():
    mean, total = metrics.Mean("loss"), metrics.Sum()
    assert (mean.name, total.name, mean.result(), total.result()) == ("loss", "sum", 0, 0)
    for value, weight in ((1.0, None), ([3.0, 5.0], None), ([7.0, 9.0], [0.0, 2.0])):
        mean.update_state(value, weight)
        total.update_state(value, weight)
    assert mean.result() == pytest.approx((1 + 3 + 5 + 2 * 9) / 5)
    assert total.result() == 1 + 3 + 5 + 2 * 9
    assert mean(5.4) == pytest.approx(5.4)
    assert {type(fresh(m)) for m in (mean, total)} == {metrics.Mean, metrics.Sum}
    with pytest.raises(ShapeError, match="sample_weight has the shape"):
        mean.update_state([1.0, 2.0], [1.0, 2.0, 3.0])


def test_the_mean_of_a_function():
    metric = metrics.MeanMetricWrapper(losses.huber, delta=2.0)
    assert metric.name == "huber"
    metric.update_state(BITS, SIGMOIDS)
    assert metric.result() == pytest.approx(losses.Huber(2.0)(BITS, SIGMOIDS))
    assert fresh(metric)(BITS[:3], SIGMOIDS[:3]) == pytest.approx(losses.Huber(2.0)(BITS[:3], SIGMOIDS[:3]))
    metric.reset_state()
    assert metric.result() == 0
    with pytest.raises(ArgumentError, match="fn is a function"):
        metrics.MeanMetricWrapper("mse")


def test_what_does_not_fit_raises():
    metric = metrics.BinaryAccuracy()
    metric.update_state(BITS, SIGMOIDS)
    with pytest.raises(ShapeError, match=r"was given outputs of shape \(4,\), and now \(2,\)"):
        metric.update_state(BITS[:, :2], SIGMOIDS[:, :2])
    with pytest.raises(ShapeError, match="sample_weight is a number for each of the 23 rows"):
        metric.update_state(BITS, SIGMOIDS, [1.0, 2.0])
    assert metric.result() == metrics.BinaryAccuracy()(BITS, SIGMOIDS)  # nothing was added


def test_the_functions_are_the_means_of_their_classes():
    for name in metrics.row_scores.__all__[1:]:
        function = getattr(metrics, name)
        assert pickle.loads(pickle.dumps(function)) is function
        y = ONE_HOT.argmax(axis=1) if name.startswith("sparse") else ONE_HOT
        assert function(y, SIGMOIDS).mean() == pytest.approx(function.kind()(y, SIGMOIDS))


def test_what_a_metric_by_itself_is_said_in_both_languages():
    words = ("formula", "range", "use")
    assert all(getattr(kind, word) for kind in metrics.BY_THEMSELVES.values() for word in words)


def test_weights_count_in_running_means_and_in_functions():
    values, weights = np.array([1.0, 3.0, 8.0]), np.array([3.0, 1.0, 0.5])
    mean = metrics.Mean()
    for part in (slice(0, 1), slice(1, 3)):
        mean.update_state(values[part], sample_weight=weights[part])
    assert mean.result() == pytest.approx(np.average(values, weights=weights))
    distance = FunctionMetric(lambda y_true, y_pred: ops.abs(y_true - y_pred))
    y, p = np.zeros((3, 2)), np.repeat(values[:, None], 2, axis=1)
    assert distance(y, p) == pytest.approx(values.mean())
    assert distance(y, p, sample_weight=weights) == pytest.approx(np.average(values, weights=weights))


def test_a_prediction_at_the_threshold_is_not_above_it():
    assert metrics.BinaryAccuracy()([[0.0], [0.0], [1.0]], [[0.5], [0.4], [0.6]]) == 1.0


def test_a_metric_of_one_s_own_may_have_a_constructor_that_calls_no_other():
    class Misses(metrics.Metric):
        def __init__(self):
            self.misses = 0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.misses += int(np.sum(np.asarray(y_true) != np.asarray(y_pred)))

        def result(self):
            return self.misses

    metric = Misses()
    metric.reset_state()
    assert metric([1, 2, 3], [1, 3, 4]) == 2
    assert metric([1], [0]) == 3
