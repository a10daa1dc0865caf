"""California housing: median prices in 20,640 block groups, from eight numbers each (census of 1990)."""

from __future__ import annotations

from thalweg.datasets.fetching import GOOGLE, Folder, Source, fetch
from thalweg.datasets.houses import divided
from thalweg.datasets.pickled import Array
from thalweg.support.naming import choose

SOURCE = Source(
    "california_housing.npz",
    GOOGLE + "california_housing.npz",
    "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
)
SMALL = 600  # rows


def load_data(
    version: str = "large",
    path: Folder = "california_housing.npz",
    test_split: float = 0.2,
    seed: int | None = 113,
    folder: Folder = None,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): x (rows, 8), and the median house value in dollars (rows,).

    The columns: median income, house age, rooms and bedrooms per household, population, members per household,
    latitude, longitude.

    Args:
        version: "large" for all rows, "small" for the first 600.
        path: the file's name in the folder, or its whole path. folder: see `thalweg.datasets`.
        test_split: the share for testing. seed: of the shuffle.
    """
    most = SMALL if choose("version", version, ("large", "small")) == "small" else None
    return divided(fetch(SOURCE, folder, path), test_split, seed, most)
