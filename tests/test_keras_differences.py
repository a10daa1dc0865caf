"""docs/keras-differences.md is complete: what Keras has and thalweg lacks is named in it."""

import os
from pathlib import Path

import pytest

from thalweg import activations, callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers

TEXT = (Path(__file__).parent.parent / "docs" / "keras-differences.md").read_text(encoding="utf-8")
OURS = {m.__name__.rpartition(".")[2]: m for m in (
    activations, callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers,
)}  # fmt: skip
# The part of Keras that networks of dense and convolutional layers need.
EXPECTED = {
    "layers": """Input Dense Activation Embedding Flatten Reshape Permute Conv1D Conv2D DepthwiseConv2D SeparableConv2D
        Conv2DTranspose MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D
        GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D BatchNormalization LayerNormalization
        GroupNormalization Dropout SpatialDropout2D GaussianNoise AlphaDropout LeakyReLU PReLU ELU Softmax
        ZeroPadding2D Cropping2D UpSampling2D Add Concatenate Normalization Rescaling RandomFlip RandomTranslation
        RandomRotation RandomZoom RandomContrast""",
    "callbacks": """EarlyStopping ModelCheckpoint ReduceLROnPlateau LearningRateScheduler CSVLogger History
        TerminateOnNaN TensorBoard BackupAndRestore SwapEMAWeights LambdaCallback""",
}


@pytest.mark.parametrize("group", EXPECTED)
def test_what_is_expected_is_there_or_named(group):
    lacking = [name for name in EXPECTED[group].split() if not hasattr(OURS[group], name) and f"`{name}" not in TEXT]
    assert not lacking, f"name these {group} in docs/keras-differences.md: {lacking}"


@pytest.mark.parametrize("group", ["losses", "metrics", "optimizers", "initializers", "regularizers", "constraints"])
def test_what_keras_has_is_there_or_named(group):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", exc_type=ImportError)
    base = {"losses": "Loss", "metrics": "Metric", "optimizers": "Optimizer"}.get(group, group[:-1].capitalize())
    theirs = getattr(keras, group)
    root = getattr(theirs, base)
    names = {c.__name__ for c in vars(theirs).values() if isinstance(c, type) and issubclass(c, root)} - {root.__name__}
    assert len(names) > 3
    ignored = {"LossScaleOptimizer", "MultiOptimizer", "IdentityInitializer", "OrthogonalInitializer"}
    held = {c.lower() for c in vars(OURS[group])}
    ignored |= {name for name in names if "IoU" in name}
    lacking = sorted(n for n in names - ignored if n.lower() not in held and f"`{n}" not in TEXT)
    assert not lacking, f"name these {group} in docs/keras-differences.md: {lacking}"
