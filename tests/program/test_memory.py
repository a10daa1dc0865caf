"""The memory plan: what is alive at once never overlaps, and blocks and lanes change nothing but the rounding."""

import gc
import pickle
import weakref
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from graphs import LOSSES, STEPS, WIDTH, network
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg import Sequential
from thalweg.engine.contract import Chunk
from thalweg.engine.native.instructions import linear
from thalweg.engine.native.passes import input_split
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.native.runtime.partition import TILE, WIDE_SLICE, lines, slices
from thalweg.engine.native.scheduling import blocks
from thalweg.engine.native.scheduling.schedule import Schedule, schedule_of
from thalweg.engine.native.scheduling.traits import in_place
from thalweg.engine.reference import ReferenceExecutor
from thalweg.layers import Activation, Dense, Dropout, Flatten, Input, LeakyReLU
from thalweg.models.compiled import MOST_PROGRAMS
from thalweg.optimizers import Adam
from thalweg.program.instructions.batches import Gather
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.instructions.linear import Affine
from thalweg.program.ir.instruction import PARAMETERS, WORKSPACE, Buffer
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Draft, Request

FLOAT64 = {"engine": "reference", "dtype": "float64"}
RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(53, WIDTH))
Y = RANDOM.dirichlet(np.ones(3), 53)
SETTINGS = settings(max_examples=100, deadline=None, database=None, derandomize=True)
KINDS = st.sampled_from(("training", "evaluation", "inference"))


def lowered(model: Sequential, kind: str) -> Program:
    model.build()
    program, _ = model.lower(Request(kind))
    return program


def scheduled(model: Sequential, kind: str) -> Schedule:
    return schedule_of(lowered(model, kind))


def draft(model: Sequential, kind: str) -> Draft:
    program = lowered(model, kind)
    return Draft(program.forward, program.backward)


def lives(program: Schedule) -> dict[Buffer, tuple[int, int]]:
    """The first and the last instruction that use each piece of storage. A batch may be kept for the next step."""
    found: dict[Buffer, tuple[int, int]] = {}
    for n, instruction in enumerate(program.rows):
        for buffer in instruction.operands:
            if buffer is not None and buffer.region == WORKSPACE and buffer.per_row:
                first, last = found.get(buffer.storage, (n, n))
                kept = isinstance(instruction, Gather)
                found[buffer.storage] = (min(first, n), len(program.rows) if kept else max(last, n))
    return found


def overlap(schedule: Schedule, one: Buffer, other: Buffer) -> bool:
    a, b = schedule.plan.offset(one), schedule.plan.offset(other)
    return a < b + other.size and b < a + one.size


@SETTINGS
@given(STEPS, LOSSES, KINDS)
def test_no_two_buffers_alive_at_once_overlap(steps, loss, kind):
    program = scheduled(network(steps, loss), kind)
    place_of = program.plan.offset
    spans = list(lives(program).items())
    for place, (one, (begin, end)) in enumerate(spans):
        assert 0 <= place_of(one) <= program.plan.row - one.size
        for other, (start, stop) in spans[place + 1 :]:
            if not overlap(program, one, other) or stop < begin or end < start:
                continue
            # Alive at once only in the instruction that writes one over the other.
            at = max(begin, start)
            assert at == min(end, stop), f"{one} and {other} overlap\n{program.rows}"
            instruction = program.rows[at]
            source, result = (b.storage for b in in_place(instruction))
            assert {source, result} == {one, other}
            assert place_of(source) == place_of(result)


@SETTINGS
@given(STEPS, LOSSES)
def test_what_is_kept_once_a_step_never_overlaps(steps, loss):
    program = scheduled(network(steps, loss), "training")
    everywhere = [*program.prepare, *program.rows, *program.collect]
    once = {b for i in everywhere for b in i.operands if b is not None and b.region == WORKSPACE and not b.per_row}
    for one in once:
        assert 0 <= program.plan.offset(one) <= program.plan.once - one.size
        assert all(one is other or not overlap(program, one, other) for other in once)


