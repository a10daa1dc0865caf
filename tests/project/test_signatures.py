"""No public signature, and no default, changes unnoticed."""

import difflib
import inspect

import pytest
import signatures

import thalweg


def changes():
    """The differences from what was written down."""
    before = signatures.STORED.read_text(encoding="utf-8").splitlines()
    found = difflib.unified_diff(before, list(signatures.lines()), "written down", "now", lineterm="", n=0)
    return "\n".join(line for line in found if not line.startswith("@@"))


def test_signatures_and_defaults_are_those_that_were_written_down():
    found = changes()
    assert not found, f"{found}\n\nIf this is meant: python tests/tables/signatures.py, and a line in CHANGELOG.md."


def test_every_room_is_there():
    kept = signatures.STORED.read_text(encoding="utf-8")
    assert len(kept.splitlines()) > 700
    for line in (
        "layers.BatchNormalization(axis=-1, momentum=0.99, epsilon=0.001,",
        "optimizers.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999,",
        "activations.leaky_relu.using(negative_slope=0.2)",
        "callbacks.EarlyStopping(monitor='val_loss', min_delta=0",
        "Model.fit(self, x, y=None, batch_size=None, epochs=1,",
        "ops.softmax(x, axis=-1)",
    ):
        assert line in kept


@pytest.mark.parametrize(
    ("kind", "argument", "value"),
    [
        (thalweg.layers.BatchNormalization, "momentum", 0.9),
        (thalweg.optimizers.Adam, "beta_2", 0.99),
        (thalweg.losses.Huber, "delta", 2.0),
        (thalweg.Model.fit, "batch_size", 64),
    ],
)
def test_a_changed_default_is_noticed(kind, argument, value, monkeypatch):
    method = kind.__init__ if inspect.isclass(kind) else kind
    held = inspect.signature(method)
    changed = [p.replace(default=value) if p.name == argument else p for p in held.parameters.values()]
    monkeypatch.setattr(method, "__signature__", held.replace(parameters=changed), raising=False)
    assert f"{argument}={value}" in changes()
