"""What Keras's configurations name: layers, initializers, penalties, losses …, from a list of what both have.

A class is taken from this list by its name, never imported from the module that a file names, and called with the
arguments that it declares. An argument that only Keras has is accepted where it says what happens here anyway.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from thalweg import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.layers import Layer
from thalweg.layers.keywords import EVERY
from thalweg.support.registry import REGISTERED

OWN_LAYERS = (
    "ElementwiseScale", "Parallel", "PeriodicEmbedding", "PiecewiseLinearEncoding", "PositionEmbedding", "Residual",
    "RotaryEmbedding", "SinePositionEncoding", "TokenAndPositionEmbedding",
)  # fmt: skip
"""Layers that Keras hasn't."""
ELSEWHERE = {
    "Lambda": "holds a Python function, which a file can't be trusted with",
    "StringLookup": "keeps its vocabulary in files that TensorFlow writes",
    "IntegerLookup": "keeps its vocabulary in files that TensorFlow writes",
    "TextVectorization": "keeps its vocabulary in files that TensorFlow writes",
    "Hashing": "computes with TensorFlow there",
    "HashedCrossing": "computes with TensorFlow there",
}
"""Layers that both have, and that no file of Keras's brings here; and why."""
LAYERS: dict[str, type[Layer]] = {n: c for n, c in layers.CLASSES.items() if n not in (*OWN_LAYERS, *ELSEWHERE)}
OWN_ACTIVATIONS = ("arctan", "bent_identity", "gaussian", "golu", "lisht", "sine", "step")
ACTIVATIONS = [n for n in (*activations.NAMES, *activations.ALIASES) if n not in OWN_ACTIVATIONS]
HELD = {
    "RNN": ("cell",), "StackedRNNCells": ("cells",), "TimeDistributed": ("layer",),
    "Bidirectional": ("layer", "backward_layer"),
}  # fmt: skip
"""Layers that hold others, and the arguments in which they do."""
ANYTHING: Any = object()
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "activity_regularizer": (None,), "autocast": (True,), "axis": (-1,), "batch_size": (None,),
    "beta_constraint": (None,), "bounding_box_format": (None,),
    "data_format": (None, "channels_last"), "decay": (0.0, None), "dtype": ("float32", None), "factor": (None,),
    "from_sorted_ids": (False,), "fused": (None,), "gamma_constraint": (None,), "groups": (1,),
    "ignore_class": (None,), "input_axes": (None,), "input_length": (None,), "is_legacy_optimizer": (False, None),
    "jit_compile": (ANYTHING,), "label_weights": (None,), "lora_alpha": (None,), "lora_rank": (None,),
    "loss_scale_factor": (None,), "name": (ANYTHING,), "noise_shape": (None,),
    "num_labels": (None,), "optional": (False,), "output_axes": (None,), "quantization_config": (None,),
    "ragged": (False,), "rank": (ANYTHING,), "renorm": (False,), "renorm_clipping": (None,),
    "renorm_momentum": (ANYTHING,), "rms_scaling": (False,), "sparse": (False, None), "synchronized": (False,),
    "time_major": (False,), "virtual_batch_size": (None,),
}  # fmt: skip
"""Arguments of Keras's, with the values that ask for what happens here anyway."""
OURS: dict[str, dict[str, tuple[Any, ...]]] = {
    "Embedding": {"sparse": (True, False), "input_length": (ANYTHING,)},
    "SparseCategoricalCrossentropy": {"label_smoothing": (0.0,)},
}
"""Arguments that Keras hasn't, with the values that change nothing there: how a gradient is kept, a check."""


class Family(NamedTuple):
    """A kind of part."""

    module: str  # where Keras has them
    classes: Mapping[str, Any]
    names: Mapping[str, Any]  # by which a text may stand for one


def shared(classes: Mapping[str, Any], *own: str) -> dict[str, Any]:
    return {name: kind for name, kind in classes.items() if name not in own}


INITIALIZERS = {c.__name__: c for c in initializers.NAMED}
FAMILIES = {
    "initializer": Family(
        "keras.initializers",
        INITIALIZERS | {"OrthogonalInitializer": initializers.Orthogonal, "IdentityInitializer": initializers.Identity},
        initializers.NAMES | initializers.ALIASES | INITIALIZERS,
    ),
    "regularizer": Family("keras.regularizers", regularizers.CLASSES, regularizers.NAMES | regularizers.CLASSES),
    "constraint": Family("keras.constraints", constraints.CLASSES, constraints.NAMES | constraints.CLASSES),
    "schedule": Family("keras.optimizers.schedules", shared(schedules.CLASSES, "OneCycle", "Coslog4", "FlatCos"), {}),
    "optimizer": Family(
        "keras.optimizers", shared(optimizers.CLASSES, "AdaBelief"),
        shared(optimizers.NAMES, "adabelief") | shared(optimizers.CLASSES, "AdaBelief"),
    ),
    "loss": Family(
        "keras.losses",
        shared(losses.CLASSES, "CenterLoss", "GaussianNLL", "Quantile", "SumSquaredError"),
        {n: c for n, c in (losses.NAMES | losses.CLASSES).items()
         if c.__name__ not in ("CenterLoss", "GaussianNLL", "Quantile", "SumSquaredError")},
    ),
    "metric": Family(
        "keras.metrics", metrics.CLASSES, metrics.NAMES | metrics.CLASSES | dict.fromkeys(("accuracy", "acc"), None)
    ),
}  # fmt: skip
ENDINGS = {"_initializer": "initializer", "_regularizer": "regularizer", "_constraint": "constraint"}


