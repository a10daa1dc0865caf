"""A notebook that fits: the saved file keeps a static picture, outputs are few, nothing is cleared, Stop stops."""

import re
import signal
import threading
import xml.etree.ElementTree as ElementTree

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("anywidget")

SETUP = """
import numpy as np
from thalweg import Sequential, callbacks
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD
random = np.random.default_rng(0)
x = random.normal(size=(2000, 6))
y = (x[:, 0] * x[:, 1] > 0).astype(int)
def made():
    model = Sequential([Input((6,)), Dense(32, "relu"), Dense(32, "relu"), Dense(2, "softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
model = made()
print(model.fit(x[:64], y[:64], epochs=1, verbose=0).epoch)
"""
LONG = "until = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: __import__('time').sleep(0.02))\n"


class Client(nbclient.NotebookClient):
    """Notes the kind of every message."""

    def process_message(self, msg, cell, cell_index):
        kind = msg["header"]["msg_type"]
        self.heard.append(
            (cell_index, kind if kind != "comm_msg" else f"comm_msg {msg['content']['data'].get('method')}")
        )
        return super().process_message(msg, cell, cell_index)


def executed(tmp_path, *sources, stop=None):
    """The cells after they were executed, the saved file read back, and the messages of each."""
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *sources)]
    client = Client(nbformat.v4.new_notebook(cells=cells), timeout=90, allow_errors=True, kernel_name="python3")
    client.heard = []
    timer = None
    if stop is not None:

        def interrupt():
            if not any(index == stop and kind == "comm_open" for index, kind in client.heard):
                threading.Timer(0.2, interrupt).start()
                return
            threading.Timer(1.0, lambda: client.km.provisioner.process.send_signal(signal.SIGINT)).start()

        timer = threading.Timer(0.5, interrupt)
        timer.start()
    client.execute()
    if timer is not None:
        timer.cancel()
    nbformat.write(client.nb, tmp_path / "saved.ipynb")
    saved = nbformat.read(tmp_path / "saved.ipynb", as_version=4)
    nbformat.validate(saved)
    return saved.cells[1:], [[kind for index, kind in client.heard if index == n] for n in range(1, len(cells))]


def pictures(cell):
    return [o for o in cell.outputs if "image/svg+xml" in o.get("data", {})]


def test_a_fit_leaves_one_picture_and_sends_frames(tmp_path):
    (cell, again), (heard, _) = executed(
        tmp_path, LONG + "h = model.fit(x, y, epochs=100, validation_split=0.2, callbacks=[until], record=True)", "h"
    )
    assert [o.output_type for o in cell.outputs] == ["display_data"]
    (picture,) = pictures(cell)
    assert "application/vnd.jupyter.widget-view+json" not in picture.data
    root = ElementTree.fromstring(picture.data["image/svg+xml"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "val_accuracy" in root.get("aria-label")
    assert "step / weight" in root.get("aria-label")  # inside the layers, as it was recorded
    assert picture.data["text/plain"].startswith("epoch 100: loss")
    assert "clear_output" not in heard
    assert heard.count("comm_msg update") >= 3
    assert heard.count("display_data") == heard.count("update_display_data") == 1
    assert "comm_close" in heard
    (shown,) = again.outputs
    assert "<svg" in shown.data["text/html"]


def test_short_fits_loops_and_other_outputs(tmp_path):
    cells, heard = executed(
        tmp_path,
        "model.fit(x, y, epochs=3);",
        "h = model.fit(x, y, epochs=1)",
        "for _ in range(20): model.fit(x[:64], y[:64], epochs=2)",
        "model.fit(x, y, epochs=2, verbose=2); model.fit(x, y, epochs=2, verbose=0);",
        "model.fit(x, y, epochs=3)",
        "import thalweg.views.notebook.live as live\nlive.find_spec = lambda name: None\nmodel.fit(x, y, epochs=2);",
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    model.fit(x, y, epochs=2)\nprint(out.getvalue())",
    )
    short, single, loop, asked, returned, without, redirected = cells
    assert len(pictures(short)) == len(short.outputs) == 1
    assert "comm_open" not in heard[0]  # over before a widget would have been seen
    assert [o.output_type for o in single.outputs] == ["stream"]
    assert single.outputs[0].text.startswith("epoch 1/1  loss")
    assert len(pictures(loop)) == 12
    assert sum(o.text.count("epoch 2/2") for o in loop.outputs if o.output_type == "stream") == 8
    assert not pictures(asked)
    assert "".join(o.text for o in asked.outputs).count("epoch") == 2
    assert len(pictures(returned)) == 1
    (result,) = [o for o in returned.outputs if o.output_type == "execute_result"]
    assert "<svg" not in result.data["text/html"]  # one picture is enough
    assert "epoch 3: loss" in result.data["text/html"]
    assert "".join(o.text for o in without.outputs).startswith("epoch 1/2  loss")
    assert "epoch 2/2  loss" in "".join(o.text for o in redirected.outputs)


def test_stop_leaves_the_picture_and_the_model(tmp_path):
    (cell, after), _ = executed(
        tmp_path, LONG + "model.fit(x, y, epochs=100_000, callbacks=[until])", "model.history.interrupted", stop=1
    )
    (picture,) = pictures(cell)
    assert "interrupted" in picture.data["image/svg+xml"]
    epoch = int(re.match(r"epoch (\d+): .*, interrupted$", picture.data["text/plain"])[1])
    assert 2 <= epoch < 100_000
    assert cell.outputs[-1].ename == "KeyboardInterrupt"
    assert after.outputs[0].data["text/plain"] == "True"


def test_a_fit_that_fails_says_so(tmp_path):
    (cell,), _ = executed(
        tmp_path,
        "model.compile(SGD(1e30), 'sparse_categorical_crossentropy')\n"
        "stop = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epoch == 4 and 1 / 0)\n"
        "model.compile('sgd', 'sparse_categorical_crossentropy')\nmodel.fit(x, y, epochs=10, callbacks=[stop])",
    )
    (picture,) = pictures(cell)
    assert picture.data["text/plain"].endswith("stopped by an error")
    assert cell.outputs[-1].ename == "ZeroDivisionError"
