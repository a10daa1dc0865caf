"""What the doctor says, and when: a symptom alone is no illness, nor is it one in a single sample."""

import json
from contextlib import suppress

import numpy as np
import pytest

from thalweg import Sequential, callbacks, layers
from thalweg.doctor import RULES, Diagnosis, Finding, diagnose
from thalweg.errors import ArgumentError, DivergedError, ThalwegError
from thalweg.initializers import RandomNormal
from thalweg.optimizers import SGD, Adam
from thalweg.recordings import Recording
from thalweg.recordings.recording import STATISTICS, Sample
from thalweg.support.printing import spelled

random = np.random.default_rng(0)
X = random.normal(size=(300, 2)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:] > 0).astype(np.float32)
HALF_DEAD = np.array([[0.1, np.nan], [0.6, np.nan], [0.7, np.nan]])


def recording(losses=(0.69, 0.69, 0.69, 0.69), facts=None, sample=None, **statistics):
    """A recording of two layers by hand, of a training that learns nothing unless the losses say otherwise."""
    samples = max([3, *(len(values) for values in statistics.values())])
    measured = {name: np.full((samples, 2), 0.01) for name in STATISTICS}
    measured |= {
        "dead": np.zeros((samples, 2)),
        "saturated": np.zeros((samples, 2)),
        "equal_units": np.zeros((samples, 2)),
    }
    known = {
        "loss": "binary_crossentropy",
        "output_activation": "sigmoid",
        "target_kind": "binary",
        "class_counts": [150, 150],
        "history": {"epoch": list(range(len(losses))), "loss": list(losses)},
        "rows": 300,
        "architecture": [
            {"name": "dense", "kind": "Dense", "activation": "relu", "units": 8},
            {"name": "dense_1", "kind": "Dense", "activation": "sigmoid", "units": 1},
        ],
    }
    return Recording(
        layers=["dense", "dense_1"],
        iterations=np.arange(samples) * 10,
        epochs=np.arange(samples, dtype=float),
        learning_rates=np.full(samples, 0.01),
        batch_losses=np.array([0.7]),
        batch_iterations=np.array([0]),
        statistics=measured | {name: np.asarray(values, float) for name, values in statistics.items()},
        sample=sample or Sample(),
        facts=known | (facts or {}),
    )


def rules(made, **how):
    return [finding.rule for finding in diagnose(made, **how).findings]


@pytest.mark.parametrize("thorough", [False, True])
def test_a_symptom_counts_with_its_harm_alone(thorough):
    assert "dead units" in rules(recording(dead=HALF_DEAD), thorough=thorough)
    assert rules(recording((0.69, 0.2, 0.11, 0.1), dead=HALF_DEAD), thorough=thorough) == []


def test_harm_has_to_be_there_twice_running():
    assert "dead units" not in rules(recording((0.69, 0.69, 0.3, 0.69), dead=HALF_DEAD))
    assert "dead units" in rules(recording((0.69, 0.3, 0.69, 0.69), dead=HALF_DEAD))


def test_a_symptom_has_to_be_there_twice_running():
    once = HALF_DEAD.copy()
    once[1, 0] = 0.2
    assert "dead units" not in rules(recording(dead=once))


def test_the_worst_layer_is_named_and_the_output_left_out():
    finding = diagnose(recording(dead=HALF_DEAD)).findings[0]
    assert finding.sentence["en"] == "70% of the units of dense are dead."
    output = HALF_DEAD[:, ::-1]
    assert "dead units" not in rules(recording(dead=output))


def test_a_finding_that_explains_another_hides_it():
    small = np.array([[1e-9, 1.0]] * 3)
    assert "vanishing gradients" in rules(recording(gradient_norm=small))
    assert "vanishing gradients" not in rules(recording(gradient_norm=small, dead=HALF_DEAD))


@pytest.mark.parametrize(("ratio", "rule"), [(0.5, "learning rate too high"), (1e-6, "learning rate too low")])
def test_sizes_of_steps(ratio, rule):
    assert rule in rules(recording(update_ratio=np.full((4, 2), ratio)))
    assert rule not in rules(recording((0.69, 0.4, 0.2, 0.1), update_ratio=np.full((4, 2), ratio)))
    assert not {"learning rate too high", "learning rate too low"} & set(rules(recording()))


