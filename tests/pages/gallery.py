"""A document with a figure of every kind, and what hostile data look like: `gallery.py FILE.html`."""

import itertools
import sys

import numpy as np

ATTACK = "<img src=x onerror=alert(1)>"
ENDING = "</script><script>alert(2)</script>"


def both(en, zh):
    return {"en": en, "zh": zh}


def gallery(language="en"):
    """The document: each section has figures of one family."""
    rng = np.random.default_rng(1)
    sections = [
        section("training", both("Training", "訓練"), curves(rng)),
        section("quality", both("Quality", "品質"), quality(rng)),
        section("network", both("The network", "網路"), network(rng)),
        section("landscape", both("The loss around the solution", "解附近的損失"), landscapes(rng)),
        section("pictures", both("Pictures", "影像"), pictures(rng)),
        section("step", both("One step", "一步"), [steps()]),
        section("words", both("Words and numbers", "文字與數字"), words()),
    ]
    return {"title": both("Gallery of figures", "圖庫"), "language": language, "sections": sections}


def section(name, title, figures):
    text = both("Every kind of figure, with data that are made up.", "每一種圖各一張，資料是虛構的。")
    return {"id": name, "title": title, "text": [text], "figures": figures}


def curves(rng):
    epochs = np.arange(1, 61)
    loss = 0.9 * np.exp(-epochs / 14) + 0.12 + 0.01 * rng.normal(size=60)
    held = 0.9 * np.exp(-epochs / 14) + 0.17 + 0.0000035 * epochs**3 / 8 + 0.015 * rng.normal(size=60)
    fpr = np.sort(np.concatenate([[0, 1], rng.uniform(size=40) ** 3]))
    counts = np.stack([np.histogram(rng.normal(0, 0.4 + 0.02 * t, 4000), 32, (-2, 2))[0] for t in range(24)])
    return [
        {
            "kind": "curves",
            "title": both("Loss by epoch", "每輪的損失"),
            "x": epochs,
            "x_label": both("epoch", "輪"),
            "y_label": both("cross-entropy", "交叉熵"),
            "note": both(
                "The lowest loss on rows held out was reached after epoch 41.", "保留列的損失在第 41 輪之後最低。"
            ),
            "series": [
                {"name": both("training", "訓練"), "y": loss},
                {"name": both("validation", "驗證"), "y": held, "dashed": True, "band": [held - 0.03, held + 0.03]},
            ],
            "marks": [{"x": 41, "text": both("best", "最佳")}],
        },
        {
            "kind": "curves",
            "title": both("Learning rate", "學習率"),
            "x": np.arange(1, 400),
            "x_label": both("step", "步"),
            "y_label": both("learning rate", "學習率"),
            "log_x": True,
            "log_y": True,
            "series": [{"name": both("learning rate", "學習率"), "y": 0.01 / (1 + np.arange(1, 400) / 20)}],
        },
        {
            "kind": "curves",
            "title": both("ROC", "ROC 曲線"),
            "x": fpr,
            "x_label": both("false positive rate", "偽陽性率"),
            "y_label": both("true positive rate", "真陽性率"),
            "series": [
                {"name": "penguins", "y": fpr**0.3},
                {"name": both("chance", "隨機"), "x": [0, 1], "y": [0, 1], "dashed": True, "faint": True},
            ],
        },
        {
            "kind": "histograms",
            "title": both("Weights of dense_1 over time", "dense_1 的權重隨時間的分布"),
            "counts": counts,
            "low": np.full(24, -2.0),
            "high": np.full(24, 2.0),
            "times": np.arange(24),
            "time_label": both("epoch", "輪"),
            "value_label": both("weight", "權重"),
        },
    ]


