"""What an exported network weighs and how fast it is: python -m benchmarks.exports

Some networks in every form, beside thalweg itself: the size of the files, one row and a thousand rows, in microseconds.
A form is only timed if its answers agree with thalweg's to 1e-5. C is compiled by `gcc -O2`; JavaScript runs in Node.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import runpy
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from thalweg import Input, Sequential, layers
from thalweg.support.printing import lasting_streams

ROWS, ROUNDS = 1000, 7
SECONDS = 0.05  # of a round, at least
Answer = Callable[..., Any]
NODE = """
const fs = require("fs");
const call = new Function(fs.readFileSync(process.argv[1], "utf8") + "; return CALL;")();
const rows = JSON.parse(fs.readFileSync(0, "utf8"));
const answers = rows.map((row) => [call(row)].flatMap((answer) => (answer.length ? Array.from(answer) : answer)));
const times = [];
for (let round = 0; round < ROUNDS; round++) {
    const begin = process.hrtime.bigint();
    let count = 0;
    while (Number(process.hrtime.bigint() - begin) < SECONDS * 1e9) call(rows[count++ % rows.length]);
    times.push(Number(process.hrtime.bigint() - begin) / 1e3 / count);
}
console.log(JSON.stringify([answers, times.sort((a, b) => a - b)[ROUNDS >> 1]]));
"""
NETWORKS: dict[str, tuple[tuple[int, ...], list[Any]]] = {
    "30-64-64-3": ((30,), [layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(3, "softmax")]),
    "784-128-10": ((784,), [layers.Dense(128, "relu"), layers.Dense(10, "softmax")]),
    "convnet on 28×28": (
        (28, 28, 1),
        [
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ],
    ),
}


def microseconds(predict: Answer, rows: Any, **options: Any) -> float:
    """The median time of a prediction over some rounds."""
    predict(rows, **options)
    times = []
    for _ in range(ROUNDS):
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < SECONDS:
            predict(rows, **options)
            count += 1
        times.append((time.perf_counter() - begin) / count * 1e6)
    return statistics.median(times)


def of_numpy(folder: Path, x: Any) -> Answer:
    predict: Answer = runpy.run_path(str(folder / "net.py"))["predict"]
    return predict


def of_onnx(folder: Path, x: Any) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"), options)
    name = session.get_inputs()[0].name
    return lambda rows: session.run(None, {name: rows})[0]


def of_c(folder: Path, x: Any) -> Answer:
    command = ["gcc", "-std=c99", "-O2", "-shared", "-fPIC", "net.c", "-o", "net.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    function = ctypes.CDLL(str(folder / "net.so")).net_predict_rows
    width = int(np.prod(x.shape[1:]))
    answers = np.zeros((len(x), OUTPUTS[x.shape[1:]]), np.float32)

    def predict(rows: Any) -> Any:
        assert rows.size == len(rows) * width
        pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (rows, answers))
        function(*pointers, ctypes.c_size_t(len(rows)))
        return answers[: len(rows)]

    return predict


def of_torch(folder: Path, x: Any) -> Answer:
    import torch

    torch.set_num_threads(1)
    model = runpy.run_path(str(folder / "net.py"))["Network"].load(folder / "net.safetensors")

    def predict(rows: Any) -> Any:
        with torch.no_grad():
            return model(torch.from_numpy(rows)).numpy()

    return predict


OUTPUTS = {(30,): 3, (784,): 10, (28, 28, 1): 10}
FORMS = {  # name: (file, what it needs, what calls it)
    "numpy": ("net.py", "numpy", of_numpy),
    "onnx": ("net.onnx", "onnxruntime", of_onnx),
    "c": ("net.c", "gcc", of_c),
    "torch": ("net.py", "torch", of_torch),
}


def there(name: str) -> bool:
    """Whether a program or a package is installed."""
    return shutil.which(name) is not None or importlib.util.find_spec(name) is not None


def in_node(path: Path, function: str, rows: list[Any]) -> tuple[Any, float]:
    """The answers of a function of a JavaScript file, and its time for one row."""
    code = NODE.replace("CALL", function).replace("ROUNDS", str(ROUNDS)).replace("SECONDS", str(SECONDS))
    command = ["node", "-e", code, str(path)]
    done = subprocess.run(command, input=json.dumps(rows), check=True, capture_output=True, text=True)
    answers, one = json.loads(done.stdout)
    return np.array(answers), one


def main() -> None:
    print(f"{'':18} {'form':12} {'kB':>8} {'one row':>10} {'of 1,000':>10}   µs a row; one thread")
    for name, (shape, parts) in NETWORKS.items():
        model = Sequential([Input(shape), *parts], seed=0)
        model.compile("sgd", "mse")
        x = np.random.default_rng(0).normal(size=(ROWS, *shape)).astype(np.float32)
        one, want = x[:1].copy(), model.predict(x, verbose=0)
        times = microseconds(model.predict, one), microseconds(model.predict, x, lanes=1) / ROWS
        print(f"{name:18} {'thalweg':12} {'':8} {times[0]:10.2f} {times[1]:10.2f}")
        for form, (file, needed, made) in FORMS.items():
            if not there(needed):
                print(f"{'':18} {form:12} {needed} isn't installed")
                continue
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                model.export(folder / file, form)
                size = sum(path.stat().st_size for path in folder.iterdir())
                predict = made(folder, x)
                assert np.abs(predict(x) - want).max() < 1e-5, form
                times = microseconds(predict, one), microseconds(predict, x) / ROWS
                print(f"{'':18} {form:12} {size / 1e3:8.0f} {times[0]:10.2f} {times[1]:10.2f}")
        if there("node"):
            with tempfile.TemporaryDirectory() as place:
                model.export(path := Path(place) / "net.js")
                answers, each = in_node(path, "predict", x.reshape(len(x), -1).tolist())
                assert np.abs(answers - want).max() < 1e-5
                size = path.stat().st_size
                print(f"{'':18} {'javascript':12} {size / 1e3:8.0f} {each:10.2f} {'':>10}")


if __name__ == "__main__":
    with lasting_streams(ends=True), threadpool_limits(1):  # NumPy's products
        main()
