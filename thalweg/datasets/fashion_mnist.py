"""Fashion-MNIST: 70,000 grey images of clothes, 28×28 (Xiao, Rasul, Vollgraf, 2017)."""

from __future__ import annotations

from thalweg.data.images.image_arrays import read_idx
from thalweg.datasets.fetching import GOOGLE, Folder, Source, fetch, present
from thalweg.datasets.labelled_images import checked, of_archive
from thalweg.datasets.pickled import Array

DIGESTS = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
SOURCES = [Source(f"fashion-mnist/{name}", GOOGLE + name, digest) for name, digest in DIGESTS.items()]


def load_data(folder: Folder = None) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): 60,000 and 10,000 images (rows, 28, 28) and classes (rows,), as bytes.

    The classes: T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot. The four IDX files
    lie in the folder fashion-mnist; an archive fashion_mnist.npz does too.

    Args:
        folder: see `thalweg.datasets`.
    """
    archive = present(["fashion_mnist.npz"], folder)
    if archive is not None:
        return of_archive(archive)
    files = [fetch(source, folder) for source in SOURCES]
    arrays = [read_idx(file) for file in files]
    where = str(files[0].parent)
    return checked(arrays[0], arrays[1], where), checked(arrays[2], arrays[3], where)