def quality(rng):
    names = ["Adelie", "Chinstrap", "Gentoo", ATTACK]
    confusion = np.array([[48, 2, 0, 1], [3, 20, 1, 0], [0, 0, 41, 0], [1, 0, 2, 9]])
    thresholds = np.linspace(0, 1, 101)
    yes, no = rng.beta(4, 2, 300), rng.beta(2, 4, 500)
    tp, fp = (yes[:, None] >= thresholds).sum(0), (no[:, None] >= thresholds).sum(0)
    centres = np.linspace(0.05, 0.95, 10)
    true = rng.uniform(20, 90, 400)
    blobs = rng.normal(size=(150, 2)) + np.repeat([[0, 0], [3, 1], [1, 3]], 50, 0)
    importance = np.sort(rng.exponential(0.05, 9))[::-1]
    columns = ["flipper_length_mm", "bill_depth_mm", "body_mass_g", "island", ATTACK, "sex", "year", "a" * 60, "bias"]
    correlation = np.corrcoef(rng.normal(size=(40, 60)) + rng.normal(size=60))
    return [
        {
            "kind": "matrix",
            "title": both("Confusion matrix", "混淆矩陣"),
            "values": confusion,
            "rows": names,
            "columns": names,
            "row_label": both("true", "實際"),
            "column_label": both("predicted", "預測"),
            "normalise": True,
        },
        {
            "kind": "thresholds",
            "title": both("What a threshold does", "門檻的作用"),
            "thresholds": thresholds,
            "tp": tp,
            "fp": fp,
            "fn": 300 - tp,
            "tn": 500 - fp,
        },
        {
            "kind": "calibration",
            "title": both("Calibration", "校準"),
            "predicted": centres,
            "observed": np.clip(centres + 0.1 * np.sin(6 * centres), 0, 1),
            "counts": rng.integers(5, 90, 10),
        },
        {
            "kind": "bars",
            "title": both("Permutation importance", "置換重要度"),
            "labels": columns,
            "values": importance - 0.01,
            "low": importance - 0.02,
            "high": importance + 0.005,
            "value_label": both("accuracy lost", "損失的準確率"),
        },
        {
            "kind": "scatter",
            "title": both("Predicted against true", "預測值與實際值"),
            "x": true,
            "y": true + 4 * rng.normal(size=400),
            "x_label": both("true price", "實際價格"),
            "y_label": both("predicted price", "預測價格"),
            "diagonal": True,
        },
        {
            "kind": "scatter",
            "title": both("Three classes", "三個類別"),
            "x": blobs[:, 0],
            "y": blobs[:, 1],
            "x_label": "x0",
            "y_label": ENDING,
            "classes": np.repeat([0, 1, 2], 50),
            "class_names": ["a", "b", ATTACK],
        },
        {
            "kind": "matrix",
            "title": both("Signed values", "有正負的值"),
            "values": correlation,
            "diverging": True,
            "rows": [f"r{i}" for i in range(40)],
            "columns": [f"c{i}" for i in range(40)],
        },
        {
            "kind": "matrix",
            "title": both("Kernel", "卷積核"),
            "values": rng.normal(size=(3, 3)),
            "diverging": True,
            "rows": ["0", "1", "2"],
            "columns": ["0", "1", "2"],
        },
    ]


def network(rng):
    sizes = [4, 8, 30, 3]
    layers = [{"name": "inputs", "kind": "Input", "units": 4, "activation": None}]
    layers += [
        {"name": f"dense_{k}", "kind": "Dense", "units": n, "activation": "tanh"} for k, n in enumerate(sizes[1:], 1)
    ]
    weights = [rng.normal(0, 1 / np.sqrt(a), (a, b)) for a, b in itertools.pairwise(sizes)]
    nodes = [
        {"id": "x", "name": "image", "kind": "Input", "shape": "(28, 28, 1)", "params": 0},
        {"id": "a", "name": "conv2d_1", "kind": "Conv2D", "shape": "(26, 26, 8)", "params": 80},
        {"id": "b", "name": "conv2d_2", "kind": "Conv2D", "shape": "(26, 26, 8)", "params": 584},
        {"id": "c", "name": "add_1", "kind": "Add", "shape": "(26, 26, 8)", "params": 0},
        {"id": "d", "name": ATTACK, "kind": "Flatten", "shape": [5408], "params": 0},
        {"id": "e", "name": "dense_1", "kind": "Dense", "shape": "(10,)", "params": 54090},
    ]
    nodes.append({"id": "f", "name": "beside", "kind": "Conv2D", "shape": "(26, 26, 8)", "params": 1160})
    edges = [["x", "a"], ["a", "b"], ["b", "c"], ["a", "f"], ["f", "c"], ["a", "c"], ["c", "d"], ["d", "e"]]
    return [
        {
            "kind": "network",
            "title": both("The network and its weights", "網路與權重"),
            "layers": layers,
            "weights": weights,
            "biases": [rng.normal(size=n) for n in sizes[1:]],
            "input_names": ["flipper length", "bill depth", ATTACK, "island"],
            "output_names": ["Adelie", "Chinstrap", "Gentoo"],
        },
        {
            "kind": "network",
            "title": both("With the response of each unit", "各單元的反應"),
            "layers": [
                {"name": "inputs", "kind": "Input", "units": 2, "activation": None},
                {"name": "dense_1", "kind": "Dense", "units": 5, "activation": "tanh"},
                {"name": "output", "kind": "Dense", "units": 1, "activation": "sigmoid"},
            ],
            "weights": [rng.normal(size=(2, 5)), rng.normal(size=(5, 1))],
            "units": maps(rng),
            "input_names": ["x0", "x1"],
            "output_names": [both("yes", "是")],
            "selected": {"layer": 0, "unit": 2},
        },
        {"kind": "graph", "title": both("Layers", "各層"), "nodes": nodes, "edges": edges},
    ]