def check_origin(description: Mapping[str, Any], what: str) -> None:
    """Raises for a class that isn't Keras's own, which is another one even if it has the same name."""
    module, name = description.get("module"), description.get("registered_name")
    known = module is None or str(module).split(".")[0] in ("keras", "tf_keras")
    if not known or name not in (None, description["class_name"]):
        raise ArgumentError(
            f"{what} is {name or description['class_name']!r} of {str(module)[:80]!r}, no class of Keras's: give your "
            "own class in custom_objects"
        )


@cache
def takes(kind: Callable[..., Any]) -> frozenset[str]:
    """The arguments of a class by name."""
    every: Any = EVERY if isinstance(kind, type) and issubclass(kind, Layer) else ()
    if isinstance(kind, type) and issubclass(kind, optimizers.Optimizer):
        every = set(inspect.signature(optimizers.Optimizer).parameters) - {"learning_rate_factors"}
    return frozenset({*inspect.signature(kind).parameters, *every})


def arguments_of(kind: Callable[..., Any], config: Any, what: str) -> dict[str, Any]:
    """The arguments of a class in a configuration; one that it can't honour raises."""
    if not isinstance(config, dict):
        raise ArgumentError(f"{what} has no configuration")
    found = {}
    for name, value in config.items():
        if name == "dtype":
            check_dtype(value, what)
        elif name in takes(kind):
            found[name] = argument(name, value, what)
        elif not neutral(name, value):
            raise ArgumentError(f"{what} has {name}={shortly(value)}, which isn't known here")
    return found


def neutral(name: str, value: Any) -> bool:
    """Whether an argument that only Keras has asks for what happens anyway."""
    usual = NEUTRAL.get(name, ())
    return ANYTHING in usual or any(type(value) is type(u) and value == u for u in usual)


