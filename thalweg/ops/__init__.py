"""The functions of which layers, losses and models are made, by Keras's names.

On tensors of a network they become instructions, in the `call` of a layer or between its inputs and outputs; on arrays
they compute with NumPy.

>>> import numpy as np
>>> from thalweg import ops
>>> ops.mean(ops.square(np.array([1.0, 3.0]))).item()
5.0
"""

from thalweg.ops import (
    arrangement,
    attention,
    contractions,
    creation,
    indexing,
    linalg,
    loops,
    pointwise,
    segments,
    summaries,
)
from thalweg.ops import image as image
from thalweg.ops.arrangement import *  # noqa: F403 — a new operation is named only in its own file
from thalweg.ops.attention import dot_product_attention  # noqa: F401
from thalweg.ops.contractions import *  # noqa: F403
from thalweg.ops.creation import *  # noqa: F403
from thalweg.ops.indexing import *  # noqa: F403
from thalweg.ops.linalg import cholesky, det, eigh, inv, lstsq, qr, solve, solve_triangular, svd  # noqa: F401
from thalweg.ops.loops import associative_scan, fori_loop, scan, while_loop  # noqa: F401
from thalweg.ops.pointwise import *  # noqa: F403
from thalweg.ops.segments import segment_max, segment_sum  # noqa: F401
from thalweg.ops.summaries import *  # noqa: F403
from thalweg.support.naming import answer_for

__all__: list[str] = []
__all__ += arrangement.__all__
__all__ += attention.__all__
__all__ += contractions.__all__
__all__ += creation.__all__
__all__ += indexing.__all__
__all__ += [name for name in linalg.__all__ if name not in summaries.__all__]
__all__ += loops.__all__
__all__ += pointwise.__all__
__all__ += segments.__all__
__all__ += summaries.__all__

answer_for(__name__)