def maps(rng):
    x1, x0 = np.mgrid[-1:1:16j, -1:1:16j]
    hidden = np.tanh(2 * rng.normal(size=(5, 1, 1)) * x0 + 2 * rng.normal(size=(5, 1, 1)) * x1)
    return [
        np.stack([x0, x1]).astype(np.float16),
        hidden.astype(np.float16),
        np.tanh(hidden.sum(0))[None].astype(np.float16),
    ]


def landscapes(rng):
    a, b = np.linspace(-1.5, 1.5, 31), np.linspace(-1, 1, 25)
    loss = 0.05 + (a[:, None] ** 2 - 0.6) ** 2 + 1.5 * b[None] ** 2 + 0.2 * a[:, None]
    time = np.linspace(0, 1, 30)
    path = np.stack([1.3 - 2.0 * time, 0.8 * np.cos(5 * time) * (1 - time)], 1)
    x0 = np.linspace(-2, 2, 60)
    grid = np.stack(np.meshgrid(x0, x0), -1)
    spirals = np.tanh(3 * np.sin(2 * grid[..., 0]) + 2 * grid[..., 1]) / 2 + 0.5
    logits = -np.stack([((grid - c) ** 2).sum(-1) for c in ([0, 1], [1, -1], [-1, -1])], -1)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    points = rng.uniform(-2, 2, (120, 2))
    labels = (3 * np.sin(2 * points[:, 0]) + 2 * points[:, 1] > 0).astype(np.int32)
    nearest = np.argmin([((points - c) ** 2).sum(1) for c in ([0, 1], [1, -1], [-1, -1])], 0)
    return [
        {
            "kind": "landscape",
            "title": both("Landscape and path", "損失地形與路徑"),
            "a": a,
            "b": b,
            "loss": loss - loss.min() + 0.01,
            "path": path,
            "path_loss": np.linspace(2, 0.02, 30),
            "log": True,
            "a_label": both("direction a", "方向 a"),
            "b_label": both("direction b", "方向 b"),
            "points": [
                {"name": both("seed 2", "種子 2"), "a": 0.77, "b": 0.0, "loss": 0.3},
                {"name": ATTACK, "a": -1.2, "b": 0.7},
            ],
            "note": both("Two valleys; the path ends in the deeper one.", "有兩個谷；路徑終於較深的那個。"),
        },
        {
            "kind": "surface",
            "title": both("Decision surface", "決策面"),
            "x0": [-2, 2],
            "x1": [-2, 2],
            "names": ["x0", "x1"],
            "values": spirals,
            "points": points,
            "labels": labels,
            "class_names": ["no", "yes"],
        },
        {
            "kind": "surface",
            "title": both("Three classes", "三個類別"),
            "x0": [-2, 2],
            "x1": [-2, 2],
            "names": ["age", ATTACK],
            "values": shares,
            "points": points,
            "labels": nearest,
            "class_names": ["a", "b", "c"],
        },
        {
            "kind": "surface",
            "title": both("Regression", "迴歸"),
            "x0": [-2, 2],
            "x1": [-2, 2],
            "names": ["x0", "x1"],
            "values": np.sin(grid[..., 0]) * grid[..., 1],
            "points": points,
            "labels": np.sin(points[:, 0]) * points[:, 1],
            "regression": True,
        },
    ]


def pictures(rng):
    y, x = np.mgrid[0:28, 0:28]
    digits = np.stack([255 * np.exp(-((np.hypot(x - 14, y - 14) - r) ** 2) / 6) for r in range(3, 11)]).astype(np.uint8)
    saliency = np.stack([np.sin(x / 4 + k) * np.exp(-((y - 14) ** 2) / 60) for k in range(8)])
    colours = rng.integers(0, 255, (3, 16, 16, 3)).astype(np.uint8)
    return [
        {
            "kind": "images",
            "title": both("The worst mistakes", "最嚴重的錯誤"),
            "images": digits[..., None],
            "captions": [both(f"true {k}, predicted {9 - k}", f"實際 {k}，預測 {9 - k}") for k in range(8)],
            "scale": 4,
            "overlay": saliency.astype(np.float16),
            "note": both("Blue raised the score, orange lowered it.", "藍色提高分數，橙色降低分數。"),
        },
        {
            "kind": "images",
            "title": both("In colour", "彩色"),
            "images": colours,
            "captions": ["a", ATTACK, "c"],
            "scale": 5,
        },
    ]