@SETTINGS
@given(STEPS, LOSSES)
def test_planned_memory_computes_what_separate_memory_does(steps, loss):
    """Every instruction's output when it is written: the same whether or not buffers share their place."""

    def outputs(executor: Any) -> dict[Any, list[np.ndarray]]:
        model.set_weights(weights)
        return {i: [memory[o].copy() for o in i.outputs] for i, memory in executor(job).trace(chunk)}

    model = network(steps, loss)
    model.build()
    model._compiled.prepare_slots()
    weights, chunk = model.get_weights(), Chunk(0, 0, 1, 0, np.array([0.1]))
    job = model._compiled.job("training", {"X": X.astype(np.float32), "Y": Y.astype(np.float32)}, len(X))
    planned, separate = outputs(NativeExecutor), outputs(ReferenceExecutor)
    assert any(b.region == WORKSPACE for i in planned for b in i.outputs)
    for instruction, values in planned.items():
        for one, other in zip(values, separate[instruction], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4, err_msg=instruction.formula)


def offsets(model: Sequential, kind: str) -> dict[str, int]:
    schedule = scheduled(model, kind)
    return {b.name: schedule.plan.offset(b) for b in lives(schedule)}


def compiled(*layers: Any, loss: str = "mse") -> Sequential:
    model = Sequential([Input((8,)), *layers])
    model.compile("sgd", loss)
    return model


def test_an_activation_overwrites_what_nobody_needs_any_more():
    model = compiled(Dense(8, "tanh"), Dense(8, "sigmoid"), LeakyReLU(), Dense(8))
    training = offsets(model, "training")
    assert training["h1"] == training["a1"]  # tanh's slope needs a only
    assert training["h2"] == training["a2"]
    assert training["a2"] != training["a2′"]  # leaky relu's slope needs h
    inference = offsets(model, "inference")
    assert inference["a2"] == inference["a2′"]


def test_inference_takes_no_more_memory_the_deeper_the_network():
    shallow = scheduled(compiled(*[Dense(8, "tanh") for _ in range(2)]), "inference")
    deep = scheduled(compiled(*[Dense(8, "tanh") for _ in range(20)]), "inference")
    assert deep.plan.row == shallow.plan.row
    assert scheduled(compiled(*[Dense(8, "tanh") for _ in range(20)]), "training").plan.row > 5 * deep.plan.row


def test_a_view_takes_no_memory():
    with_view = compiled(Dense(8), Flatten(), Activation("softmax"), Dense(3))
    without = compiled(Dense(8), Activation("softmax"), Dense(3))
    assert scheduled(with_view, "training").plan.row == scheduled(without, "training").plan.row
    program = scheduled(network([("views", 0, 0)]), "training")
    assert any(isinstance(i, Reshape) for i in program.rows)
    for instruction in program.rows:
        if isinstance(instruction, Reshape):
            assert instruction.x.storage is instruction.z.storage


# --- blocks and lanes ------------------------------------------------------------------------------------------------

STEPS_OF_ALL_KINDS = [
    ("affine", 0, 1), ("tanh", 1, 0), ("affine", 2, 1), ("views", 3, 0), ("add", 2, 4), ("dropout", 5, 0),
    ("reshape", 6, 0), ("affine", 7, 2), ("leaky", 8, 0), ("softmax", 9, 0),
]  # fmt: skip


def trained(executor: Any, model: Sequential, job: Any, epochs: int = 3) -> tuple[Any, Any]:
    """The weights and the running sums of every epoch."""
    steps = epochs * job.steps_per_epoch
    outcome = executor(job).run(Chunk(0, 0, steps, 0, np.full(steps, 0.1)))
    assert outcome.steps == steps
    assert outcome.finite
    return job.parameters.copy(), outcome.records


def make(batch: int, lanes: int = 1, **options: Any) -> tuple[Sequential, Any]:
    model = network(STEPS_OF_ALL_KINDS, "mse", **options)
    model.optimizer = Adam()
    model.build()
    model._compiled.prepare_slots()
    kind = model.dtype
    weights = np.arange(53).reshape(-1, 1) % 5 / 2
    data = {name: a.astype(kind) for name, a in (("X", X), ("Y", Y), ("weights", weights))}
    return model, model._compiled.job("training", data, batch, lanes, shuffle=True)


