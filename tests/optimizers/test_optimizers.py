"""Optimizers and regularizers: their equations in plain NumPy, descriptions, and both engines alike."""

import json

import numpy as np
import pytest

from thalweg import Sequential, optimizers, regularizers, schedules
from thalweg.errors import ArgumentError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD, Adam, AdamW, Muon, RMSprop
from thalweg.program.passes.draft import Request
from thalweg.regularizers import L1, L1L2, L2, OrthogonalRegularizer

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(24, 5)), RANDOM.normal(size=(24, 2))


def gradient(w):
    """Of the mean squared error of x·w over rows and outputs."""
    return X.T @ (X @ w - Y) / Y.size * 2


def descend(rate, steps, w):
    for _ in range(steps):
        w = w - rate * gradient(w)
    return w


SLOTS = [  # named in saved files
    (SGD(), ()),
    (SGD(momentum=0.9), ("v",)),
    (RMSprop(), ("v",)),
    (RMSprop(momentum=0.9), ("v", "p")),
    (RMSprop(momentum=0.9, centered=True), ("v", "a", "p")),
    (Adam(), ("m", "v")),
    (AdamW(amsgrad=True), ("m", "v", "top")),
    (optimizers.Nadam(), ("m", "v")),
    (optimizers.Adamax(), ("m", "u")),
    (optimizers.Adagrad(), ("a",)),
    (optimizers.Adadelta(), ("a", "d")),
    (optimizers.Lion(), ("m",)),
    (optimizers.Adafactor(), ("r", "c")),
    (optimizers.Lamb(), ("m", "v")),
    (optimizers.Ftrl(), ("n", "z")),
    (optimizers.Muon(), ("m", "v")),
    (optimizers.ScheduleFreeAdamW(), ("z", "v")),
    (Adam(use_ema=True, gradient_accumulation_steps=2), ("m", "v", "average", "accumulated")),
]


ALL = {"weight_decay": 0.01, "clipnorm": 0.5, "use_ema": True, "gradient_accumulation_steps": 3}
EVERY = pytest.mark.parametrize(
    "make",
    [lambda c=c, o=o: c(**o) for c in optimizers.CLASSES.values() for o in ({}, ALL)],
    ids=[f"{name}-{'all' if o else 'plain'}" for name in optimizers.CLASSES for o in ({}, ALL)],
)


def test_every_optimizer_has_a_name():
    public = {c for c in vars(optimizers).values() if isinstance(c, type) and issubclass(c, optimizers.Optimizer)}
    assert public - {optimizers.Optimizer} == set(optimizers.CLASSES.values()) == set(optimizers.NAMES.values())


def network(optimizer, **options):
    model = Sequential([Input((5,)), Dense(2, use_bias=False)], seed=2, **options)
    model.compile(optimizer, "mse")
    return model


@EVERY
def test_six_steps_lower_the_loss_alike_on_both_engines_and_on_two_lanes(make):
    results = []
    for options in ({}, {"lanes": 2}, {"engine": "reference", "dtype": "float64"}):
        lanes = options.pop("lanes", None)
        model = Sequential([Input((5,)), Dense(8, "tanh"), Dense(2)], seed=2, **options)
        model.compile(make(), "mse")
        before = model.evaluate(X, Y)
        for _ in range(6):
            model.fit(X, Y, batch_size=len(X), verbose=0, lanes=lanes)
        assert model.evaluate(X, Y) < before or isinstance(model.optimizer, optimizers.Ftrl)  # it forgets the start
        results.append(model.get_weights())
    for got in results[:2]:
        for left, right in zip(got, results[2], strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=3e-6)


@EVERY
def test_records_are_there_and_the_description_is_complete(make):
    optimizer = make()
    for name in ("formula", "use", "avoid", "paper"):
        assert getattr(optimizer, name)
    again = optimizers.get(json.loads(json.dumps(optimizers.serialize(optimizer))))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert again.slot_names() == optimizer.slot_names()