def steps():
    def value(name, array, tutorial=None):
        array = np.asarray(array, np.float64)
        return {
            "name": name,
            "shape": list(array.shape),
            "values": array,
            **({"tutorial": tutorial} if tutorial else {}),
        }

    x, w = np.array([[0.5, -0.2, 0.1]]), np.array([[0.4], [0.3], [-0.5]])
    h = x @ w
    p = 1 / (1 + np.exp(-h))
    error = 1 - p
    term = error * p * (1 - p)
    gradient = -x.T @ term
    large = {"name": "kernel", "shape": [64, 40], "values": np.linspace(-1, 1, 64), "cut": 2560}
    return {
        "kind": "steps",
        "title": both("One step of gradient descent", "梯度下降的一步"),
        "rows": 1,
        "learning_rate": 0.5,
        "loss_before": float(0.5 * error[0, 0] ** 2),
        "loss_after": 0.0931,
        "given": [{"name": "age", "text": "37"}, {"name": ATTACK, "text": ENDING}],
        "tutorial": [
            {
                "name": "h",
                "code": "h = np.dot(x, w)",
                "meaning": both("weighted sum", "加權和"),
                "values": h,
                "shape": [1, 1],
            },
            {
                "name": "error_term",
                "code": "error_term = error * sigmoid_prime(h)",
                "meaning": both("error term", "誤差項"),
                "values": term,
                "shape": [1, 1],
            },
        ],
        "steps": [
            {
                "number": 1,
                "section": "forward",
                "title": "affine",
                "formula": "h1 = x·W1",
                "inputs": [value("x", x), value("W1", w)],
                "outputs": [value("h1", h, "h")],
            },
            {
                "number": 2,
                "section": "forward",
                "title": "sigmoid",
                "formula": "y_pred = 1 / (1 + exp(−h1))",
                "inputs": [value("h1", h)],
                "outputs": [value("y_pred", p, "y_predict")],
            },
            {
                "number": 3,
                "section": "backward",
                "title": "sigmoid",
                "formula": "dh1 = dy_pred·y_pred·(1 − y_pred)",
                "inputs": [value("y_pred", p), large],
                "outputs": [value("dh1", -term, "error_term = -dh1")],
            },
            {
                "number": 4,
                "section": "update",
                "title": "sgd",
                "formula": "W1 −= learning_rate·dW1",
                "inputs": [value("dW1", gradient)],
                "outputs": [value("W1", w - 0.5 * gradient)],
            },
        ],
        "weights": [
            {
                "name": "dense_1/W",
                "printed": "W1",
                "before": value("W1", w),
                "gradient": value("dW1", gradient),
                "after": value("W1", w - 0.5 * gradient),
                "check": value("check", gradient * (1 + 1e-8)),
                "check_error": 1e-8,
            },
        ],
        "check_note": both("Central differences in float64.", "以 float64 的中央差分檢查。"),
    }


def words():
    finding = {
        "rule": "overfitting",
        "severity": "warning",
        "sentence": both("The network learns the training rows by heart.", "網路把訓練列背了下來。"),
        "evidence": both(
            "The validation loss rose from 0.31 to 0.52 while the training loss fell to 0.02.",
            "驗證損失從 0.31 升到 0.52，訓練損失則降到 0.02。",
        ),
        "remedy": both("Stop early, add dropout, or use a smaller network.", "提早停止、加上丟棄，或使用較小的網路。"),
    }
    dead = {
        **finding,
        "rule": ATTACK,
        "severity": "error",
        "sentence": both("Layer dense_2 is dead.", "dense_2 層已失效。"),
    }
    code = "import thalweg as tw\n\nmodel = tw.Sequential([tw.layers.Dense(3)])\n# " + "long " * 40 + ENDING
    return [
        {"kind": "findings", "title": both("The doctor's findings", "診斷結果"), "findings": [finding, dead]},
        {"kind": "findings", "title": both("A healthy training", "健康的訓練"), "findings": []},
        {
            "kind": "table",
            "title": both("Rows", "資料列"),
            "columns": [both("name", "名稱"), "loss", ATTACK],
            "rows": [["first", 0.123456, None], [ENDING, 1e-9, both("yes", "是")], ["&amp;", float("nan"), True]]
            + [[f"row {k}", k * 1234.5, "–"] for k in range(30)],
        },
        {
            "kind": "text",
            "title": both("How to reproduce", "如何重現"),
            "paragraphs": [both("Run the command below. " * 6, "執行以下的命令。" * 8), ATTACK],
        },
        {"kind": "code", "title": both("The program", "程式"), "text": code, "language": "python"},
    ]


if __name__ == "__main__":
    from thalweg.views.web.page import write_page

    write_page(sys.argv[1], gallery(sys.argv[2] if len(sys.argv) > 2 else "en"))