@pytest.mark.parametrize("batch", [53, 32, 10])
def test_native_blocks_equal_the_whole_batch_by_the_reference(batch, monkeypatch):
    whole = trained(ReferenceExecutor, *make(batch, **FLOAT64))
    monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    monkeypatch.setattr(blocks, "LEAST_BLOCK", 16)
    for one, other in zip(whole, trained(NativeExecutor, *make(batch)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", [53, 40, 32, 10])  # of 40, the last batch is a block less: a lane has nothing to do
@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("block", [16, 32, 64])
def test_native_blocks_and_lanes_equal_one_block(batch, lanes, block, monkeypatch):
    one = trained(NativeExecutor, *make(batch))
    monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    monkeypatch.setattr(blocks, "LEAST_BLOCK", block)
    model, job = make(batch, lanes)
    assert blocks.block_of(job) <= block
    many = trained(NativeExecutor, model, job)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [53, 40, 10])
@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_weight_gradients_that_lanes_share_in_the_finish_are_the_same(batch, lanes, monkeypatch):
    one = trained(NativeExecutor, *make(batch))
    monkeypatch.setattr(linear, "WIDE", 1)
    model, job = make(batch, lanes)
    executor = NativeExecutor(job)
    assert blocks.shared_gradients(executor.schedule, batch, lanes)
    wide = [i for i in executor.schedule.rows if linear.wide_gradient(i) is not None]
    assert wide
    assert not any(i in wide for i in executor.phases[1])
    assert lanes * blocks.block_of(job) >= batch  # every row stays where the finish finds it
    many = trained(lambda job: executor, model, job)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lanes", [1, 2, 3, 5])
def test_the_chunks_of_the_lanes_are_the_parameter_vector_in_whole_rows_where_a_gradient_is_shared(lanes):
    wide = [Buffer("dW2", (700, 200), offset=160_000), Buffer("dW1", (3, 40_000), offset=16)]
    every = [slices(400_000, wide, lane, lanes, stays=True) for lane in range(lanes)]
    places = sorted((first, after) for own in every for first, after, _ in own.tolist())
    assert [first for first, _ in places] == [0, *(after for _, after in places[:-1])]
    assert places[-1][1] == 400_000
    for first, after in places:
        for dW in wide:
            if dW.offset <= first < dW.offset + dW.size:
                assert (first - dW.offset) % dW.shape[-1] == (after - dW.offset) % dW.shape[-1] == 0
                assert after <= dW.offset + dW.size
    sizes = [int((own[:, 1] - own[:, 0]).sum()) for own in every]
    assert max(sizes) - min(sizes) <= 40_000 + 200 + 3 * 16
    assert max(int((own[:, 1] - own[:, 0]).max()) for own in every) <= WIDE_SLICE + TILE * 200


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_a_sparse_gradient_is_in_no_chunk(lanes):
    sparse, wide = [Buffer("dW1", (900, 7), offset=1600)], [Buffer("dW2", (700, 200), offset=160_000)]
    covered = np.zeros(400_000, int)
    for lane in range(lanes):
        for first, after, _ in slices(400_000, wide, lane, lanes, stays=True, sparse=sparse).tolist():
            covered[first:after] += 1
    assert (covered[1600 : 1600 + 6300] == 0).all()
    assert (np.delete(covered, slice(1600, 1600 + 6300)) == 1).all()


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_a_shared_gradient_that_is_read_once_has_one_place_in_each_lanes_gradients(lanes):
    wide = [Buffer("dW2", (700, 200), offset=160_000), Buffer("dW1", (3, 40_000), offset=16)]
    for lane in range(lanes):
        moved = slices(400_000, wide, lane, lanes, stays=False)
        assert np.array_equal(moved[:, :2], slices(400_000, wide, lane, lanes, stays=True)[:, :2])
        for first, after, back in moved.tolist():
            shared = any(dW.offset <= first < dW.offset + dW.size for dW in wide)
            assert first - back == (lane * 400_000 + 160_000 if shared else first)
            assert after - first <= 700 * 200


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_every_line_of_weights_without_a_shared_gradient_is_taken_by_the_lane_that_updates_it(lanes):
    wide = [Buffer("dW2", (700, 200), offset=160_000), Buffer("dW1", (3, 40_000), offset=16)]
    vector, taken = np.zeros(400_000, np.float32), np.zeros(400_000 // 16, int)
    for lane in range(lanes):
        own = slices(vector.size, wide, lane, lanes, stays=True)
        places = (lines(vector, own, wide) - vector.ctypes.data) // 64
        taken[places] += 1
        for first, after, _ in own.tolist():
            shared = any(dW.offset <= first < dW.offset + dW.size for dW in wide)
            assert np.isin(np.arange(first // 16, -(-after // 16)), places).all() != shared
    weights = np.concatenate([np.arange(16), np.arange(120_016, 160_000), np.arange(300_000, 400_000)])
    assert taken[np.unique(weights // 16)].tolist() == [1] * len(np.unique(weights // 16))
    assert taken.sum() == len(np.unique(weights // 16))


@pytest.mark.parametrize("batch", [53, 40, 10])
def test_no_instruction_reads_weights_while_lanes_take_them(batch):
    _, job = make(batch, 2)
    executor = NativeExecutor(job)
    rows = executor.phases[1]
    place = int(executor.jobs[0].free) - len(executor.phases[0])
    assert 0 < place < len(rows)
    assert any(b.region == PARAMETERS for b in rows[place - 1].inputs)
    assert not any(b.region == PARAMETERS for i in rows[place:] for b in i.inputs)
    assert 0 < executor.jobs[0].line_count <= executor.jobs[0].each * (len(rows) - place)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_predictions_and_scores_do_not_depend_on_blocks_lanes_or_batches(lanes, monkeypatch):
    model = network(STEPS_OF_ALL_KINDS)
    whole, scores = model.predict(X, lanes=1), model.evaluate(X, Y, lanes=1)
    monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    monkeypatch.setattr(blocks, "LEAST_BLOCK", 16)
    for batch_size in (None, 7, 53):
        np.testing.assert_allclose(model.predict(X, batch_size, lanes=lanes), whole, rtol=1e-5, atol=1e-6)
        assert model.evaluate(X, Y, batch_size, lanes=lanes) == pytest.approx(scores, rel=1e-6)


@SETTINGS
@given(st.integers(1, 300), st.integers(1, 4), st.integers(1, 4000))
def test_a_block_fits_the_cache_and_every_lane_gets_its_share(batch, lanes, width):
    model = Sequential([Input((width,)), Dense(1)])
    model.compile("sgd", "mse")
    model.build()
    job = model._compiled.job("training", {"X": np.zeros((300, width)), "Y": np.zeros((300, 1))}, batch, lanes)
    block = blocks.block_of(job)
    row = 4 * schedule_of(job.program).plan.row  # bytes
    most = max(blocks.LEAST_BLOCK, blocks.WORKSPACE_BYTES // row)
    assert block % 16 == 0
    assert block < most + 16
    assert block < -(-batch // lanes) + 16  # no lane gets two lanes' work
    if batch <= lanes * most:
        assert lanes * block >= batch  # one block for every lane


def images(steps: int, units: int = 8) -> Sequential:
    """A network that makes so many rows of a product of each row."""
    parts = [Input((steps, 4)), Dense(40, "relu"), Dense(units, "relu"), Flatten(), Dense(1)]
    model = Sequential(parts, seed=2)
    model.compile("sgd", "mse")
    model.build()
    return model


def job_of(model: Sequential, batch: int, lanes: int) -> Any:
    shape = model.input_shape[1:]
    data = {"X": np.zeros((batch, *shape), np.float32), "Y": np.zeros((batch, 1), np.float32)}
    return model._compiled.job("training", data, batch, lanes)


@pytest.mark.parametrize(
    ("steps", "batch", "lanes", "block"),
    [
        (16, 12, 2, 6),
        (16, 7, 3, 3),
        (16, 24, 2, 12),
        (16, 2, 4, 1),
        (16, 20, 1, 32),
        (16, 31, 2, 16),
        (15, 12, 2, 16),
        (15, 24, 2, 16),
    ],
)
def test_rows_that_fill_the_vector_by_themselves_are_divided_evenly(steps, batch, lanes, block):
    assert blocks.block_of(job_of(images(steps), batch, lanes)) == block


def test_a_lane_of_few_rows_has_much_to_compute():
    program, dense = (images(*sizes).lower(Request("training"))[0] for sizes in ((64, 400), (15,)))
    least = -(-blocks.LEAST_FLOPS_OF_FEW_ROWS // blocks.arithmetic(program, 1))  # rows of a lane
    assert 1 < least < 16  # otherwise the vector decides
    assert [blocks.most_lanes(program, rows) for rows in (least, 2 * (least - 1), 2 * least)] == [1, 1, 2]
    assert blocks.most_lanes(dense, 31) == 1


@pytest.mark.parametrize("lanes", [2, 3])
def test_few_rows_on_many_lanes_learn_what_one_lane_does(lanes):
    x = RANDOM.normal(size=(13, 40, 4)).astype(np.float32)  # blocks of 7 and 6, of 5, 5 and 3
    one, many = images(40), images(40)
    for model, number in ((one, 1), (many, lanes)):
        model.fit(x, x.mean((1, 2)), batch_size=13, epochs=5, verbose=0, lanes=number)
    for a, b in zip(one.get_weights(), many.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 200), st.integers(1, 9))
def test_the_longest_lane_is_the_first(block, batch, lanes):
    rows = [0] * lanes
    for number, first in enumerate(range(0, batch, block)):
        rows[number % lanes] += min(block, batch - first)
    assert blocks.longest(block, batch, lanes) == rows[0]
    assert rows[0] == max(rows)


@pytest.mark.parametrize("rows", [1, 5, 13])
def test_wide_buffers_begin_at_cache_lines_whatever_the_rows(rows):
    memory = NativeExecutor(job_of(images(37), 2 * rows, 2)).memories[0]
    wide = [b for b in memory.plan.offsets if b.region == WORKSPACE and b.per_row and b.size >= 128]
    assert wide
    assert memory.block == rows
    assert all(memory.address(b) % 64 == 0 for b in wide)


def test_dropout_is_drawn_alike_whatever_the_blocks(monkeypatch):
    def mask(executor: Any) -> Any:
        model = Sequential([Input((WIDTH,)), Dropout(0.5), Dense(1)], seed=3)
        model.compile("sgd", "mse")
        model.build()
        model._compiled.prepare_slots()
        job = model._compiled.job("training", {"X": X.astype(np.float32), "Y": Y[:, :1].astype(np.float32)}, 53)
        steps = executor(job).trace(Chunk(0, 0, 1, 0, np.zeros(1)))
        return np.concatenate([m[i.outputs[0]].copy() for i, m in steps if i.title == "dropout"])

    whole = mask(ReferenceExecutor)
    assert np.array_equal(mask(NativeExecutor) != 0, whole != 0)
    monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    monkeypatch.setattr(blocks, "LEAST_BLOCK", 16)
    assert np.array_equal(mask(NativeExecutor) != 0, whole != 0)


# --- inputs over lanes ----------------------------------------------------------------------------------------------


def image_classifier(lanes: int, batch: int, **options: Any) -> tuple[Sequential, Any]:
    """A network whose first layer reads 6×7 numbers, and a job to train it on 53 rows."""
    model = Sequential([Input((6, 7)), Flatten(), Dense(20, "relu"), Dense(3)], seed=0)
    model.compile(Adam(**options), "mse")
    model.build()
    model._compiled.prepare_slots()
    x = np.random.default_rng(2).normal(size=(53, 6, 7)).astype(np.float32)
    return model, model._compiled.job("training", {"X": x, "Y": Y.astype(np.float32)}, batch, lanes, shuffle=True)


@pytest.mark.parametrize("batch", [53, 40, 20])
@pytest.mark.parametrize("lanes", [2, 3])
@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 0.1}, {"gradient_accumulation_steps": 2}])
def test_inputs_split_over_lanes_give_the_same_weights_as_one_lane(batch, lanes, options, monkeypatch):
    one = trained(NativeExecutor, *image_classifier(1, batch, **options))
    monkeypatch.setattr(linear, "WIDE", 1)
    monkeypatch.setattr(input_split, "MANY", 0)
    model, job = image_classifier(lanes, batch, **options)
    assert "share weight gradient" in [i.title for i in job.program]
    assert not any(isinstance(i, Affine) and i.x.shape == (42,) for i in job.program)
    many = trained(NativeExecutor, model, job)
    again = trained(NativeExecutor, *image_classifier(lanes, batch, **options))
    for a, b, c in zip(one, many, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)  # Adam divides by small numbers
        np.testing.assert_array_equal(b, c)


@pytest.mark.parametrize("lanes", [2, 3])
def test_a_step_of_split_inputs_done_one_by_one_is_the_same(lanes, monkeypatch):
    monkeypatch.setattr(linear, "WIDE", 1)
    monkeypatch.setattr(input_split, "MANY", 0)
    chunk = Chunk(0, 0, 1, 0, np.full(1, 0.1))
    _, whole = image_classifier(lanes, 40)
    NativeExecutor(whole).run(chunk)
    _, job = image_classifier(lanes, 40)
    seen = [i.title for i, _ in NativeExecutor(job).trace(chunk)]
    assert seen.count("share weight gradient") == lanes
    np.testing.assert_allclose(job.parameters, whole.parameters, rtol=1e-5, atol=1e-6)


def test_inputs_are_split_where_there_are_many_for_the_rows_of_a_batch():
    model = Sequential([Input((784,)), Dense(128, "relu"), Dense(10)], seed=0)
    model.compile("adam", "mse")
    model.build()
    split = {
        (b, n): "gather share" in [r.name for r in model.schedule(batch_size=b, lanes=n)]
        for b in (128, 512)
        for n in (1, 2)
    }
    assert split == {(128, 1): False, (128, 2): True, (512, 1): False, (512, 2): False}
    assert input_split.first_layer(draft(model, "inference")) is None


@pytest.mark.parametrize("layer", [Dropout(0.5), Activation("tanh"), LeakyReLU()])
def test_inputs_are_not_split_where_something_else_reads_them(layer, monkeypatch):
    monkeypatch.setattr(linear, "WIDE", 1)
    model = Sequential([Input((42,)), layer, Dense(20, "relu"), Dense(3)], seed=0)
    model.compile("adam", "mse")
    assert input_split.first_layer(draft(model, "training")) is None


def test_a_model_and_its_schedules_are_freed_with_it():
    model = compiled(Dense(8, "tanh"), Dense(3))
    model.fit(np.ones((5, 8)), np.ones((5, 3)), verbose=0)
    program = weakref.ref(schedule_of(model._compiled.lower(Request())[0]))
    del model
    gc.collect()
    assert program() is None


def test_no_more_than_some_programs_are_kept():
    """One for each batch size, of a network whose inputs lanes share."""
    model = Sequential([Input((784,)), Dense(128, "relu"), Dense(3)])
    model.compile("sgd", "mse")
    model.build()
    requests = [Request("training", batch=batch, lanes=2) for batch in range(1, MOST_PROGRAMS + 8)]
    programs = [model._compiled.lower(request)[0] for request in requests]
    assert len({*map(id, programs)}) == len(programs)
    assert len(model._compiled._programs) == MOST_PROGRAMS
    assert model._compiled.lower(requests[-1])[0] is programs[-1]


def test_what_an_engine_makes_of_a_program_is_not_pickled():
    model = compiled(Dense(8, "tanh"), Dense(3))
    model.fit(np.ones((32, 8)), np.ones((32, 3)), verbose=0)
    program = model._compiled.lower(Request())[0]
    assert program.kept
    assert "native kernel" in vars(program.forward[1])
    copy = pickle.loads(pickle.dumps(program))
    assert not copy.kept
    assert vars(copy.forward[1]).keys() == {field.name for field in fields(copy.forward[1])}
    assert [i.formula for i in copy] == [i.formula for i in program]
