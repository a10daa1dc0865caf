"""Arguments declared once: what the constructor, the checks and the configuration make of them."""

import inspect
import json
import subprocess
import sys
from dataclasses import KW_ONLY, InitVar, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

import thalweg
from thalweg import Sequential, layers
from thalweg.errors import ArgumentError
from thalweg.layers import kinds
from thalweg.support.arguments import Before, Checked, arguments, configuration, default

ROOT = Path(thalweg.__file__).parent


@arguments
class Scaled(layers.Layer):
    """A layer of a user's, declared as thalweg's own."""

    words: ClassVar[int] = 3
    note = "no argument"

    factor: kinds.Amount
    size: kinds.Pair = default((1, 1))
    loud: bool = False
    old: InitVar[Any] = None
    name: str | None = None
    _: KW_ONLY
    way: Annotated[str, Checked(kinds.one_of("up", "down"))] = "up"
    format: kinds.DataFormat = None

    def __post_init__(self, old):
        if old is not None:
            self.factor = old

    def call(self, x):
        return x * self.factor


@arguments
class Louder(Scaled):
    """One that changes a default and adds an argument."""

    loud: bool = True
    times: kinds.Count = 2


def test_the_signature_is_the_declaration():
    shown = "(factor, size=(1, 1), loud=False, old=None, name=None, *, way='up', format=None)"
    found = inspect.signature(Scaled)
    plain = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    assert str(found.replace(parameters=plain, return_annotation=found.empty)) == shown
    assert list(inspect.signature(Louder).parameters)[:6] == ["factor", "size", "loud", "old", "name", "times"]
    assert inspect.signature(layers.Conv2D).parameters["kernel_size"].annotation == kinds.Sizes