def test_a_number_below_0_has_the_fields_sign_in_a_sentence():
    found = diagnose(recording(update_ratio=np.full((4, 2), 1e-6))).findings
    (evidence,) = (finding.evidence for finding in found if finding.rule == "learning rate too low")
    assert [text.count("10^−") for text in evidence.values()] == [2, 2]
    assert "10^−6.0" in evidence["en"]


def test_little_progress_is_not_poor_where_simple_models_do_no_better():
    noise = Sample(X, (random.random((300, 1)) < 0.5).astype(np.float32))
    assert "dead units" not in rules(recording(dead=HALF_DEAD, sample=noise))
    assert "dead units" in rules(recording(dead=HALF_DEAD, sample=Sample(X, Y)))


def test_penalties_are_taken_out_of_the_loss():
    losses = (1.69, 1.2, 1.051, 1.05)  # of which 1 is the penalty
    assert "diverging" not in rules(recording(losses))
    facts = {"penalty": True, "initial_penalty": 1.0}
    assert rules(recording(losses, facts, weight_norm=np.full((3, 2), 2.0), dead=HALF_DEAD)) == []
    assert "dead units" in rules(recording(losses, weight_norm=np.full((3, 2), 2.0), dead=HALF_DEAD))


def test_what_is_not_checked_is_said():
    diagnosis = diagnose(
        recording(), thorough=False, skip={"stalled": {"en": "looked at elsewhere", "zh": "別處已檢查"}}
    )
    assert set(diagnosis.checked) | set(diagnosis.not_checked) == set(RULES)
    assert not set(diagnosis.checked) & set(diagnosis.not_checked)
    assert "not checked: stalled (looked at elsewhere)" in diagnosis.text()
    assert "沒有檢查：停滯（別處已檢查）" in diagnosis.text("zh")
    assert diagnosis.not_checked["overfitting"]["en"].startswith("there were no validation rows")
    assert diagnosis.not_checked["leaking column"]["en"] == "it takes too long while the network trains"
    assert repr(diagnosis) == str(diagnosis) == diagnosis.text()
    with pytest.raises(ArgumentError, match="unknown rule 'staled'; did you mean 'stalled'"):
        diagnose(recording(), skip={"staled": {"en": "", "zh": ""}})


def test_an_unknown_language_is_an_error():
    with pytest.raises(ArgumentError, match="language"):
        diagnose(recording()).text("de")


def test_the_texts_are_complete_and_can_be_printed_anywhere():
    for rule in RULES.values():
        for text in (rule.sentence, rule.evidence, rule.remedy):
            assert "?" not in "".join(map(spelled, text))
        assert set(rule.yields_to) <= set(RULES), rule.name
    found = diagnose(recording(dead=HALF_DEAD))
    assert json.loads(json.dumps(found.to_json()))["findings"][0]["rule"] == found.findings[0].rule
    assert "{" not in found.text() + found.text("zh")