def shortly(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def check_dtype(given: Any, what: str) -> None:
    """Raises for a layer that doesn't compute in float32."""
    name = given
    if isinstance(given, dict):
        name = given.get("config", {}).get("name") if given.get("class_name") in ("DTypePolicy", "Policy") else given
    if name not in (None, "float32"):
        raise ArgumentError(f"{what} computes in {shortly(name)}: only networks in float32 are read")


def argument(name: str, value: Any, what: str) -> Any:
    """The value of an argument, as our classes take it."""
    if name in ("activation", "recurrent_activation"):
        if value is not None and (not isinstance(value, str) or value not in ACTIVATIONS):
            raise ArgumentError(f"{what} has the activation {shortly(value)}, which isn't known here")
        return value
    family = next((f for end, f in ENDINGS.items() if name.endswith(end)), None)
    family = "schedule" if name == "learning_rate" and isinstance(value, dict) else family
    return plain(value, f"{name} of {what}") if family is None else part(family, value, f"{name} of {what}")


def plain(value: Any, what: str) -> Any:
    """Numbers, texts, and lists of them."""
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        value = value["items"]
    if isinstance(value, list):
        return [plain(v, what) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(f"the {what} is {shortly(value)}, which isn't known here")


def part(family: str, given: Any, what: str) -> Any:
    """A part's description as our `get` takes it: a name, or a class and its arguments; None stays."""
    _, classes, names = FAMILIES[family]
    if given is None:
        return None
    if isinstance(given, str):
        if given not in names:
            raise ArgumentError(f"the {what} is the {family} {shortly(given)}, which isn't known here")
        return given
    if not isinstance(given, dict) or "class_name" not in given:
        raise ArgumentError(f"the {what} is no {family}: {shortly(given)}")
    name, config = given["class_name"], given.get("config", {})
    check_origin(given, f"the {what}")
    if name == "function" and isinstance(config, str):  # a function of Keras's, by its name
        return part(family, config, what)
    if name == "MeanMetricWrapper":  # Keras 2's, of a function
        return part(family, config.get("fn"), what)
    if name not in classes:
        raise ArgumentError(f"the {what} is {shortly(name)}, which isn't known here")
    return {"class_name": classes[name].__name__, "config": arguments_of(classes[name], config, f"the {what}")}


def own_class(name: str, registered: str | None, custom_objects: Mapping[str, Any]) -> Any:
    """The user's class for a layer; what is registered for another package isn't it, even if it has the same name."""
    for known in (custom_objects, REGISTERED):
        own = known.get(registered or name, known.get(name))
        packages = {key for key, thing in known.items() if thing is own and key.endswith(f">{name}")}
        named = registered in packages or (registered in (None, name) and name not in LAYERS)
        if own is not None and (named or not packages):
            return own
    return None


def layer_of(description: Mapping[str, Any], custom_objects: Mapping[str, Any]) -> Layer:
    """The layer that a configuration is of."""
    name, config = description["class_name"], description["config"]
    what = f"layer {shortly(config.get('name'))}"
    own = own_class(name, description.get("registered_name"), custom_objects)
    if own is not None:
        check_dtype(config.get("dtype"), what)
        given = {k: v for k, v in config.items() if k != "dtype" and (k in takes(own) or not neutral(k, v))}
        made: Layer = own.from_config(given) if hasattr(own, "from_config") else own(**given)
        return made
    check_origin(description, what)
    if name in ELSEWHERE:
        raise ArgumentError(f"{what} is a {name}, which {ELSEWHERE[name]}")
    if name not in LAYERS:
        raise ArgumentError(f"{what} is {shortly(name)}, which isn't known here{instead(name)}")
    held = {key: held_layers(config[key], custom_objects) for key in HELD.get(name, ()) if config.get(key)}
    rest = {key: value for key, value in config.items() if key not in held}
    given = arguments_of(LAYERS[name], rest, f"{name} {shortly(config.get('name'))}") | held
    if name == "Normalization":
        given = normalization(given)
    return LAYERS[name](**given)


def held_layers(description: Any, custom_objects: Mapping[str, Any]) -> Any:
    """The layer in a layer, or the list of them."""
    if isinstance(description, list):
        return [held_layers(one, custom_objects) for one in description]
    return layer_of(description, custom_objects)


def normalization(given: dict[str, Any]) -> dict[str, Any]:
    """Keras's mean and variance may have axes of length 1 around the one that counts, and no axis is an empty list."""
    axis = given.get("axis", -1)
    given["axis"] = None if axis == [] else axis
    for name in ("mean", "variance"):
        while isinstance(given.get(name), list) and len(given[name]) == 1 and isinstance(given[name][0], list):
            given[name] = given[name][0]
        if axis in ([], None) and isinstance(given.get(name), list):
            (given[name],) = given[name]
    return given


def instead(name: Any) -> str:
    """What to do instead of a layer that isn't here, if the table of absent names says it."""
    try:
        getattr(layers, str(name))
    except ThalwegError as error:
        return f": {str(error).partition(': ')[2] or error}"
    except AttributeError:
        return ""
    return ""


# --- the other way -------------------------------------------------------------------------------------------------


def described(family: str, part: Any) -> Any:
    """A part as Keras describes it: what our `serialize` returned, with its module. None stays, and so does a name."""
    if part is None or isinstance(part, str):
        return part
    module, classes, _ = FAMILIES[family]
    name, config = part["class_name"], part["config"]
    if name not in classes:
        raise ArgumentError(f"Keras has no {family} {name}")
    written = {}
    for key, value in config.items():
        if ours(name, key, value, f"the {family}"):
            continue
        if isinstance(value, dict) and "class_name" in value:
            value = described("schedule", value)
        written[key] = value
    return {"module": module, "class_name": name, "config": written, "registered_name": None}


def ours(name: str, key: str, value: Any, what: str) -> bool:
    """Whether an argument is one that Keras hasn't; a value that would matter there raises."""
    usual = OURS.get(name, {}).get(key)
    if usual is not None and ANYTHING not in usual and value not in usual:
        raise ArgumentError(f"Keras's {name} has no {key}, as {what} has")
    return usual is not None


def describe_layer(layer: Layer) -> tuple[dict[str, Any], list[str]]:
    """A layer as Keras describes it, and the initializers that Keras hasn't, of weights that the file has anyway.

    Raises:
        ArgumentError: Keras hasn't such a layer, or not with these arguments.
    """
    name = type(layer).__name__
    if LAYERS.get(name) is not type(layer):
        why = ELSEWHERE.get(name, "Keras hasn't")
        raise ArgumentError(f"layer {layer.name!r} is a {name}, which {why}")
    config: dict[str, Any] = {"name": layer.name, "dtype": "float32"}
    some = bool(layer.all_parameters())  # without weights, not every layer takes it
    config |= {"trainable": layer.trainable} if some else {}
    unknown = []
    for key, value in layer.get_config().items():
        family = next((f for end, f in ENDINGS.items() if key.endswith(end)), None)
        if ours(name, key, value, f"layer {layer.name!r}") or (key == "trainable" and not some):
            continue
        if key in HELD.get(name, ()) and value is not None:
            inner = getattr(layer, key)
            found = [describe_layer(one) for one in (inner if isinstance(inner, list) else [inner])]
            unknown += [n for _, names in found for n in names]
            config[key] = [one for one, _ in found] if isinstance(inner, list) else found[0][0]
            continue
        if key in ("activation", "recurrent_activation") and value not in ACTIVATIONS:
            raise ArgumentError(f"layer {layer.name!r} has the activation {shortly(value)}, which Keras hasn't")
        if family == "initializer" and value["class_name"] not in INITIALIZERS:
            unknown.append(value["class_name"])
            value = {"class_name": "Zeros", "config": {}}
        config[key] = value if family is None else described(family, value)
    return {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None}, unknown
