"""Edges: what a kernel sees, first by hand, then learned from photographs.

A 6×6 image with a bright left half (10) and a dark right half (0), under a kernel whose columns are 1, 0, −1, gives the
columns 0, 30, 30, 0: the kernel answers where bright turns to dark. Then a network whose only layer is one convolution
of 3×3 is shown photographs and their edge maps, made by Sobel's operator. Nobody tells it the kernel; it finds it.

    pip install '.[images]'
    python examples/edges.py
"""

import numpy as np
from scipy import ndimage, signal
from sklearn.datasets import load_sample_images

import thalweg
from thalweg.layers import Conv2D

PHOTOGRAPHS = 2  # scikit-learn's samples: a temple and a flower
PATCH = 64  # pixels: the photographs are cut into squares


def by_hand():
    """The classic image under the classic kernel, computed by a network of one convolution."""
    image = np.zeros((6, 6), np.float32)
    image[:, :3] = 10
    kernel = np.array([[1, 0, -1]] * 3, np.float32)
    layer = Conv2D(1, 3, use_bias=False)
    model = thalweg.Sequential([thalweg.Input((6, 6, 1)), layer])
    model.build()
    layer.set_weights([kernel.reshape(3, 3, 1, 1)])
    edges = model.predict(image.reshape(1, 6, 6, 1))[0, :, :, 0]
    assert np.array_equal(edges, signal.correlate2d(image, kernel, mode="valid"))  # SciPy agrees
    return image, kernel, edges


def patches():
    """Squares of photographs (rows, 64, 64, 1), 0 … 1, and their maps of vertical edges without the margin."""
    squares = []
    for image in load_sample_images().images:
        photograph = image.mean(axis=2) / 255.0  # in grey
        rows, columns = (side // PATCH for side in photograph.shape)
        cut = photograph[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH)
        squares.append(cut.swapaxes(1, 2).reshape(-1, PATCH, PATCH))
    x = np.concatenate(squares)
    edges = np.stack([ndimage.sobel(square, axis=1) for square in x])[:, 1:-1, 1:-1]
    return x[..., None], edges[..., None]


def learn(epochs=60):
    """The kernel that one convolution learns, and the one that made the edge maps: both (3, 3)."""
    x, y = patches()
    layer = Conv2D(1, 3, use_bias=False)
    model = thalweg.Sequential([thalweg.Input((PATCH, PATCH, 1)), layer], seed=0)
    model.compile(thalweg.optimizers.Adam(0.02), loss="mse")
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0)
    impulse = np.zeros((3, 3))
    impulse[1, 1] = 1
    sobel = ndimage.sobel(impulse, axis=1)[::-1, ::-1]  # the operator's response to a point, rotated by 180°
    return layer.get_weights()[0][:, :, 0, 0], sobel


def main():
    image, kernel, edges = by_hand()
    for what, values in (("image", image), ("kernel", kernel), ("image ∗ kernel", edges)):
        print(f"{what}\n{values.astype(int)}\n")
    learned, sobel = learn()
    correlation = np.corrcoef(learned.ravel(), sobel.ravel())[0, 1]
    print(f"Sobel's kernel\n{sobel.astype(int)}\n\nlearned from {PHOTOGRAPHS} photographs\n{learned.round(2)}\n")
    print(f"correlation {correlation:.4f}")


if __name__ == "__main__":
    main()
