"""The TensorBoard callback: its files, read back by TensorBoard's own reader."""

import sys

import numpy as np
import pytest
from test_callbacks import X, Y, fit, network

from thalweg.callbacks import LearningRateScheduler, TensorBoard
from thalweg.errors import ArgumentError, MissingPackageError


def read(folder):
    """What TensorBoard sees in one folder."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", exc_type=ImportError)
    pytest.importorskip("tensorboardX", exc_type=ImportError)
    board = accumulator.EventAccumulator(str(folder), size_guidance={accumulator.HISTOGRAMS: 0})
    board.Reload()
    return board


def scalars(board):
    """{tag: ([step, …], [value, …])}"""
    return {
        tag: tuple(map(list, zip(*((e.step, e.value) for e in board.Scalars(tag)), strict=True)))
        for tag in board.Tags()["scalars"]
    }


@pytest.fixture(autouse=True)
def packages():
    pytest.importorskip("tensorboardX", exc_type=ImportError)


def test_epochs_under_kerass_names(tmp_path):
    model = network()
    halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = fit(model, halve, TensorBoard(tmp_path), validation_data=(X, Y)).history
    train, held = scalars(read(tmp_path / "train")), scalars(read(tmp_path / "validation"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["train", "validation"]
    assert train.keys() == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}
    assert held.keys() == {"epoch_loss", "epoch_mae", "evaluation_loss_vs_iterations", "evaluation_mae_vs_iterations"}
    for name in ("loss", "mae"):
        assert train[f"epoch_{name}"] == ([0, 1, 2], pytest.approx(history[name], rel=1e-6))
        want = pytest.approx(history[f"val_{name}"], rel=1e-6)
        assert held[f"epoch_{name}"] == ([0, 1, 2], want)
        assert held[f"evaluation_{name}_vs_iterations"] == ([3, 6, 9], want)  # three batches an epoch
    assert train["epoch_learning_rate"] == ([0, 1, 2], pytest.approx([0.025, 0.0125, 0.00625]))


@pytest.mark.parametrize(("freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (7, [])])
def test_batches_where_they_are_asked_for(freq, steps, tmp_path):
    fit(network(), TensorBoard(tmp_path, update_freq=freq, write_steps_per_second=True), epochs=2)
    found = scalars(read(tmp_path / "train"))
    assert len(found["epoch_steps_per_second"][0]) == 2
    assert min(found["epoch_steps_per_second"][1]) > 0
    for name in ("loss", "mae", "steps_per_second"):
        assert found.get(f"batch_{name}", ([],))[0] == steps
    if freq == "batch":
        plain = fit(network(), epochs=2).history  # the last batch's means are the epoch's
        assert found["batch_loss"][1][2::3] == pytest.approx(plain["loss"], rel=1e-6)


def test_histograms_of_the_weights(tmp_path):
    model = network()
    fit(model, TensorBoard(tmp_path, histogram_freq=2), epochs=3)
    board = read(tmp_path / "train")
    assert board.Tags()["histograms"] == ["dense/W/histogram", "dense/b/histogram"]
    found = board.Histograms("dense/W/histogram")
    assert [event.step for event in found] == [0, 2]
    last, weights = found[-1].histogram_value, model.get_weights()[0]
    assert (last.num, last.min, last.max) == (4, weights.min(), weights.max())
    assert last.sum == pytest.approx(weights.sum(), rel=1e-6)
    assert sum(last.bucket) == 4


def test_the_graph_is_the_program(tmp_path):
    model = network()
    fit(model, TensorBoard(tmp_path / "with"))
    fit(model, TensorBoard(tmp_path / "without", write_graph=False))
    nodes = {node.name: node for node in read(tmp_path / "with" / "train").Graph().node}
    assert nodes["y_pred"].op == "affine"
    assert list(nodes["y_pred"].input) == ["x", "W", "b"]
    assert nodes["y_pred"].attr["formula"].s.decode() == "y_pred = x·W + b"
    assert not read(tmp_path / "without" / "train").Tags()["graph"]


def test_training_is_the_same_and_a_second_fit_goes_on(tmp_path):
    plain, watched, board = network(), network(), TensorBoard(tmp_path)
    for _ in range(2):
        fit(plain)
        fit(watched, board)
    assert plain.vector.tobytes() == watched.vector.tobytes()
    assert len(list((tmp_path / "train").iterdir())) >= 1
    assert len(scalars(read(tmp_path / "train"))["epoch_loss"][0]) in (3, 6)  # by the reader's view of two files


def test_evaluate_writes_too(tmp_path):
    model = network()
    fit(model)
    loss, mae = model.evaluate(X, Y, callbacks=[TensorBoard(tmp_path)])
    found = scalars(read(tmp_path / "validation"))
    assert found["evaluation_loss_vs_iterations"] == ([9], [pytest.approx(loss, rel=1e-6)])
    assert found["evaluation_mae_vs_iterations"] == ([9], [pytest.approx(mae, rel=1e-6)])


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    model = network()
    before = model.get_weights() if model.build() is None else None
    with pytest.raises(MissingPackageError, match=r"needs tensorboardX: pip install 'thalweg\[tensorboard\]'"):
        fit(model, TensorBoard(tmp_path))
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"write_images": True}, "write_images has to be False"),
        ({"profile_batch": (2, 5)}, "profile_batch has to be 0"),
        ({"embeddings_freq": 1}, "writes no embeddings"),
        ({"embeddings_metadata": "x.tsv"}, "writes no embeddings"),
        ({"update_freq": 0}, "update_freq is 'epoch', 'batch' or a number of batches, got 0"),
        ({"update_freq": "step"}, "update_freq is 'epoch', 'batch' or a number of batches, got 'step'"),
        ({"update_freq": 2.5}, "update_freq is 'epoch', 'batch' or a number of batches, got 2.5"),
        ({"histogram_freq": -1}, "histogram_freq has to be a whole number"),
    ],
)
def test_what_cannot_be_honoured_raises(arguments, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        TensorBoard(**arguments)
    assert "\n" not in str(caught.value)
