"""Random networks of every kind of instruction through every pass, and native against reference."""

import numpy as np
import pytest
from pass_checks import PASSES, check_every_pass, program
from random_networks import random_network

from thalweg.engine.native.instructions.variants import VARIANTS
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.reference import ReferenceExecutor
from thalweg.optimizers import SGD
from thalweg.program.ir.instruction import Instruction
from thalweg.program.plain import PLAIN

SEEDS = range(100)
NATIVE = SEEDS[::10]
ELSEWHERE = {  # modules and classes that have tables of graphs or numbers of their own, and why they aren't here
    "updates": "optimizers: tests/optimizers",
    "losses": "losses, centres and penalties: tests/losses, tests/program/test_penalties.py",
    "metrics": "metrics: tests/metrics",
    "batches": "rows of bytes: tests/layers/test_bytes.py",
    "forest": "trees, which are grown: tests/tabular/test_forests.py",
    "graphs": "what exports add to a program",
    "input_split": "several lanes: tests/engine",
    "winograd": "more channels: networks.py",
    "recurrence": "loops over steps: recurrent_networks.py",
    "scan": "the same",
    "gates": "the same",
    "attention": "sequences: tests/tables/attention_layers.py",
    "MaskWeights": "masks of sequences: tests/layers/test_masking.py",
}


def made(seed):
    model, losses = random_network(seed)
    model.compile(SGD(0.05), losses if len(losses) > 1 else losses[0])
    model.build()
    model._compiled.prepare_slots()
    return model


@pytest.mark.parametrize("seed", SEEDS)
def test_passes_leave_random_networks_as_they_are(seed):
    """After each pass in some of them, after the last one in the others."""
    check_every_pass(made(seed), "training", ReferenceExecutor, np.float64, 1e-7, last=seed % 5 > 0)


@pytest.mark.parametrize("seed", NATIVE)
def test_both_engines_agree_on_random_networks(seed):
    check_every_pass(made(seed), "training", NativeExecutor, np.float32, 1e-3, last=True)


def subclasses(kind):
    for other in kind.__subclasses__():
        yield other
        yield from subclasses(other)


def test_they_have_every_instruction():
    found = set()
    for seed in SEEDS:
        model = made(seed)
        found |= {type(i) for kind in ("training", "inference") for i in program(model, kind, PASSES)}
        found |= {type(i) for i in program(model, "training", PLAIN)}
    own = {i for i in subclasses(Instruction) if i.__module__.startswith("thalweg")} - {*VARIANTS.values()}
    known = {i for i in own if i in VARIANTS or not i.__subclasses__()}  # native variants: networks.py
    missing = {i.__name__ for i in known - found if not ELSEWHERE.keys() & {*i.__module__.split("."), i.__name__}}
    assert missing == set()