@EVERY
def test_a_saved_model_goes_on_bit_for_bit(make, tmp_path):
    from thalweg import load_model

    whole, half = network(make()), network(make())
    for model in (whole, half):
        for _ in range(4):  # in the middle of an accumulation of three
            model.train_on_batch(X, Y)
    half.save(tmp_path / "half.safetensors")
    again = load_model(tmp_path / "half.safetensors")
    assert again.optimizer.iterations == 4
    for model in (whole, again):
        for _ in range(3):
            model.train_on_batch(X, Y)
    assert np.array_equal(again.vector, whole.vector)
    assert np.array_equal(again.slots, whole.slots)


def test_slots_keep_their_names():
    for optimizer, names in SLOTS:
        assert optimizer.slot_names() == names


def test_an_optimizer_is_found_by_its_name_or_is_itself():
    for name, kind in optimizers.CLASSES.items():
        optimizer = kind()
        assert optimizers.get(optimizer) is optimizer
        assert optimizers.get(name).get_config() == optimizers.get(name.lower()).get_config() == optimizer.get_config()


class Sign(optimizers.Optimizer):
    slots = ("m",)
    equation = """
m = keep * m + (1 - keep) * dw
w -= learning_rate * sign(m)"""

    def __init__(self, **common):
        super().__init__(0.01, **common)
        self.keep = 0.5


@pytest.mark.jit
def test_an_equation_of_one_s_own_runs_on_both_engines():
    weights = {}
    for engine in ("native", "reference"):
        model = network(Sign(), engine=engine)
        model.fit(X, Y, batch_size=24, epochs=3, verbose=0)
        weights[engine] = model.get_weights()[0]
    start = network(Sign()).get_weights()[0]
    np.testing.assert_allclose(weights["native"], weights["reference"], rtol=1e-6)
    moves = (weights["native"] - start) / 0.01
    np.testing.assert_allclose(moves, np.round(moves), atol=1e-4)
    assert Sign.formula == "m = keep·m + (1 − keep)·dw; w −= lr·sign(m)"


@pytest.mark.parametrize(
    ("equation", "slot", "words"),
    [
        ("w -= gamma * dw", "m", "Sign: its equation names 'gamma'"),
        ("w -= open(dw)", "m", "Sign: its equation calls 'open'; it may call exp, "),
        ("w -= learning_rate * dw", "t", "Sign: no slot can be called 't'"),
        ("", "m", "Sign has no equation"),
    ],
)
def test_what_is_wrong_with_an_equation_is_said_in_one_sentence(equation, slot, words, monkeypatch):
    monkeypatch.setattr(Sign, "equation", equation)
    monkeypatch.setattr(Sign, "slots", (slot,))
    with pytest.raises(ArgumentError, match=words):
        network(Sign()).fit(X, Y, verbose=0)


# --- gradients, weights around the step, parts of the network ------------------------------------------------------


def hidden(optimizer, **options):
    model = Sequential([Input((5,)), Dense(8, "tanh", name="one"), Dense(2, name="two")], seed=2, **options)
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("lanes", [1, 2])
def test_factors_and_frozen_layers_change_only_their_weights(lanes):
    plain, slow, frozen = (
        hidden(SGD(0.1)),
        hidden(SGD(0.1, learning_rate_factors={"one": 0.5, "one/b": 0})),
        hidden("sgd"),
    )
    frozen.layers[0].trainable = False
    start = plain.get_weights() if plain.built else (plain.build(), plain.get_weights())[1]
    for model in (plain, slow):
        model.fit(X, Y, batch_size=24, verbose=0, lanes=lanes)
    moves = [[w - s for w, s in zip(m.get_weights(), start, strict=True)] for m in (plain, slow)]
    np.testing.assert_allclose(moves[1][0], 0.5 * moves[0][0], rtol=1e-4, atol=1e-7)
    assert not moves[1][1].any()
    np.testing.assert_allclose(moves[1][2], moves[0][2], rtol=1e-4, atol=1e-7)
    frozen.fit(X, Y, batch_size=8, epochs=2, verbose=0, lanes=lanes)
    still = [np.array_equal(w, s) for w, s in zip(frozen.get_weights(), start, strict=True)]
    assert still == [True, True, False, False]
    frozen.layers[0].trainable = True  # takes effect at once
    frozen.fit(X, Y, batch_size=8, verbose=0)
    assert not np.array_equal(frozen.get_weights()[0], start[0])


