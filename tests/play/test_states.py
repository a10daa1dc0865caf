"""States that come from outside: everything is checked, refused in one sentence, and the page lives on."""

import re
import time

import pytest
from node_page import Course, PageError, host

from thalweg.play.page_state import DATA, LAYERS

NAN, INF = float("nan"), float("inf")
HUGE = 10**400

WRONG = {
    "another type": [1, 2],
    "an unknown key": {"learning_rat": 0.1},
    "an unknown data set": {"data": {"name": "swiss roll"}},
    "an option of another data set": {"data": {"name": "moons", "classes": 3}},
    "no rows": {"data": {"rows": 0}},
    "too many rows": {"data": {"rows": 10**9}},
    "a fraction of a row": {"data": {"rows": 10.5}},
    "rows as text": {"data": {"rows": "100"}},
    "rows as truth": {"data": {"rows": True}},
    "NaN noise": {"data": {"noise": NAN}},
    "infinite noise": {"data": {"noise": INF}},
    "a share of all": {"data": {"share": 1.0}},
    "a huge seed": {"data": {"seed": HUGE}},
    "too many classes": {"data": {"name": "blobs", "classes": 100}},
    "a data set as text": {"data": "moons"},
    "an unknown input": {"inputs": ["x0", "x7"]},
    "inputs as text": {"inputs": "x0"},
    "a huge layer": {"layers": [{"units": 10**9}]},
    "a huge float of units": {"layers": [{"units": 1e308}]},
    "no units": {"layers": [{"units": 0}]},
    "too many layers": {"layers": [{"units": 2}] * 13},
    "layers as an object": {"layers": {"0": {}}},
    "an unknown layer": {"layers": [{"kind": "transformer"}]},
    "an unknown option of a layer": {"layers": [{"neurons": 3}]},
    "an unknown activation": {"layers": [{"activation": "rleu"}]},
    "a broken formula": {"layers": [{"activation": "x if"}]},
    "code as a formula": {"layers": [{"activation": "__import__('os').system('true')"}]},
    "an attribute in a formula": {"layers": [{"activation": "x.__class__"}]},
    "a formula that grows": {"layers": [{"activation": "9**9**9**9"}]},
    "a deep formula": {"layers": [{"activation": "exp(" * 60 + "x" + ")" * 60}]},
    "a formula that takes long": {"layers": [{"activation": "tanh(" * 38 + "x" + ")" * 38}]},
    "a formula that doubles": {"layers": [{"activation": "tan(" * 60 + "x" + ")" * 60}]},
    "large powers": {"layers": [{"activation": "(x+1)**64*(x+2)**64*(x+3)**64"}]},
    "large conditions": {"loss": "y_pred if y_true > 0 else " * 10 + "0"},
    "a loss that takes long": {"loss": "log(1+exp(log(1+exp(y_pred - y_true))))"},
    "a long formula": {"layers": [{"activation": "x+" * 10_000 + "x"}]},
    "a formula of another name": {"layers": [{"activation": "y+1"}]},
    "an activation with arguments": {"layers": [{"activation": "threshold"}]},
    "an activation as a number": {"layers": [{"activation": 3}]},
    "a convolution of points": {"layers": [{"kind": "conv2d"}]},
    "pooling of points": {"layers": [{"kind": "max_pool"}]},
    "pooling away all": {"data": {"name": "digits"}, "layers": [{"kind": "max_pool", "pool_size": 8}] * 2},
    "a kernel larger than its image": {
        "data": {"name": "digits"},
        "layers": [{"kind": "conv2d", "kernel_size": 7, "padding": "valid"}] * 2,
    },
    "a convolution after dense": {"data": {"name": "digits"}, "layers": [{"units": 3}, {"kind": "conv2d"}]},
    "a dropout of all": {"layers": [{"kind": "dropout", "rate": 1.0}]},
    "no weights at all": {"layers": [{"kind": "dropout"}], "output": None},
    "an output that doesn't fit": {"data": {"name": "plane"}, "layers": [{"units": 3}], "output": None},
    "weights of another shape": {"layers": [{"units": 3, "weights": [[1, 2], [3, 4]]}]},
    "weights of uneven rows": {"layers": [{"units": 3, "weights": [[1, 2, 3], [4]]}]},
    "weights that nest": {"layers": [{"units": 3, "weights": [[[[[[1]]]]]]}]},
    "weights of text": {"layers": [{"units": 3, "weights": [["a", "b", "c"], [1, 2, 3]]}]},
    "NaN among weights": {"layers": [{"units": 1, "weights": [[NAN], [1]]}]},
    "biases without a bias": {"output": {"use_bias": False, "bias": [1.0]}},
    "an unknown initializer": {"initializer": "lucky"},
    "an initializer from a file": {"initializer": {"name": "from_file", "path": "/etc/passwd"}},
    "an initializer's unknown argument": {"initializer": {"name": "constant", "valu": 1}},
    "an initializer's wrong argument": {"initializer": {"name": "random_normal", "stddev": [1, 2]}},
    "an initializer without a name": {"initializer": {"value": 1}},
    "an unknown loss": {"loss": "mse2"},
    "a broken loss": {"loss": "(y_pred - y_true"},
    "a loss of other names": {"loss": "(a - b)**2"},
    "a loss as a list": {"loss": ["mse"]},
    "a loss for other targets": {"data": {"name": "plane"}, "loss": "sparse_categorical_crossentropy"},
    "probabilities that aren't any": {"data": {"name": "plane"}, "loss": "binary_crossentropy"},
    "too few outputs": {
        "data": {"name": "given", "x": [[0], [1], [2]], "y": [0, 1, 2], "task": "classes"},
        "layers": [{"units": 2}],
        "output": None,
    },
    "an unknown optimizer": {"optimizer": "adamm"},
    "an optimizer's unknown argument": {"optimizer": {"name": "sgd", "momentun": 0.9}},
    "an optimizer's wrong argument": {"optimizer": {"name": "sgd", "momentum": 1e9}},
    "a decay of all": {"optimizer": {"name": "adam", "beta_2": 1}},
    "an optimizer's argument of none": {"optimizer": {"name": "rmsprop", "rho": None}},
    "an optimizer's second learning rate": {"optimizer": {"name": "sgd", "learning_rate": 1}},
    "an optimizer that takes ages": {"optimizer": {"name": "muon", "ns_steps": 10**9}},
    "an optimizer's text": {"optimizer": {"name": "sgd", "momentum": "much"}},
    "a learning rate of 0": {"learning_rate": 0},
    "a negative learning rate": {"learning_rate": -1},
    "a NaN learning rate": {"learning_rate": NAN},
    "an infinite learning rate": {"learning_rate": INF},
    "a huge learning rate": {"learning_rate": HUGE},
    "a learning rate as text": {"learning_rate": "0.1"},
    "an unknown schedule": {"schedule": "cosin"},
    "a schedule of no steps": {"schedule": {"name": "cosine_decay", "decay_steps": 0}},
    "a schedule's unknown argument": {"schedule": {"name": "cosine_decay", "decay": 0}},
    "a batch of 0": {"batch": 0},
    "a batch of 10^9": {"batch": 10**9},
    "a negative penalty": {"l2": -1},
    "an infinite penalty": {"l1": INF},
    "a dropout of 1": {"dropout": 1},
    "a negative seed": {"seed": -1},
    "shuffle as a number": {"shuffle": 1},
    "rows of uneven length": {"data": {"name": "given", "x": [[1, 2], [3]], "y": [1, 2]}},
    "rows without targets": {"data": {"name": "given", "x": [[1], [2]], "y": [1]}},
    "no rows given": {"data": {"name": "given", "x": [], "y": []}},
    "rows of text": {"data": {"name": "given", "x": [["a"]], "y": [1]}},
    "rows as null": {"data": {"name": "given", "x": None, "y": None}},
    "classes with gaps": {"data": {"name": "given", "x": [[1], [2]], "y": [0, 2], "task": "classes"}},
    "one class": {"data": {"name": "given", "x": [[1], [2]], "y": [0, 0], "task": "classes"}},
    "too few names": {"data": {"name": "given", "x": [[1, 2]], "y": [1], "names": ["a"]}},
    "a table that isn't here": {"data": {"name": "table", "source": "../../etc/passwd"}},
    "a digit that isn't one": {"data": {"name": "digits", "digits": [0, 10]}},
    "one digit": {"data": {"name": "digits", "digits": [3]}},
    "a list that nests": {"data": {"name": "given", "x": "$deep", "y": [1]}},
    "a name that nests": {"loss": "$deep"},
    "a kernel too large": {"data": {"name": "edges", "kernel": [[1] * 9] * 9}},
    "a network too large": {"layers": [{"units": 256}] * 12},
    "a step too large": {
        "data": {"name": "digits"},
        "layers": [{"kind": "conv2d", "filters": 16, "kernel_size": 7}] * 3,
        "batch": 1797,
    },
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_a_wrong_state_is_refused_in_one_sentence(given):
    host()
    begin = time.monotonic()
    with pytest.raises(PageError) as error:
        Course(given)
    assert time.monotonic() - begin < 5
    told = error.value.text
    assert set(told) == {"en", "zh"}
    assert all(10 < len(sentence) < 1200 for sentence in told.values())
    assert re.search("[一-鿿]", told["zh"])
    assert not re.search(r"undefined|\[object|[{]\w+[}]|call stack", str(told))


def refused(given, why):
    with pytest.raises(PageError, match=why):
        Course(given)


def test_what_is_wrong_is_named():
    refused(
        {"layers": [{}, {"units": 10**9}]}, r"layer 2\.units has to be a whole number from 1 to 256, got 1000000000"
    )
    refused({"layers": [{"activation": "rleu"}]}, "unknown activation 'rleu'.*, relu, ")
    refused({"learning_rate": NAN}, "number from 1e-12 to 1e\\+06, got nan")
    refused(WRONG["an optimizer's wrong argument"], r"momentum has to be a number in \[0, 1\), got 1000000000")
    refused(WRONG["a loss for other targets"], "labels have to be whole numbers from 0 to 0 .* 1 outputs, got ")
    refused(WRONG["too few outputs"], "labels have to be whole numbers from 0 to 1 .* 2 outputs, got 2")
    refused(WRONG["probabilities that aren't any"], "binary_crossentropy have to be between 0 and 1.*, got ")
    for data in ({"name": "xor", "rows": 2, "share": 0.8}, {"name": "given", "x": [[1]], "y": [1], "share": 0.8}):
        refused({"data": data}, "all rows are held out to validate on")


def test_a_refused_state_leaves_the_network_as_it_was(page):
    page.until(lambda f: f.get("reset"))
    page.say("play")
    before = page.until(lambda f: f.get("epoch", 0) > 5)["epoch"]
    for serial, given in enumerate(WRONG.values(), start=1):
        page.say("state", state=given, serial=serial)
        error = page.until(lambda f, serial=serial: f["serial"] == serial and "error" in f)
        assert error["error"]["zh"]
        assert error["epoch"] >= before
    assert not any(f.get("reset") for f in page.frames[3:])
    page.set({"learning_rate": 0.02})
    page.say("play")
    assert page.until(lambda f: f["epoch"] > error["epoch"] + 3)["status"] == "playing"


def test_what_the_page_no_longer_shows_is_not_trained(page):
    """A wrong formula, then a table, then Play: the network is still that of the data before."""
    page.until(lambda f: f.get("reset"))
    table = page.upload(b"a,b,y\n" + b"1,2,3\n2,3,5\n4,4,8\n5,1,6\n" * 10)["table"]
    wrong = {"layers": [{"activation": "x if"}]}
    page.say("play")
    page.until(lambda f: f.get("epoch", 0) > 2)
    page.say("state", state=wrong)
    refused = page.until(lambda f: "error" in f)
    assert refused["status"] == "paused"
    wrong["data"] = {"name": "table", "source": table["id"], "target": "y"}
    page.say("state", state=wrong)
    told = page.until(lambda f: "error" in f)["error"]
    for what in ("play", "step", "epoch", "reset"):
        page.say(what)
        frame = page.until(lambda f: "error" in f)
        assert frame["error"] == told
        assert frame["status"] == "paused"
        assert frame["epoch"] == refused["epoch"]
    assert page.ask("python") == {"error": told}
    page.set({"data": wrong["data"]})
    page.say("play")
    assert page.until(lambda f: f.get("epoch", 0) > 2)["status"] == "playing"
    assert b"thalweg" in page.ask("python")["bytes"]


POWERS = ("x**x**x**x", "x**x**x**x**x**x**x", "2**x**2**x**2**x", "x**(x+1)*x**(x+2)*x**(x+3)", "2**-x**x*x**x")


@pytest.mark.parametrize("text", POWERS)
def test_powers_of_variables_count(text):
    refused({"layers": [{"activation": text}]}, "counts as 3 functions")
    loss = f"({text.replace('x', '(y_pred-y_true)')})**2"
    refused({"data": {"name": "plane"}, "loss": loss}, "counts as 3 functions")


@pytest.mark.parametrize(
    "text", ["x**x", "2**x", "x**2*x**-0.5", "x**x+2**x", "-x**-2", "x**x**x", "x*tanh(log(1+exp(x)))", "x**24"]
)
def test_a_few_powers_are_modest(text):
    assert Course({"layers": [{"activation": text}]}).do("facts")["layers"][0]["activation"] == text


@pytest.mark.parametrize("text", ["x**25", "tanh(tanh(tanh(tanh(x))))", "+".join(["sin(x)"] * 9), "+".join(["x"] * 42)])
def test_each_size_has_its_limit(text):
    refused({"layers": [{"activation": text}]}, "at most 8 functions, 3 within each other, .* to 24, and 40 operators")


def test_defaults_are_filled_in_and_a_state_is_its_own():
    state = Course({"data": {"name": "moons"}, "layers": [{"activation": "x*sigmoid(x)"}]}).state
    assert state["data"]["rows"] == 400
    assert state["layers"][0]["units"] == 8
    assert Course(state).state == state


@pytest.mark.parametrize("name", [n for n in DATA if n != "table"])
def test_every_data_set_can_be_learned(name):
    course = Course({"data": {"name": name}})
    rows, initial = course.rows(), course.loss
    assert rows.rows == len(rows.x) >= 2
    course.run(200)
    assert course.loss < initial


@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_can_be_used(kind):
    read = kind in ("embedding", "recurrent", "attention", "average")
    data = {"name": "text"} if read else {"name": "digits", "rows": 200}
    first = [] if read else [{"kind": "conv2d", "filters": 2}]
    layers = [*first, {"kind": kind}, {"kind": "dense", "units": 8}]
    course = Course({"data": data, "layers": layers})
    initial = course.loss
    course.run(50)
    assert course.loss < initial


def test_every_name_that_the_page_offers_works(page):
    """A menu's entry, alone, is a state that can be."""
    choices = page.hello["choices"]
    states = [{"layers": [{"activation": a["name"]}]} for a in choices["activations"]]
    states += [{"optimizer": name} for name in choices["optimizers"]]
    states += [{"optimizer": {"name": name, **given}} for name, given in choices["optimizers"].items()]
    states += [{"schedule": name} for name in choices["schedules"]]
    states += [{"initializer": name} for name in choices["initializers"] if name != "identity"]
    states += [{"inputs": [name]} for name in choices["inputs"]]
    for given in states:
        Course(given).run(1)
    assert not [loss for loss in choices["losses"] if not learnable(loss)]


def learnable(loss):
    """Whether there is a data set for it."""
    for data in ({"name": "plane"}, {"name": "moons"}, {"name": "spiral", "classes": 3}):
        try:
            Course({"loss": loss, "data": data}).run(1)
        except PageError:
            continue
        return True
    return False
