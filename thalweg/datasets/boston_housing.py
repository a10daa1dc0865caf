"""Boston housing: prices in 506 tracts around Boston, from 13 numbers each (Harrison & Rubinfeld, 1978).

One of its columns, B, was made from the share of Black inhabitants as if segregation raised prices: use
`california_housing` unless that is what you study.
"""

from __future__ import annotations

from thalweg.datasets.fetching import GOOGLE, Folder, Source, fetch
from thalweg.datasets.houses import divided
from thalweg.datasets.pickled import Array

SOURCE = Source(
    "boston_housing.npz",
    GOOGLE + "boston_housing.npz",
    "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
)


def load_data(
    path: Folder = "boston_housing.npz", test_split: float = 0.2, seed: int | None = 113, folder: Folder = None
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): x (rows, 13), and the median price in thousands of dollars (rows,).

    Args:
        path: the file's name in the folder, or its whole path. folder: see `thalweg.datasets`.
        test_split: the share for testing. seed: of the shuffle.
    """
    return divided(fetch(SOURCE, folder, path), test_split, seed)
