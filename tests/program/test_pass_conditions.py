"""Damage to passes: each of their conditions is taken away in turn, and each time something has to notice it.

A pass whose condition is gone rewrites what it should have left as it is. In one of `networks.NETWORKS` the verifier
then refuses the result, there is no kernel for it, or the numbers are others. Conditions that only say when a rewriting
pays are in `PAYS`.
"""

import importlib
import itertools
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from networks import NETWORKS, network
from pass_checks import PASSES, computed
from pass_damage import damaged

from thalweg import Model
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.engine.native.passes.chains import same_elements
from thalweg.engine.native.passes.wanted import is_of_columns
from thalweg.engine.reference import ReferenceExecutor
from thalweg.program.formula.operations import BINARY
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.shapes import Slice
from thalweg.program.ir.instruction import PARAMETERS, Buffer
from thalweg.program.passes.draft import Pass, Request
from thalweg.program.plain import PLAIN

# The first three give kernels what they can't take: tables/native_pass_damage.py. Updates, lanes: tests/optimizers.
# What scans keep, and their steps one by one: tests/ops/test_loops.py.
ELSEWHERE = ("image_columns", "input_split", "winograd", "update", "scanned")
MODULES = sorted({p.rewrite.__module__ for p in PASSES if not p.rewrite.__module__.endswith((*ELSEWHERE, "plain"))})
KINDS = ("training", "inference")

# Without these a pass does more than it should, and the numbers stay what they are.
PAYS = {
    "chains": {
        "chained: fits([*before, *chain])": "a kernel's table has so much room: test_chains.py",
        "chained: pays(chain)": "speed",
        "pays: len(chain) >= LEAST": "speed",
        "pays: any((m.operation.name not in PLAIN for m in chain))": "speed",
        "fits: len(values) <= MOST_VALUES": "a kernel's table has so much room: test_chains.py",
        "fits: sum((len(m.arguments) for m in chain)) <= MOST_NUMBERS": "a kernel's table has so much room",
        "same_elements: z.region == WORKSPACE": "what lies elsewhere isn't per row",
        "same_elements: z.per_row": "what reads a sum over the rows isn't per row today; below",
        "same_elements: z.shape == reader.space": "speed: what is repeated would be computed again",
        "pointwise: i.per_row": "speed: what is done once a step would be done for each row",
        "pointwise: any((isinstance(b, ByColumns) for b in i.operands))": "the layout of native images",
    },
    "fuse": {
        "add_before_relu: sums.more is None": "sums of three contributions come in order: the last is joined",
    },
    "fused_losses": {
        "fuse_losses: i in before": "an activation after the loss, a metric's, could be written by the loss, too",
        "fuse_losses: readers": "speed: an activation would be written for nobody",
        "fuse_losses: any((a is y for y in shown))": "the same",
    },
    "masks": {
        "reuse_masks: kept(draft, i.a)": "memory",
        "reuse_masks: len(i.a.shape) == 1": "speed",
    },
    "placed_steps": {
        "place_steps: any((isinstance(i, Scan) for i in draft))": "speed; the other conditions: test_placed_steps.py",
    },
    "prepared": {
        "prepare_products: i.W.size <= TRANSPOSED": "speed",
    },
    "wanted": {
        "narrow_input_gradients: slices": "no gradient is computed for nobody today",
        "narrow_input_gradients: after - first < i.dx.shape[-1]": "nothing would become narrower",
        "is_of_columns: s.steps[-1] == 1": "no gradient is cut in steps today; the next test",
    },
}


@cache
def model_of(name: str) -> Model:
    return network(name)


@cache
def listing(name: str, kind: str, passes: tuple[Pass, ...]) -> list[str]:
    return [
        f"{i.title}: {i.formula} {i.sizes}" for i in model_of(name)._compiled._lower(Request(kind), None, passes)[0]
    ]


@cache
def right(name: str, kind: str) -> Any:
    return computed(model_of(name), ReferenceExecutor, np.float64, kind, PLAIN)


def noticed(passes: tuple[Pass, ...]) -> bool:
    """Whether the verifier refuses what a damaged pass makes of some network, or its numbers are others."""
    for name, kind in itertools.product(NETWORKS, KINDS):
        usual = listing(name, kind, PASSES)
        try:
            if listing.__wrapped__(name, kind, passes) != usual:
                for i in model_of(name)._compiled._lower(Request(kind), None, passes)[0]:
                    assert isinstance(i, Reshape) or kernel_of(i)
                found = computed(model_of(name), ReferenceExecutor, np.float64, kind, passes)
                for value, expected in zip(found, right(name, kind), strict=True):
                    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)
        except Exception:
            return True
    return False


@pytest.mark.jit  # a network with a formula raises, too, where there is no compiler
@pytest.mark.parametrize("module", MODULES)
def test_a_pass_without_one_of_its_conditions_is_noticed(module):
    unnoticed = []
    for damage, other in damaged(importlib.import_module(module)):
        passes = tuple(replace(p, rewrite=vars(other).get(p.rewrite.__name__, p.rewrite)) for p in PASSES)
        if not noticed(passes):
            unnoticed.append(damage)
    assert unnoticed == list(PAYS.get(module.rpartition(".")[2], {}))


def test_steps_are_no_consecutive_columns():
    x, z = Buffer("x", (3, 8)), Buffer("z", (3, 4))
    assert is_of_columns(Slice(x, z, (0, 2), (1, 1)))
    assert not is_of_columns(Slice(x, z, (0, 0), (1, 2)))


def test_a_sum_over_the_rows_ends_a_chain():
    x, W, of_weight = Buffer("x", (4,)), Buffer("W", (4,), PARAMETERS, per_row=False), Buffer("s", (4,), per_row=False)
    product = Pointwise(BINARY["multiply"], (x, W), Buffer("z", (4,)))
    reader = Pointwise(BINARY["multiply"], (product.z, W), Buffer("y", (4,)))
    assert same_elements(product, reader)
    assert not same_elements(replace(product, z=of_weight), replace(reader, values=(of_weight, x)))