def test_the_gravest_comes_first():
    texts = [{"en": "x", "zh": "x"}] * 3
    assert str(Diagnosis([Finding("stalled", "note", *texts)], ["stalled"])).startswith("x\n  evidence: x\n  remedy: x")
    history = {"epoch": list(range(6)), "loss": [0.69] * 6, "accuracy": [0.5] * 6}
    made = recording(dead=HALF_DEAD, facts={"history": history})
    severities = [finding.severity for finding in diagnose(made).findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert severities[0] == "error"


def test_a_standstill_is_seen_through_noise():
    noise = 0.006 * np.random.default_rng(0).normal(size=60)
    assert "stalled" in rules(recording(0.68 + noise))
    assert "stalled" not in rules(recording(0.69 - np.linspace(0, 0.06, 60) + noise))


def risen(right, rows, sample=None):
    """A recording whose validation loss has risen above a constant answer's, with these accuracies by epoch."""
    losses = np.linspace(0.7, 0.1, len(right))
    history = {
        "epoch": list(range(len(right))), "loss": losses.tolist(), "accuracy": (1 - losses / 2).tolist(),
        "val_loss": [0.5, 0.4, *np.linspace(0.45, 0.9, len(right) - 2)], "val_accuracy": list(right),
    }  # fmt: skip
    return rules(recording(losses, {"history": history, "held_rows": rows}))


def test_a_network_that_is_too_sure_of_itself_is_not_overfitted_while_its_answers_stay_right():
    kept = [0.8, 0.8, 0.8, 0.87, 0.8, 0.79, 0.79, 0.79]  # the best is the luckiest, and no measure
    assert "overfitting" not in risen(kept, 1000)
    assert "overfitting" in risen([*kept[:-2], 0.74, 0.74], 1000)
    assert "overfitting" in risen(kept, 40)  # so few rows tell nothing, and the loss is worse than a constant answer's


@pytest.mark.parametrize(("shape", "said"), [((6, 2), "judge by cross-validation"), ((6, 8, 8, 1), "vary the images")])
def test_too_few_rows_are_varied_only_if_they_are_images(shape, said):
    model = Sequential([layers.Flatten(), layers.Dense(1, "sigmoid")], seed=1)
    model.compile("sgd", "binary_crossentropy")
    model.fit(np.ones(shape), np.arange(6.0)[:, None] % 2, epochs=3, verbose=0, record=True)
    (found,) = [finding for finding in model.diagnose().findings if finding.rule == "too few rows"]
    assert said in found.remedy["en"]
    assert ("images" in found.remedy["en"]) == (len(shape) == 4)


# --- models ----------------------------------------------------------------------------------------------------------


def network(**arguments):
    model = Sequential([layers.Dense(8, "relu", **arguments), layers.Dense(1, "sigmoid")], seed=1)
    model.compile(Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


def test_a_model_that_was_not_fitted_has_no_diagnosis():
    with pytest.raises(ThalwegError, match=r"was not fitted: a diagnosis is one of fit\(x, y, record=True\)"):
        network().diagnose()


def test_without_a_recording_the_losses_are_looked_at():
    model = network()
    model.fit(X, Y, epochs=3, verbose=0)
    diagnosis = model.diagnose()
    assert set(diagnosis.checked) == {"not finite", "diverging"}
    assert {why["en"] for why in diagnosis.not_checked.values()} == {
        "only the losses are known: fit(record=True) records the rest"
    }


def test_a_training_that_failed():
    model = Sequential([layers.Dense(8, "relu"), layers.Dense(1)], seed=1)
    model.compile(SGD(1e6), "mse")
    with pytest.raises(DivergedError) as error:
        model.fit(X, X[:, :1], epochs=5, verbose=0, record=True)
    first = model.diagnose().findings[0]
    assert (first.rule, first.severity) == ("not finite", "error")
    assert first.evidence["en"] in str(error.value)
    assert "learning_rate" in first.remedy["en"]


def test_missing_values_have_another_remedy_and_no_other_finding():
    model, x = network(), 100 * X
    x[5, 1] = np.nan
    with pytest.raises(DivergedError):
        model.fit(x, Y, epochs=1, verbose=0, record=True)
    (finding,) = model.diagnose().findings
    assert finding.remedy["en"] == "Fill in or drop the missing values in x and y."


def test_a_training_that_fails_at_once_is_asked_for_the_cause():
    start = RandomNormal(stddev=1.0)
    stack = [layers.Dense(24, "elu", kernel_initializer=start) for _ in range(12)]
    model = Sequential([*stack, layers.Dense(1)], seed=1)
    model.compile(SGD(1e-5), "mse")
    with pytest.raises(DivergedError):
        model.fit(X, X[:, :1], epochs=1, verbose=0, record=True)
    assert len(model.recording) <= 2
    found = {finding.rule: finding for finding in model.diagnose().findings}
    assert {"not finite", "exploding gradients"} <= set(found)
    assert found["exploding gradients"].evidence["en"].endswith("; the training failed")


def test_a_network_with_its_best_weights_is_not_overfitted():
    x = random.normal(size=(120, 2)).astype(np.float32)
    y = (x[:, :1] + 0.8 * random.normal(size=(120, 1)) > 0).astype(np.float32)
    found = []
    for stop in ([], [callbacks.EarlyStopping(patience=100, restore_best_weights=True)]):
        model = Sequential([layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(1, "sigmoid")], seed=1)
        model.compile(Adam(0.01), "binary_crossentropy")
        model.fit(x[:60], y[:60], epochs=100, verbose=0, record=True, callbacks=stop, validation_data=(x[60:], y[60:]))
        found.append([finding.rule for finding in model.diagnose().findings])
    assert found == [["overfitting"], []]


def test_several_inputs_and_losses_of_ones_own_are_left_out_with_a_reason():
    first, second = layers.Input((2,)), layers.Input((2,))
    from thalweg import Model

    model = Model([first, second], layers.Dense(1)(layers.Concatenate()([first, second])))
    model.compile("adam", "(y_true - y_pred)**4")
    model.fit([X, X], X[:, :1], epochs=3, verbose=0, record=True)
    diagnosis = model.diagnose()
    assert {"bad start", "stalled", "leaking column"} <= set(diagnosis.not_checked)


def one_hot(labels):
    return np.eye(3, dtype=np.float32)[labels]


LABELS = random.integers(0, 3, 60)
IMAGES = random.integers(0, 256, (60, 6, 6, 1)).astype(np.uint8)
CLASSES = "sparse_categorical_crossentropy"
ODD = {  # x, y, last layer, loss, arguments of fit
    "one-hot": (X[:60], one_hot(LABELS), layers.Dense(3, "softmax"), "categorical_crossentropy", {}),
    "numbers as classes": (X[:60], LABELS, layers.Dense(1), "mse", {}),
    "several numbers": (X[:60], X[:60] ** 2, layers.Dense(2), "mae", {"validation_split": 0.3}),
    "several classes at once": (X[:60], (X[:60] > 0) * 1.0, layers.Dense(2, "sigmoid"), "binary_crossentropy", {}),
    "margins": (X[:60], (X[:60, :1] > 0) * 1.0, layers.Dense(1), "hinge", {}),
    "counts": (X[:60], LABELS[:, None], layers.Dense(1, "exponential"), "poisson", {"validation_split": 0.2}),
    "divergence": (X[:60], one_hot(LABELS), layers.Dense(3, "softmax"), "kl_divergence", {}),
    "weighted": (
        X[:60],
        LABELS,
        layers.Dense(3, "softmax"),
        "sparse_categorical_crossentropy",
        {"class_weight": {0: 3.0, 1: 1.0, 2: 1.0}},
    ),
    "one class": (X[:60], 0 * LABELS, layers.Dense(3, "softmax"), CLASSES, {}),
    "one number": (X[:60], np.ones((60, 1)), layers.Dense(1), "mse", {}),
    "five rows": (X[:5], LABELS[:5], layers.Dense(3, "softmax"), CLASSES, {}),
    "one epoch": (X[:60], LABELS, layers.Dense(3, "softmax"), CLASSES, {"epochs": 1}),
    "bytes": (IMAGES, LABELS, layers.Dense(3, "softmax"), CLASSES, {"validation_split": 0.3}),
    "images from images": (IMAGES / 255, IMAGES.reshape(60, 36) / 255, layers.Dense(36, "sigmoid"), "mse", {}),
}


@pytest.mark.parametrize("optimizer", [Adam(), SGD(1e38)], ids=["trained", "failed"])
@pytest.mark.parametrize("what", ODD)
def test_whatever_is_trained_can_be_examined(what, optimizer):
    x, y, last, loss, how = ODD[what]
    model = Sequential([layers.Flatten(), layers.Dense(8, "relu"), type(last).from_config(last.get_config())], seed=0)
    model.compile(type(optimizer).from_config(optimizer.get_config()), loss)
    with suppress(DivergedError):
        model.fit(x, y, verbose=0, record=True, **{"epochs": 5, "batch_size": 8} | how)
    diagnosis = model.diagnose()
    assert set(diagnosis.checked) | set(diagnosis.not_checked) == set(RULES)
    assert diagnosis.text("zh")
    assert diagnose(Recording(facts=model.recording.facts)).text()


def test_a_loss_that_rises_once_does_not_diverge():
    assert "diverging" not in rules(recording((0.69, 0.3, 0.2, 0.9)))
    assert "diverging" in rules(recording((0.69, 0.3, 0.2, 0.9, 0.9)))


def test_a_gradient_that_has_vanished_since_is_told():
    begun_well = np.array([[1.0, 1.0], [1e-9, 1.0], [1e-9, 1.0]])
    assert "vanishing gradients" in rules(recording(gradient_norm=begun_well))
    assert "vanishing gradients" not in rules(recording(gradient_norm=begun_well[[1, 0, 1]]))