def test_the_global_norm_is_that_of_all_lanes():
    rates = {}
    for lanes in (1, 2):
        model = hidden(SGD(1.0, global_clipnorm=0.01))
        model.build()
        start = model.vector.copy()
        model.fit(X, Y, batch_size=24, verbose=0, lanes=lanes)
        rates[lanes] = float(np.linalg.norm(model.vector.astype(np.float64) - start))
    assert rates == pytest.approx({1: 0.01, 2: 0.01}, rel=1e-4)


def test_the_average_replaces_the_weights_when_fit_ends():
    model = network(SGD(0.1, use_ema=True, ema_momentum=0.5), engine="reference", dtype="float64")
    w = average = None
    model.build()
    w = model.get_weights()[0]
    for step in range(4):
        w = descend(0.1, 1, w)
        average = w if step == 0 else 0.5 * average + 0.5 * w
    model.fit(X, Y, batch_size=24, epochs=4, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-12)


def test_the_listing_shows_what_the_lanes_share():
    model = hidden(Adam(clipvalue=1.0, weight_decay=0.1))
    names = [row.name for row in model.schedule(lanes=2) if row.section == "update"]
    assert names == ["reduce", "clip value", "weight decay", "adam"]
    assert "reduce" not in [row.name for row in model.schedule()]


def test_the_plain_program_says_what_is_computed_and_the_native_one_how():
    def update(engine, **options):
        model = hidden(Muon(0.1, exclude_layers=["two"], weight_decay=None, adam_weight_decay=None, **options))
        model.build()
        model._compiled.engine = engine
        return model.lower(Request(lanes=2))[0].update

    plain, native = update("reference", global_clipnorm=0.5), update("native", global_clipnorm=0.5)
    assert [i.name for i in plain] == ["squared norm", "clip norm", "update", "muon"]
    assert [i.name for i in native] == ["reduce", *(i.name for i in plain)]
    assert [str(i.formula) for i in plain[:2]] == ["‖d…‖² = Σ dw²", "dw = dw·min(1, 0.5/√‖d…‖²)"]
    assert not any("native" in type(i).__module__ for i in plain)
    assert not any(hasattr(i, "turn") for i in plain)
    assert [i.turn for i in native if i.name == "muon"] == [0]


def test_a_norm_is_that_of_several_stretches_together():
    layers = [Dense(3, "tanh"), Dense(2, trainable=False), Dense(1)]
    model = Sequential([Input((X.shape[1],)), *layers], seed=1, engine="reference")
    model.compile(SGD(0.1, global_clipnorm=0.5), "mse")
    model.build()
    first, *clips = model.lower(Request())[0].update[:3]
    assert first.formula == "‖d…‖² = Σ dW1…b1² + Σ dW3…b3²"
    assert [clip.formula for clip in clips] == [f"{dw} = {dw}·min(1, 0.5/√‖d…‖²)" for dw in ("dW1…b1", "dW3…b3")]


# --- the learning rate ----------------------------------------------------------------------------------------------


def test_a_learning_rate_may_be_a_schedule_or_a_function_of_the_step():
    rates = [0.1, 0.05, 0.025, 0.0125, 0.00625]
    want = None
    for rate in (schedules.ExponentialDecay(0.1, 1, 0.5), lambda step: 0.1 * 0.5**step):
        model = network(SGD(rate), engine="reference", dtype="float64")
        model.build()
        want = model.get_weights()[0]
        for r in rates:
            want = descend(r, 1, want)
        model.fit(X, Y, batch_size=24, epochs=3, verbose=0)
        assert model.optimizer.learning_rate == pytest.approx(rates[3])
        model.fit(X, Y, batch_size=24, epochs=2, verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], want, rtol=1e-12)


def test_a_schedule_is_saved_and_a_plain_function_says_that_it_cannot_be(tmp_path):
    from thalweg import load_model

    model = network(Adam(schedules.CosineDecay(0.1, 20)))
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").optimizer.learning_rate == model.optimizer.learning_rate
    with pytest.raises(ArgumentError, match="follows CosineDecay"):
        model.optimizer.learning_rate = 0.1
    with pytest.raises(ArgumentError, match=r"can't be saved: use one of thalweg\.schedules"):
        network(Adam(lambda step: 0.1)).save(tmp_path / "other.safetensors")
    with pytest.raises(ArgumentError, match="learning rate of step 0 would be -1"):
        network(Adam(lambda step: -1)).fit(X, Y, verbose=0)


