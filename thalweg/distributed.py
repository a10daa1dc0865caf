"""Training on several processes, on one machine or many, that `mpiexec` has started.

    from thalweg.distributed import Ranks

    with Ranks() as ranks:
        model.fit(x, y, lanes=8)  # on every rank, with the same data
        if ranks.first:
            model.save("model.thalweg")

and `mpiexec -n 4 python train.py`.
"""

from thalweg.engine.ranks.world import Ranks

__all__ = ["Ranks"]
