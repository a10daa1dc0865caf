"""What Keras's objects have and thalweg's don't: overriding it in a subclass, or asking for it, raises and says so.

There is a table for each kind of class, name → what to do instead: of hooks that are never called, instead of training
without them (`uncalled`), and of other attributes (`lacking`). To support one, remove it from its table.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from thalweg.absent import MINIMIZE
from thalweg.errors import AbsentNameError, ArgumentError
from thalweg.support.naming import suggesting


class Hooked:
    """Base of everything that can be subclassed. The base class of each kind names its `uncalled` hooks."""

    uncalled: ClassVar[Mapping[str, str]] = {}  # method → what to do instead
    lacking: ClassVar[Mapping[str, str]] = {}  # an attribute that a subclass may well have → the same
    called_with: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # Keras's method → its arguments here

    if not TYPE_CHECKING:  # a type checker goes on finding misspelt names

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            instead = kind.uncalled.get(name) or kind.lacking.get(name)
            if instead is None:
                return object.__getattribute__(self, name)  # raises Python's error, or that of a property
            raise AbsentNameError(f"{kind.__name__} has no {name}: {instead}", name=name, obj=self)

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "__init__" in vars(cls):
            cls.__init__ = suggesting(cls.__init__)  # type: ignore[method-assign]
        base = next(c for c in cls.__mro__ if issubclass(c, Hooked) and "uncalled" in vars(c))
        for owner in cls.__mro__:
            if owner in base.__mro__ or owner.__module__.partition(".")[0] == __name__.partition(".")[0]:
                continue  # our own classes
            own = {name: member for name, member in vars(owner).items() if hasattr(member, "__get__")}
            for name in own.keys() & base.uncalled.keys():
                raise ArgumentError(f"{cls.__name__}.{name} would never be called: {base.uncalled[name]}")
            for name in own.keys() & base.called_with.keys():
                check_arguments(cls.__name__, name, own[name], base.called_with[name])


class Configured(Hooked):
    """Base of what can be made again from its configuration."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """One that is equal to the one whose `get_config` returned this.

        >>> from thalweg.layers import Dense
        >>> Dense.from_config(Dense(3).get_config()).units
        3
        """
        return cls(**config)


def check_arguments(owner: str, name: str, method: Any, given: tuple[str, ...]) -> None:
    """Raises if a method can't take these arguments, or takes Keras's dtype instead."""
    signature = inspect.signature(method)
    try:
        signature.bind(None, *given)
        fits = "dtype" not in signature.parameters
    except TypeError:
        fits = False
    if not fits:
        raise ArgumentError(f"{owner}.{name} is called with ({', '.join(given)}) here, but takes {signature}")


def unwritten(thing: object, method: str, what: str) -> ArgumentError:
    """The error for a subclass that lacks a required method."""
    return ArgumentError(f"{type(thing).__name__} has no {method}: {what}")


def table(*rows: tuple[str, str]) -> dict[str, str]:
    """(methods, what to do instead) → method → what to do instead."""
    return {name: instead for names, instead in rows for name in names.split()}


CONFIG = ("from_config", "it is recreated from the arguments that get_config returns")
SAVED = (
    "get_build_config build_from_config save_own_variables load_own_variables variable_serialization_spec",
    "the weights are saved by the names that add_weight gave them",
)
WEIGHTS = (
    "variables trainable_variables non_trainable_variables weights trainable_weights non_trainable_weights "
    "metrics_variables add_variable",
    "all weights lie in one vector; see get_weights() and named_parameters() of the model",
)
TYPES = (
    "dtype compute_dtype input_dtype variable_dtype dtype_policy quantization_mode quantize quantized_build "
    "quantized_call",
    "a model computes in its own dtype, Sequential(…, dtype=…)",
)
GRAPH = (
    "input output inputs outputs input_spec path",
    "a model knows its layers' inputs and outputs, and its weights their paths",
)
SHAPES = ("compute_output_spec", "the shape follows from what call, or forward, computes")

FORWARD = "a layer computes its outputs in call(self, x), or appends instructions in forward(self, program, x)"
LAYER = table(
    ("__call__ stateless_call symbolic_call rematerialized_call convolution_op enable_lora", FORWARD),
    ("kernel", "the kernel is what build gets from add_weight"),
    ("add_metric metrics", "metrics are named in compile"),
    ("finalize_state", "Normalization sets its mean and variance in adapt"),
    (
        "convert_weight get_random_transformation transform_images transform_labels transform_bounding_boxes "
        "transform_segmentation_masks transform_single_image transform_single_label transform_single_bounding_box "
        "transform_single_segmentation_mask get_transformed_x_y get_shifted_bbox get_clipped_bbox",
        "a layer for images composes its instructions in forward(self, program, x)",
    ),
    *(SAVED, WEIGHTS, TYPES, GRAPH, SHAPES),
)
LOOKUP = {name: instead for name, instead in LAYER.items() if name != "__call__"} | table(
    ("update_state reset_state load_assets save_assets output_dtype", "a look-up learns in adapt, models save it")
)
STEP = f"a step is compiled: choose loss and optimizer in compile, or write your own; {MINIMIZE}"
LOGS = f"metrics are named in compile(metrics=[…]); {MINIMIZE}, and returns what is logged"
MODEL = table(
    (
        "predict_step make_train_function make_test_function make_predict_function "
        "compute_loss_and_updates stateless_call stateless_compute_loss jax_state_sync",
        STEP,
    ),
    ("__call__ symbolic_call rematerialized_call", "a model computes its outputs in call(self, inputs)"),
    ("compute_metrics get_metrics_result reset_metrics metrics metrics_names add_metric", LOGS),
    (
        "get_compile_config compile_from_config to_json get_state_tree set_state_tree get_quantization_layer_structure",
        "a model is saved by save, and loaded as a Sequential by load_model",
    ),
    ("run_eagerly jit_compile", "every program is compiled; engine='reference' runs it in NumPy"),
    ("compute_output_shape", SHAPES[1]),
    *(SAVED, WEIGHTS, TYPES, GRAPH, SHAPES),
)
SEQUENTIAL = MODEL | {"call": "the layers are called one after the other; a model with a call is a subclass of Model"}
FORMULA = (
    "a loss of your own has call(self, y_true, y_pred), or is a formula, such as compile(loss='(y_pred - y_true)**2')"
)
LOSS = table(("__call__", FORMULA), ("dtype", TYPES[1]), CONFIG)
BY_ITSELF = "a metric of your own adds a batch there, and its result(self) is the score"
METRIC = table(
    ("stateless_update_state stateless_result stateless_reset_state", "a metric keeps its state: update_state, result"),
    ("add_variable add_weight variables", "the variables of a metric are listed as they are added"),
    ("dtype", TYPES[1]),
    ("interpolate_pr_auc", "the area is computed by AUC's area"),
    CONFIG,
)
OPTIMIZER = table(
    ("apply apply_gradients stateless_apply", f"its steps are taken by fit; {MINIMIZE}"),
    (
        "update_step assign assign_add assign_sub scale_loss "
        "finalize_variable_values transpose_last_axis lr_adjust zeropower_via_newtonschulz5",
        "an optimizer's step is its `equation`, or the instruction that update(self, run) returns",
    ),
    (
        "build add_variable add_variable_from_reference add_optimizer_variables variables set_weights "
        "save_own_variables load_own_variables",
        "an optimizer's vectors are named in its `slots`",
    ),
    ("learning_rate iterations", "a changing learning rate is a schedule, learning_rate=…"),
    CONFIG,
)
REGULARIZER = table(CONFIG)
CONSTRAINT = table(
    ("__call__", "a constraint runs inside the compiled update: use MaxNorm, MinMaxNorm, UnitNorm or NonNeg"), CONFIG
)
INITIALIZER = table(("clone", "an initializer never changes, so it needs no copy"), CONFIG)
SCHEDULE = table(CONFIG)
ACTIVATION = table(("__call__", "an activation of your own is a formula, or activations.custom(value, derivative)"))
CALLBACK = table(
    ("get_monitor_value", "the monitored value is the one in the logs"),
    ("in_cooldown", "ReduceLROnPlateau counts its cooldown itself"),
    ("summary", "TensorBoard writes what its arguments say"),
)

# --- what is not there, though a subclass may have it ----------------------------------------------------------------

LAYER_LACKS = table(
    ("call", "it composes instructions in forward; a layer is called as layer(x)"),
    ("compute_output_shape", "layer.output_shape is known once it is built, and model.output_shape"),
    ("activity_regularizer", "layers with a kernel take one; behind others stands ActivityRegularization(l1, l2)"),
    ("autocast lora_alpha lora_enabled lora_rank quantization_config", TYPES[1]),
    ("supports_jit", "every program is compiled"),
    ("call_signature_parameters", "inspect.signature(layer.call) tells"),
    ("beta_constraint gamma_constraint", "scale and shift of a normalization have no constraints"),
    ("renorm renorm_clipping renorm_momentum synchronized", "the cores always share a batch's statistics"),
    ("beta gamma", "they are made when the model is built; then see layer.weights"),
    ("bounding_box_format", "a layer changes what passes through it, not boxes beside it"),
    ("data_format rank", "images are (rows, height, width, channels)"),
    ("backend generator", "the engine draws from a counter (seed, step, element)"),
    ("input_mean input_variance", "adapt, or the arguments mean and variance, set Normalization's numbers"),
    ("optional ragged sparse", "arrays are dense, and every input is needed"),
)
MODEL_LACKS = LAYER_LACKS | table(
    ("predict_function test_function train_function steps_per_execution", STEP),
    ("zero_grad compiled_loss compiled_metrics", MINIMIZE),
    ("operations", "model.layers, and program() lists every instruction"),
    ("call", "a model is called as model(x)"),
)
OPTIMIZER_LACKS = table(("built", "its vectors are made with the model that is compiled with it"))
LOSS_LACKS = table(("call fn", "a loss is called as loss(y_true, y_pred)"))
METRIC_LACKS = table(
    (
        "count total false_negatives false_positives true_negatives true_positives",
        "a metric keeps its sums itself; result() is the score",
    ),
    ("label_weights num_labels thresholds", "give one metric for each threshold or label"),
)
INITIALIZER_LACKS = table(
    ("distribution mode scale", "get_config() tells its arguments"),
    ("input_axes output_axes", "the last axis is the outputs'"),
)
CALLBACK_LACKS = table(
    (
        "best best_weights cooldown_counter min_delta monitor_op stopped_epoch wait",
        "they follow from history.epoch and history.history",
    ),
    ("model params", "a callback knows its model while it is used: fit(callbacks=[…])"),
)
LOGGED_LACKS = table(("update_state result reset_state", LOGS))
TENSOR_LACKS = table(
    ("backward grad grad_fn requires_grad requires_grad_ retain_grad", f"{MINIMIZE}; it has self.gradient(y, x), too"),
    ("numpy item tolist cpu", f"there are no numbers before there is data; {MINIMIZE}, and returns what is logged"),
    ("detach", "ops.stop_gradient(x)"),
)