EXAMPLES = {
    "ExponentialDecay": (0.1, 10, 0.5), "PiecewiseConstantDecay": ([10], [0.1, 0.01]), "PolynomialDecay": (0.1, 10),
    "InverseTimeDecay": (0.1, 10, 0.5), "CosineDecay": (0.1, 10), "CosineDecayRestarts": (0.1, 10),
    "OneCycle": (0.1, 100), "Coslog4": (0.1, 100), "FlatCos": (0.1, 100),
}  # fmt: skip


@pytest.mark.parametrize("name", schedules.CLASSES)
def test_every_schedule(name):
    schedule = schedules.CLASSES[name](*EXAMPLES[name])
    steps = np.arange(200)
    many = schedule(steps)
    assert many.shape == (200,)
    assert (many >= 0).all()
    assert many.max() == pytest.approx(0.1, rel=1e-3)
    assert [schedule(int(step)) for step in steps[::17]] == pytest.approx(many[::17])
    again = schedules.get(json.loads(json.dumps(schedules.serialize(schedule))))
    assert np.array_equal(again(steps), many)
    for field in ("formula", "use", "avoid", "paper"):
        assert getattr(schedule, field)


def test_one_cycle_is_pytorchs():
    torch = pytest.importorskip("torch")
    weights = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = torch.optim.SGD(weights, 0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=1000, cycle_momentum=False)
    want = []
    for _ in range(1000):
        want.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step() if len(want) < 1000 else None
    np.testing.assert_allclose(schedules.OneCycle(0.3, 1000)(np.arange(1000)), want, rtol=1e-5)


def test_the_learning_rate_may_change_between_fits():
    model = network(SGD(0.1), engine="reference", dtype="float64")
    start = model.get_weights()[0]
    model.fit(X, Y, batch_size=24, epochs=2, verbose=0)
    model.optimizer.learning_rate = 0.02
    model.fit(X, Y, batch_size=24, epochs=3, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], descend(0.02, 3, descend(0.1, 2, start)), rtol=1e-12)


