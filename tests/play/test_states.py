"""States that come from outside: everything is checked, refused in one sentence, and the page lives on."""

import json

import pytest

from thalweg.errors import ThalwegError
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.requests.page_state import DATA, LAYERS, State
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.requests.typed_formulas import modest
from thalweg.play.training.journey import Course

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
    "an unknown optimizer": {"optimizer": "adamm"},
    "an optimizer's unknown argument": {"optimizer": {"name": "sgd", "momentun": 0.9}},
    "an optimizer's wrong argument": {"optimizer": {"name": "sgd", "momentum": 1e9}},
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
    with pytest.raises(ThalwegError) as error:
        Course(State.of(given), Uploads())
    message = str(error.value)
    assert 10 < len(message) < 1200
    assert "Traceback" not in message


def test_what_is_wrong_is_named():
    with pytest.raises(ThalwegError, match=r"layer 2\.units has to be a whole number from 1 to 256, got 1000000000"):
        State.of({"layers": [{}, {"units": 10**9}]})
    with pytest.raises(ThalwegError, match="did you mean 'relu'"):
        Course(State.of({"layers": [{"activation": "rleu"}]}), Uploads())
    with pytest.raises(ThalwegError, match="number from 1e-12 to 1e\\+06, got nan"):
        State.of({"learning_rate": NAN})
    for data in ({"name": "xor", "rows": 2, "share": 0.8}, {"name": "given", "x": [[1]], "y": [1], "share": 0.8}):
        with pytest.raises(ThalwegError, match="all rows are held out to validate on"):
            Course(State.of({"data": data}), Uploads())


def test_a_refused_state_leaves_the_network_as_it_was(page):
    page.until(lambda f: f.get("reset"))
    page.say("play")
    before = page.until(lambda f: f.get("epoch", 0) > 5)["epoch"]
    for given in list(WRONG.values())[:40:3]:
        page.say("state", state=given)  # NaN among them, which is no JSON
        error = page.until(lambda f: "error" in f)
        assert error["error"]["zh"]
        assert error["epoch"] >= before
    assert not any(f.get("reset") for f in page.frames[3:])


def test_what_the_page_no_longer_shows_is_not_trained(page):
    """A wrong formula, then a table, then Play: the network is still that of the data before."""
    page.until(lambda f: f.get("reset"))
    table = page.upload(b"a,b,y\n" + b"1,2,3\n2,3,5\n4,4,8\n5,1,6\n" * 10)[1]["table"]
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
    status, answer = page.ask("python")
    assert status == 400
    assert json.loads(answer)["error"] == told
    page.set({"data": wrong["data"]})
    page.say("play")
    assert page.until(lambda f: f.get("epoch", 0) > 2)["status"] == "playing"
    assert page.ask("python")[0] == 200


POWERS = ("x**x**x**x", "x**x**x**x**x**x**x", "2**x**2**x**2**x", "x**(x+1)*x**(x+2)*x**(x+3)", "2**-x**x*x**x")


@pytest.mark.parametrize("text", POWERS)
def test_powers_of_variables_count(text):
    with pytest.raises(RefusedError, match="counts as 3 functions"):
        modest(text)


@pytest.mark.parametrize("text", ["x**x", "2**x", "x**2*x**-0.5", "x**x+2**x", "-x**-2", "x**x**x"])
def test_a_few_powers_are_modest(text):
    assert modest(text) == text


def test_defaults_are_filled_in_and_a_state_survives_json():
    state = State.of({"data": {"name": "moons"}, "layers": [{"activation": "x*sigmoid(x)"}]})
    full = state.to_json()
    assert full["data"]["rows"] == 400
    assert full["layers"][0]["units"] == 8
    assert State.of(json.loads(json.dumps(full))) == state


@pytest.mark.parametrize("name", [n for n in DATA if n != "table"])
def test_every_data_set_can_be_learned(name):
    course = Course(State.of({"data": {"name": name}}), Uploads())
    exercise = course.network.exercise
    assert len(exercise.x) == len(exercise.y) >= 2
    course.run(200)
    assert course.last["loss"] < course.initial["loss"]


@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_can_be_used(kind):
    read = kind in ("embedding", "recurrent", "attention", "average")
    data = {"name": "text"} if read else {"name": "digits", "rows": 200}
    first = [] if read else [{"kind": "conv2d", "filters": 2}]
    layers = [*first, {"kind": kind}, {"kind": "dense", "units": 8}]
    course = Course(State.of({"data": data, "layers": layers}), Uploads())
    course.run(50)
    assert course.last["loss"] < course.initial["loss"]


def test_every_name_that_the_page_offers_works(page):
    """A menu's entry, alone, is a state that can be."""
    choices = page.hello["choices"]
    states = [{"layers": [{"activation": a["name"]}]} for a in choices["activations"]]
    states += [{"optimizer": name} for name in choices["optimizers"]]
    states += [{"schedule": name} for name in choices["schedules"]]
    states += [{"initializer": name} for name in choices["initializers"] if name != "identity"]
    states += [{"inputs": [name]} for name in choices["inputs"]]
    for given in states:
        Course(State.of(given), Uploads())
    refused = []
    for loss in choices["losses"]:
        tasks = ({"name": "plane"}, {"name": "moons"}, {"name": "spiral", "classes": 3})
        for data in tasks:
            try:
                Course(State.of({"loss": loss, "data": data}), Uploads())
                break
            except ThalwegError:
                continue
        else:
            refused.append(loss)
    assert not refused
