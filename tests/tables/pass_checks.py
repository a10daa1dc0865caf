"""What a program computes after each pass, beside what the plain program does in float64."""

from dataclasses import replace

import numpy as np

from thalweg.engine import ENGINES, aligned
from thalweg.engine.contract import Chunk, Job
from thalweg.engine.reference import ReferenceExecutor
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import LOSS
from thalweg.program.lowering import places
from thalweg.program.passes.draft import Request, names
from thalweg.program.plain import PLAIN

ROWS = 16
PASSES = tuple(ENGINES["native"].passes)


def program(model, kind, passes, after=None):
    return model._compiled._lower(Request(kind), after, passes)[0]


def rewriting(model, kind, passes=PASSES, seen=lambda before, after: True):
    """The names of the passes that make another draft of the model's program, in which what is `seen` is so."""
    found = []

    def noted(p):
        def rewrite(before):
            after = p.rewrite(before)
            if after is not before and seen(before, after):
                found.append(p.name)
            return after

        return replace(p, rewrite=rewrite)

    model._compiled._lower(Request(kind, ROWS), None, [noted(p) for p in passes])
    return found


def computed(model, executor, dtype, kind, passes, after=None, lanes=1):
    """The parameters after one step, the loss and the outputs, as far as a program has them."""
    lowered = model._compiled._lower(Request(kind, ROWS, lanes), after, passes)
    return results(model, executor, dtype, *lowered, lanes)


def results(model, executor, dtype, lowered, totals, lanes=1):
    """The same of a program that is there."""
    job, sums = ran(model, executor, dtype, lowered, totals, lanes)
    outputs = [job.data[name] for name in places("Y_pred", len(model._compiled.scored_shapes))]
    return job.parameters, sums[LOSS], np.concatenate([y.reshape(ROWS, -1) for y in outputs], axis=1)


def ran(model, executor, dtype, lowered, totals, lanes=1, pixels=False):
    """The job of one step of a program on random rows, with weights if it takes them, and its running sums."""
    random, own = np.random.default_rng(1), model._compiled
    x = random.normal(size=(ROWS, *model.input_shape[1:])).astype(dtype)
    x = random.integers(0, 256, x.shape, np.uint8) if pixels else x
    for ids in own.id_inputs():
        x = random.integers(0, ids.size, x.shape).astype(dtype)
    shapes = own.scored_shapes
    targets = [random.integers(0, 2, (ROWS, *goal.loss.target_shape(shape))) for goal, shape in own.goals_and_shapes()]
    outputs = [np.zeros((ROWS, *shape), dtype) for shape in shapes]
    arrays = [(places("Y", len(shapes)), targets), (places("Y_pred", len(shapes)), outputs)]
    data = {name: array.astype(dtype, copy=False) for some in arrays for name, array in zip(*some, strict=True)}
    parameters, slots = aligned(model.vector.size, dtype), aligned(own.slots.size, dtype)
    parameters[:] = model.vector
    weights = {name: random.random((ROWS, 1)).astype(dtype) for name in places("weights", len(shapes))}
    job = Job(lowered, {"X": x} | data | weights, ROWS, ROWS, parameters, slots, totals, lanes=lanes)
    return job, executor(job).run(Chunk(0, 0, 1, 0, np.array([0.1]))).records[0]


def check_every_pass(model, kind, executor, dtype, tolerance, passes=PASSES, last=False):
    """Compares with the plain program what is computed after each pass that rewrites it, or after the last one."""
    weights, loss, outputs = computed(model, ReferenceExecutor, np.float64, kind, PLAIN)
    if kind == "training":
        assert np.abs(weights - model.vector).max() > 1e-3
    every = names(passes, Request(kind, ROWS))
    for after in every[-1:] if last else dict.fromkeys([every[0], *rewriting(model, kind, passes)]):
        steps, totals = model._compiled._lower(Request(kind, ROWS), after, passes)
        found = results(model, executor, dtype, steps, totals)
        np.testing.assert_allclose(found[2], outputs, rtol=tolerance, atol=tolerance)
        if steps.backward or kind != "training":
            np.testing.assert_allclose(found[0], weights, rtol=tolerance, atol=tolerance)
        if not any(isinstance(i, LossAndGradient) for i in steps.backward):  # which count the loss once more
            np.testing.assert_allclose(found[1], loss, rtol=tolerance)