def test_arguments_are_kept_as_checked_and_come_back():
    layer = Scaled(2, 3, 1, name="s", input_shape=(4,), trainable=False)
    assert (layer.factor, layer.size, layer.loud, layer.name, layer.way) == (2.0, (3, 3), True, "s", "up")
    assert layer.declared == {"input_shape": (4,)}
    assert not layer.trainable
    config = json.loads(json.dumps(layer.get_config()))
    assert config == {
        "factor": 2.0, "size": [3, 3], "loud": True, "name": "s", "way": "up", "trainable": False,
    }  # fmt: skip
    again = Scaled.from_config(config)
    assert again.get_config() == config
    assert Scaled(2, old=5).factor == 5
    assert Louder(1).get_config() == {
        "factor": 1.0, "size": [1, 1], "loud": True, "name": None, "way": "up", "times": 2,
    }  # fmt: skip
    assert not hasattr(layer, "format")
    assert "factor" not in vars(Scaled)
    assert "loud" not in vars(Scaled)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"factor": -1}, ArgumentError, r"Scaled's factor has to be a number in \[0, inf\), got -1"),
        ({"factor": 1, "size": (1, 2, 3)}, ArgumentError, "Scaled's size is a whole number or two of them"),
        ({"factor": 1, "way": "left"}, ArgumentError, "unknown Scaled's way 'left'. Choose from: down, up"),
        ({"factor": 1, "format": "channels_first"}, ArgumentError, "Scaled takes images as"),
        ({"factor": 1, "dtype": "int8"}, ArgumentError, "Scaled: a layer computes in the type of its model"),
        ({"factor": 1, "name": "a/b"}, ArgumentError, "a layer's name is a word"),
        ({}, TypeError, "Scaled: missing a required argument: 'factor'"),
        ({"factor": 1, "lowd": 3}, TypeError, "Scaled has no argument 'lowd'; did you mean 'loud'?"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(given, error, words):
    with pytest.raises(error, match=words):
        Scaled(**given)


def test_positions_are_keras_s_and_no_more():
    assert Scaled(1, 2, True, None, "n").name == "n"
    with pytest.raises(TypeError, match="Scaled: too many positional arguments"):
        Scaled(1, 2, True, None, "n", "up")


class Forgetful(layers.Layer):
    """One without the decorator."""

    units: kinds.Count
    pool: kinds.Count = 2


@pytest.mark.parametrize("given", [((2,), {}), ((2, 3), {}), ((), {"pool": 3})], ids=str)
def test_a_forgotten_decorator_is_told(given):
    with pytest.raises(TypeError, match="if units and pool of Forgetful are arguments, the class needs @arguments"):
        Forgetful(*given[0], **given[1])
    assert Forgetful().name is None


class Guarded(layers.Layer):
    def __init__(self, k):
        super().__init__()
        if k < 0:
            raise ArgumentError("k is negative")


class Noted(Guarded):
    """Its attributes are no arguments: its constructor is another's."""

    w: int


class Constant(layers.Layer):
    """Nor are these."""

    times: "ClassVar[int]" = 3
    _made: bool


def test_other_errors_are_told_as_they_are():
    with pytest.raises(ArgumentError, match=r"^k is negative$"):
        Noted(-1)
    with pytest.raises(ArgumentError, match=r"a/b.*[^@]$") as told:
        Constant(name="a/b")
    assert "@arguments" not in str(told.value)


@arguments
class Nameless(layers.Layer):
    """One that declares nothing that every layer takes."""

    units: kinds.Count


def test_what_every_layer_takes_need_not_be_declared(tmp_path):
    layer = Nameless(3, name="n", trainable=False)
    assert (layer.name, layer.trainable) == ("n", False)
    assert list(inspect.signature(Nameless).parameters.values())[-1].kind is inspect.Parameter.KEYWORD_ONLY
    again = Nameless.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


class Chosen(layers.Dense):
    """A constructor of its own, which chooses some of Dense's arguments."""

    def __init__(self, units, name=None):
        super().__init__(units, activation="relu", use_bias=False, name=name)
        self.made = getattr(self, "made", 0) + 1


@arguments
class Further(Chosen):
    extra: int = 1

    def __post_init__(self):
        self.looked = getattr(self, "looked", 0) + 1


def test_a_constructor_in_between_keeps_what_it_chose():
    layer = Further(units=3, extra=5)
    assert (layer.activation.name, layer.use_bias, layer.extra) == ("relu", False, 5)
    assert layer.made == 1
    with pytest.raises(TypeError, match="units"):
        Further(5)


@pytest.mark.parametrize(
    ("written", "start", "said"),
    [
        ({"sizes": list}, {"sizes": []}, "Own's sizes: all would share this default"),
        ({"sizes": list}, {"sizes": field(default_factory=list)}, "Own's sizes: all would share this default"),
        ({"a": int, "b": int}, {"a": 1}, "Own: non-default argument"),
        ({"a": "Nowhere"}, {}, "Own's a: name 'Nowhere' is not defined in .*, where the type"),
    ],
)
def test_a_declaration_that_can_t_be_meant_is_refused(written, start, said):
    with pytest.raises(ArgumentError, match=said):
        arguments(type("Own", (), {"__annotations__": written, "__module__": __name__, **start}))


def test_a_constant_may_name_what_only_type_checkers_import():
    made = arguments(type("Own", (), {"__annotations__": {"a": "ClassVar[Nowhere]"}, "__module__": __name__}))
    assert list(inspect.signature(made).parameters) == []


def test_an_alias_is_looked_up_again():
    """As where a cell of a notebook is run again."""
    for most in (3, 5):
        globals()["Alias"] = Annotated[int, Checked(lambda what, value, most=most: min(value, most))]
        made = arguments(type("Own", (), {"__annotations__": {"n": "Alias"}, "__module__": __name__}))
        assert made(9).n == most


class Wrapped(layers.Dense):
    """Keras's way to derive from a layer: a constructor and a get_config of one's own."""

    def __init__(self, units, factor=2.0, **kwargs):
        super().__init__(units, **kwargs)
        self.factor = factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_a_constructor_of_one_s_own_goes_on_working(tmp_path):
    layer = Wrapped(3, 4.0, activation="relu", input_shape=(2,), name="w")
    model = Sequential([layer, Scaled(2.0)])
    model.build()
    assert layer.get_config() == layers.Dense(3, "relu", name="w").get_config() | {"factor": 4.0}
    model.save(tmp_path / "m.safetensors")
    held = {"Wrapped": Wrapped, "Scaled": Scaled}
    again = thalweg.load_model(tmp_path / "m.safetensors", custom_objects=held)
    assert [type(one) for one in again.layers] == [Wrapped, Scaled]
    assert again.layers[0].factor == 4.0
    assert (again.predict([[1.0, -2.0]]) == model.predict([[1.0, -2.0]])).all()


@pytest.mark.parametrize("kind", layers.CLASSES.values(), ids=layers.CLASSES)
def test_no_layer_writes_its_arguments_twice(kind):
    """A constructor stands in no class of thalweg's but in those that aren't described by their arguments."""
    assert not inspect.signature(kind).parameters.keys() - {"name"} or "declared_arguments" in dir(kind)
    own = [c for c in kind.__mro__ if "__init__" in vars(c) and "declared_arguments" not in vars(c)]
    assert own == [layers.Layer, object]


def test_what_declares_nothing_has_no_configuration():
    assert configuration(object()) == {}


USED = """
from typing import Annotated, Sequence
from thalweg.support.arguments import Checked, Taken, arguments, default

Pair = Annotated[Taken[int | Sequence[int], tuple[int, int]], Checked(lambda what, value: value)]

class Layer:
    def __init__(self, name: str | None = None) -> None: ...

@arguments
class Conv(Layer):
    filters: Annotated[int, Checked(lambda what, value: value)]
    size: Pair
    strides: Pair = default((1, 1))
    name: str | None = None

class Own(Layer):
    weight: int

reveal_type(Conv(3, 2, strides=2).strides)
Own(name="own")
Conv("3", 2)
Conv(3, 2, strides="ab")
Conv(3, 2, colour=1)
Conv()
"""


def test_a_type_checker_sees_the_declaration(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "used.py").write_text(USED, encoding="utf-8")
    for name in ("__init__", "errors", "support/__init__", "support/arguments"):  # alone, which takes less time
        copy, text = tmp_path / "thalweg" / f"{name}.py", (ROOT / f"{name}.py").read_text(encoding="utf-8")
        copy.parent.mkdir(exist_ok=True)
        copy.write_text("" if "__init__" in name else text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "used.py"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500).stdout
    for line in (
        'used.py:20: note: Revealed type is "tuple[int, int]"',
        'used.py:22: error: Argument 1 to "Conv" has incompatible type "str"; expected "int"',
        'used.py:23: error: Argument "strides" to "Conv" has incompatible type "str"; expected "int | Sequence[int]"',
        'used.py:24: error: Unexpected keyword argument "colour" for "Conv"',
        'used.py:25: error: Missing positional arguments "filters", "size" in call to "Conv"',
    ):
        assert line in found, found
    assert "Found 4 errors" in found


@arguments
class Wide:
    width: int
    rounded: bool = False
    name: str = ""


@arguments
class Coloured(Wide):
    colour: Annotated[str, Before("rounded")] = "red"


@arguments
class Framed(Coloured):
    rounded: bool = True
    frame: Annotated[int, Before("colour")] = 1


def test_an_argument_may_stand_before_one_of_a_base_s():
    assert list(inspect.signature(Coloured).parameters) == ["width", "colour", "rounded", "name"]
    assert list(inspect.signature(Framed).parameters) == ["width", "frame", "colour", "rounded", "name"]
    thing = Framed(1, 2, "blue", False, "x")
    assert configuration(thing) == {"width": 1, "frame": 2, "colour": "blue", "rounded": False, "name": "x"}
