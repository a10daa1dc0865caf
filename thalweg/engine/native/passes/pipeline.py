"""The native engine's pipeline, and what else a program has to know about this engine."""

from __future__ import annotations

from thalweg.engine.native.passes import fuse
from thalweg.engine.native.passes.activated import fuse_activations
from thalweg.engine.native.passes.chains import fuse_chains
from thalweg.engine.native.passes.exchanged import exchange_statistics, share_values
from thalweg.engine.native.passes.image_columns import LEAST_ROWS, batches_by_columns, fuse_biases, images_by_columns
from thalweg.engine.native.passes.input_split import split_inputs
from thalweg.engine.native.passes.masks import reuse_masks
from thalweg.engine.native.passes.placed_steps import place_steps
from thalweg.engine.native.passes.prepared import prepare_products
from thalweg.engine.native.passes.update import update_on_lanes
from thalweg.engine.native.passes.wanted import narrow_input_gradients
from thalweg.engine.native.passes.winograd import by_winograd
from thalweg.program.passes.draft import Pass, Request
from thalweg.program.plain import DERIVE, FUSE_LOSSES, UNREAD, UNROLL
from thalweg.support.extras import can_compile


def judges(r: Request) -> bool:
    return r.kind != "inference"


def unseen(r: Request) -> bool:
    """Whether nobody looks at the values: a visible program is run as it is shown."""
    return not r.visible


def trains_unseen(r: Request) -> bool:
    return r.trains and unseen(r)


PIPELINE = (
    Pass("exchange statistics", exchange_statistics, judges),
    Pass("pool before relu", fuse.pool_before_relu, lambda r: judges(r) and unseen(r)),
    Pass("normalize and add", fuse.normalize_and_add, trains_unseen),
    Pass("embed mean", fuse.embed_mean, unseen),
    DERIVE,
    UNREAD,
    UNROLL,
    Pass("place steps", place_steps, unseen, needed=True),
    Pass("narrow input gradients", narrow_input_gradients, trains_unseen),
    Pass("prepare products", prepare_products, trains_unseen),
    Pass("share values", share_values, lambda r: True),
    Pass("reuse masks", reuse_masks, trains_unseen),
    Pass("add before relu", fuse.add_before_relu, trains_unseen),
    FUSE_LOSSES,
    Pass("fuse activations", fuse_activations, trains_unseen),
    Pass("fuse relu", fuse.fuse_relu, unseen),
    Pass("images by columns", images_by_columns, lambda r: judges(r) and unseen(r) and r.batch >= LEAST_ROWS),
    Pass("winograd", by_winograd, unseen),
    Pass("split inputs", split_inputs, lambda r: r.lanes > 1),
    Pass("batches by columns", batches_by_columns, trains_unseen),
    Pass("fuse biases", fuse_biases, trains_unseen),
    Pass("fuse chains", fuse_chains, lambda r: unseen(r) and can_compile()),
    Pass("update on lanes", update_on_lanes, lambda r: r.trains, needed=True),
)
