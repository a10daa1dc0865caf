"""Center loss: what it does to the features of handwritten digits, as a picture.

Two equal networks with two units in their last hidden layer learn MNIST, one with the cross-entropy alone, one with the
center loss. With two features, each image is a point in the plane. With the cross-entropy, the classes are rays from
the middle; with the center loss, each class gathers around its centre (Wen et al., ECCV 2016, figures 2 and 3).

The number printed is the variance between the classes' means over the variance within the classes.

    pip install '.[plot]'
    python examples/center_loss.py mnist.npz center_loss.png

The data: https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz, or the folder of MNIST's four files.
"""

import sys

import numpy as np

import thalweg
from thalweg.data.images import read_images
from thalweg.layers import Dense, Flatten, Input, PReLU, Rescaling

WEIGHT, ALPHA = 0.1, 0.5  # λ and the centres' rate


def digits(path, train=None, test=None):
    """(images, labels) to learn from and to look at, as bytes; the first `train` and `test` of them."""
    images = read_images(path)
    assert images.test is not None
    return (images.x[:train], images.y[:train]), (images.test.x[:test], images.test.y[:test])


def network(loss, shape=(28, 28, 1), classes=10, seed=0):
    """Two hidden layers, the features, and the classes."""
    model = thalweg.Sequential(
        [
            Input(shape),
            Rescaling(1 / 255),
            Flatten(),
            Dense(256),
            PReLU(),
            Dense(128),
            PReLU(),
            Dense(2, name="features"),
            Dense(classes, activation="softmax"),
        ],
        seed=seed,
    )
    model.compile(thalweg.optimizers.Adam(0.001), loss, metrics=["accuracy"])
    return model


def features(model, x):
    """The input of the last layer, (rows, 2): the predictions of a network of the layers before it."""
    front = thalweg.Sequential(
        [Input(model.input_shape[1:])]
        + [thalweg.layers.deserialize(thalweg.layers.serialize(k)) for k in model.layers[:-1]]
    )
    front.build()
    front.set_weights(model.get_weights()[:-2])
    return front.predict(x)


def spread(points, labels):
    """The variance between the classes' means over the variance within the classes."""
    classes = [points[labels == k] for k in np.unique(labels)]
    middle = points.mean(axis=0)
    between = sum(len(of) * ((of.mean(axis=0) - middle) ** 2).sum() for of in classes)
    within = sum(((of - of.mean(axis=0)) ** 2).sum() for of in classes)
    return between / within


def picture(path, planes, labels):
    """Both planes side by side, a colour for each class."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(planes), figsize=(11, 5.2), layout="constrained")
    for axis, (title, (points, centers)) in zip(axes, planes.items(), strict=True):
        for k in np.unique(labels):
            axis.scatter(*points[labels == k].T, s=2, color=f"C{k}", label=str(k), linewidths=0)
        if centers is not None:
            axis.scatter(*centers.T, s=40, color="black", marker="x", label="centre")
        axis.set_title(title)
        axis.set_xlabel("feature 1")
        axis.set_ylabel("feature 2")
    legend = axes[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for handle in legend.legend_handles:
        handle.set_sizes([20])
    figure.savefig(path, dpi=120)


def main(path="mnist.npz", target="center_loss.png", epochs=20):
    train, (x, labels) = digits(path)
    planes = {}
    losses = {
        "cross-entropy": "sparse_categorical_crossentropy",
        f"center loss, λ = {WEIGHT}, α = {ALPHA}": thalweg.losses.CenterLoss(WEIGHT, ALPHA),
    }
    for name, loss in losses.items():
        model = network(loss)
        model.fit(*train, batch_size=128, epochs=epochs, verbose=0)
        points = features(model, x)
        accuracy = model.evaluate(x, labels, verbose=0)[1]
        ratio = spread(points, labels)
        print(f"{name}: test accuracy {accuracy:.4f}, between/within {ratio:.2f}")
        centers = model.training_state().get("loss/centers")
        planes[f"{name}\ntest accuracy {accuracy:.4f}, between/within {ratio:.2f}"] = (points, centers)
    picture(target, planes, labels)
    print(f"{target} shows the features of the {len(labels):,} test images")


if __name__ == "__main__":
    main(*sys.argv[1:3])
