"""thalweg's convolution by itself: the program of a single layer."""

from __future__ import annotations

import numpy as np

from benchmarks.convolutions import Convolution as Work
from benchmarks.peers.base import Arrays, Runner
from thalweg.engine.contract import Chunk, Job, aligned
from thalweg.engine.lanes import cores
from thalweg.engine.native.instructions.updates import Reduce
from thalweg.engine.native.layouts.regions import PREPARED
from thalweg.engine.native.passes.winograd import by_winograd
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.program.instructions.batches import GatherFloats, Store
from thalweg.program.instructions.convolution import Convolution, Flip, KernelGradient, TransposedConvolution, same
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import DATA, GRADIENTS, PARAMETERS, Buffer, Instruction
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Draft


class Convolve(Runner):
    def __init__(self, work: Work) -> None:
        self.work = work
        self.executor = self.made(checked=False)

    def made(self, checked: bool) -> NativeExecutor:
        """An executor; for the check, the results, too large for one block, are stored where they can be read."""
        work, (x, dh) = self.work, self.work.data()
        self.outputs = {"H": np.empty_like(dh), "DX": np.empty_like(x)}
        of_x, of_h, shape = x.shape[1:], dh.shape[1:], (3, 3, *work.sizes)
        bx, bdh, bh, bdx = Buffer("x", of_x), Buffer("dh", of_h), Buffer("h", of_h), Buffer("dx", of_x)
        W = Buffer("W", shape, PARAMETERS, per_row=False, offset=0)
        window = same((3, 3), (1, 1), (1, 1), of_x[:2])
        forward: list[Instruction] = [GatherFloats(Buffer("X", of_x, DATA), bx), Convolution(bx, W, None, bh, window)]
        backward: list[Instruction] = []
        update: list[Instruction] = []
        if work.gradients:
            dW = Buffer("dW", shape, GRADIENTS, per_row=False, offset=0)
            flipped = Buffer("Wᶠ", (3, 3, work.sizes[1], work.sizes[0]), PREPARED, per_row=False)
            forward.insert(0, GatherFloats(Buffer("DH", of_h, DATA), bdh))
            backward = [KernelGradient(bx, bdh, dW, window), Flip(W, flipped, window.strides)]
            backward.append(TransposedConvolution(bdh, W, flipped, None, bdx, window))
            update.append(Reduce(dW, align(dW.size)))
        if checked:
            forward.append(Store(bh, Buffer("H", of_h, DATA)))
            backward += [Store(bdx, Buffer("DX", of_x, DATA))] if work.gradients else []
        draft = by_winograd(Draft(forward, backward))
        program = Program(draft.forward, draft.backward, update)
        parameters = aligned(W.size)
        parameters[:] = work.weights()[0].ravel()
        data = {"X": x, "DH": dh, **self.outputs}
        return NativeExecutor(Job(program, data, work.batch, work.batch, parameters, parameters[:0], lanes=cores()))

    def run(self, count: int) -> None:
        self.executor.run(Chunk(0, 0, count, 0, np.zeros(count)))

    def check(self) -> Arrays:
        executor = self.made(checked=True)
        executor.run(Chunk(0, 0, 1, 0, np.zeros(1)))
        if not self.work.gradients:
            return [self.outputs["H"]]
        size = executor.job.parameters.size
        return [self.outputs["H"], executor.gradients[0, :size].reshape(3, 3, *self.work.sizes), self.outputs["DX"]]
