"""Training steps of one's own beside the same loops in PyTorch: the same weights, batches and noise, five steps."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Sequential, ops
from thalweg.layers import Dense

torch = pytest.importorskip("torch")
softplus = torch.nn.functional.softplus

RANDOM = np.random.default_rng(0)
ROWS, BATCHES = 16, 5
DATA = RANDOM.normal(size=(ROWS * BATCHES, 3 + 2 + 2)).astype(np.float32)  # rows, and the noise of both turns
engines = pytest.mark.parametrize("engine", ["reference", "native"])


class Adversaries(thalweg.Model):
    """A judge and a forger, who take turns."""

    def __init__(self, **options):
        super().__init__(**options)
        self.judge = Sequential([Input((3,)), Dense(8, "tanh"), Dense(1)], seed=1)
        self.forger = Sequential([Input((2,)), Dense(8, "relu"), Dense(3)], seed=2)

    def compile(self, judging, forging):
        super().compile()
        self.judging, self.forging = judging, forging

    def judged(self, real, fake):
        return ops.mean(ops.softplus(-self.judge(real))) + ops.mean(ops.softplus(self.judge(fake)))

    def train_step(self, data):
        real, one, two = data[:, :3], data[:, 3:5], data[:, 5:]
        judged = self.judged(real, self.forger(one))
        self.minimize(judged, self.judge, self.judging)
        forged = ops.mean(ops.softplus(-self.judge(self.forger(two))))
        self.minimize(forged, self.forger, self.forging)
        return {"judged": judged, "forged": forged}


def twin(network, activation):
    """A network of PyTorch with the weights of ours."""
    stack = []
    for layer in network.layers:
        w, b = layer.get_weights()
        linear = torch.nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = torch.tensor(w.T.copy()), torch.tensor(b)
        stack += [linear, activation()]
    return torch.nn.Sequential(*stack[:-1])


def same_weights(network, other):
    for w, v in zip(network.get_weights(), other.parameters(), strict=True):
        np.testing.assert_allclose(w, v.detach().numpy().T, rtol=1e-4, atol=1e-4)


def stepped(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@engines
def test_two_networks_against_each_other(engine):
    model = Adversaries(seed=3, engine=engine)
    model.compile(thalweg.optimizers.SGD(0.1, momentum=0.5), thalweg.optimizers.Adam(0.01))
    model.build((7,))
    judge, forger = twin(model.judge, torch.nn.Tanh), twin(model.forger, torch.nn.ReLU)
    judging = torch.optim.SGD(judge.parameters(), 0.1, momentum=0.5)
    forging = torch.optim.Adam(forger.parameters(), 0.01, eps=1e-7)
    told = []
    for rows in DATA.reshape(BATCHES, ROWS, -1):
        real, one, two = (torch.tensor(part) for part in np.split(rows, [3, 5], axis=1))
        judged = softplus(-judge(real)).mean() + softplus(judge(forger(one).detach())).mean()
        told.append((stepped(judging, judged), stepped(forging, softplus(-judge(forger(two))).mean())))
    history = model.fit(DATA, batch_size=ROWS, shuffle=False, verbose=0).history
    np.testing.assert_allclose([history["judged"][0], history["forged"][0]], np.mean(told, axis=0), rtol=1e-4)
    same_weights(model.judge, judge)
    same_weights(model.forger, forger)


class Distances(Adversaries):
    """Wasserstein's distance, whose judge has slopes of about 1: a gradient is in its loss."""

    def train_step(self, data):
        real, one, two, share = data[:, :3], data[:, 3:5], data[:, 5:7], data[:, 7:]
        fake = self.forger(one)
        between = real + share * (fake - real)
        slope = self.gradient(self.judge(between), between)
        penalty = ops.mean(ops.square(ops.sqrt(ops.sum(ops.square(slope), axis=1)) - 1))
        judged = ops.mean(self.judge(fake)) - ops.mean(self.judge(real)) + 10 * penalty
        self.minimize(judged, self.judge, self.judging)
        forged = -ops.mean(self.judge(self.forger(two)))
        self.minimize(forged, self.forger, self.forging)
        return {"judged": judged, "forged": forged, "penalty": penalty}


@engines
def test_a_gradient_in_the_loss(engine):
    data = np.concatenate([DATA, RANDOM.uniform(size=(len(DATA), 1)).astype(np.float32)], axis=1)
    model = Distances(seed=3, engine=engine)
    model.compile(thalweg.optimizers.Adam(0.01, beta_1=0.5), thalweg.optimizers.Adam(0.01, beta_1=0.5))
    model.build((8,))
    judge, forger = twin(model.judge, torch.nn.Tanh), twin(model.forger, torch.nn.ReLU)
    judging = torch.optim.Adam(judge.parameters(), 0.01, (0.5, 0.999), eps=1e-7)
    forging = torch.optim.Adam(forger.parameters(), 0.01, (0.5, 0.999), eps=1e-7)
    told = []
    for rows in data.reshape(BATCHES, ROWS, -1):
        real, one, two, share = (torch.tensor(part) for part in np.split(rows, [3, 5, 7], axis=1))
        fake = forger(one).detach()
        between = (real + share * (fake - real)).requires_grad_()
        (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
        penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
        judged = judge(fake).mean() - judge(real).mean() + 10 * penalty
        told.append((stepped(judging, judged), stepped(forging, -judge(forger(two)).mean()), float(penalty.detach())))
    history = model.fit(data, batch_size=ROWS, shuffle=False, verbose=0).history
    np.testing.assert_allclose([values[0] for values in history.values()], np.mean(told, axis=0), rtol=1e-4)
    same_weights(model.judge, judge)
    same_weights(model.forger, forger)