def test_a_learning_rate_of_0_changes_nothing():
    model = network(SGD(0.0))
    start = model.get_weights()[0]
    model.fit(X, Y, epochs=3, verbose=0)
    assert np.array_equal(model.get_weights()[0], start)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(-0.1), "SGD: learning_rate .* got -0.1"),
        (lambda: SGD("fast"), "SGD: learning_rate .* got 'fast'"),
        (lambda: SGD(float("nan")), "got nan"),
        (lambda: SGD(float("inf")), "got inf"),
        (lambda: SGD(None), "got None"),
        (lambda: SGD(momentum=1.0), r"momentum .*\[0, 1\), got 1"),
        (lambda: SGD(lr=0.1), "SGD has no argument 'lr': it is called learning_rate"),
        (lambda: Adam(decay=0.1), "a falling learning rate is a schedule"),
        (lambda: Adam(lerning_rate=0.1), "Adam has no argument 'lerning_rate'"),
        (lambda: Adam(clipnorm=1, clipvalue=1), "only one of clipnorm and clipvalue"),
        (lambda: SGD(clipvalue=0), "clipvalue has to be above 0"),
        (lambda: SGD(loss_scale_factor=2.0), "loss_scale_factor has to be None"),
        (lambda: SGD(gradient_accumulation_steps=1), "gradient_accumulation_steps .* at least 2"),
        (lambda: optimizers.AdamW(weight_decay=None), "AdamW: weight_decay"),
        (lambda: optimizers.Ftrl(learning_rate_power=1), "learning_rate_power can't be above 0"),
        (lambda: schedules.CosineDecay(0.1, 0), "CosineDecay's decay_steps"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [1]), "one more value than boundaries"),
        (lambda: hidden(SGD(learning_rate_factors={"three": 1})).program(), "names 'three', which no weight"),
        (lambda: Adam(beta_1=1.0), r"beta_1 .*\[0, 1\), got 1"),
        (lambda: Adam(beta_2=-0.1), "beta_2"),
        (lambda: Adam(epsilon=-1e-7), "epsilon"),
        (lambda: optimizers.get("adamm"), "did you mean 'adam'.* Choose from"),
        (lambda: optimizers.get(3), "unknown optimizer 3"),
        (lambda: L2(-1.0), "L2's l2 .* got -1.0"),
        (lambda: L1("0.1"), "got '0.1'"),
        (lambda: L1L2(0.1, float("nan")), "got nan"),
        (lambda: regularizers.get("l3"), "Choose from: .*l1.*l2"),
    ],
)
def test_an_argument_out_of_range_is_said_in_one_sentence(make, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_changed_learning_rate_is_checked_too():
    optimizer = SGD(0.1)
    with pytest.raises(ArgumentError):
        optimizer.learning_rate = -1
    assert optimizer.learning_rate == 0.1


# --- regularizers ----------------------------------------------------------------------------------------------------

PENALTIES = [L1(0.03), L2(0.02), L1L2(0.01, 0.04), L1L2()]


def test_every_regularizer_has_a_row():
    tested = {type(p) for p in PENALTIES} | {OrthogonalRegularizer}  # see test_penalties.py
    assert tested == set(regularizers.CLASSES.values()) == set(regularizers.NAMES.values())
    public = {c for c in vars(regularizers).values() if isinstance(c, type) and issubclass(c, regularizers.Regularizer)}
    assert public - {regularizers.Regularizer, regularizers.FunctionRegularizer} == set(regularizers.CLASSES.values())


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("lanes", [1, 2])
def test_penalty_is_added_to_loss_and_gradient(penalty, lanes):
    """w ← w − rate·(gradient + l1·sign w + 2·l2·w) on kernel and bias; in the loss with every batch size."""
    l1, l2 = penalty.factors()
    for options, tolerance in (({"engine": "reference", "dtype": "float64"}, 1e-12), ({}, 1e-5)):
        layer = Dense(2, kernel_regularizer=penalty, bias_regularizer=penalty, bias_initializer="ones")
        model = Sequential([Input((5,)), layer], seed=2, **options)
        model.compile(SGD(0.1), "mse")
        W, b = (w.astype(np.float64) for w in model.get_weights())
        plain = ((X @ W + b - Y) ** 2).mean()
        loss = plain + sum(l1 * abs(w).sum() + l2 * (w * w).sum() for w in (W, b))
        if not options:
            assert model.evaluate(X, Y, lanes=lanes) == pytest.approx(loss, rel=1e-5)
        assert model.evaluate(X, Y) == pytest.approx(loss, rel=max(tolerance, 1e-12))
        error = 2 * (X @ W + b - Y) / Y.size
        W1 = W - 0.1 * (X.T @ error + l1 * np.sign(W) + 2 * l2 * W)
        b1 = b - 0.1 * (error.sum(axis=0) + l1 * np.sign(b) + 2 * l2 * b)
        history = model.fit(X, Y, batch_size=24, verbose=0, lanes=None if options else lanes)
        assert history.history["loss"][0] == pytest.approx(loss, rel=max(tolerance, 1e-12))
        for got, want in zip(model.get_weights(), (W1, b1), strict=True):
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def test_the_penalty_of_an_epoch_is_its_mean_over_the_batches_rows():
    model = Sequential([Input((5,)), Dense(2, kernel_regularizer=L2(0.02), use_bias=False)], seed=2)
    model.compile(SGD(0.0), "mse")
    W = model.get_weights()[0].astype(np.float64)
    loss = ((X @ W - Y) ** 2).mean() + 0.02 * (W * W).sum()
    assert model.fit(X, Y, batch_size=7, verbose=0).history["loss"][0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("penalty", [*PENALTIES, OrthogonalRegularizer(0.1, "columns")])
def test_regularizer_comes_back_from_its_description(penalty):
    assert regularizers.get(regularizers.serialize(penalty)) == penalty
    assert regularizers.get(penalty) is penalty
    assert regularizers.get(None) is regularizers.serialize(None) is None
