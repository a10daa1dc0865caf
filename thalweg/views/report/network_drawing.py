"""The network as a drawing: a chain of dense layers with its weights, any other as a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import activations, words
from thalweg.views.report.subject import ColumnInputs, Figure, Network, Subject, Text

MOST_UNITS = 24
"""Of a layer that are drawn with their weights; a figure folds the others."""
PASSING = ("Dropout", "Flatten", "Activation", "GaussianNoise", "Rescaling", "ReLU", "Softmax")
"""Layers without weights that may stand in a chain that is drawn with its weights."""
MOST_NODES = 120


def network_drawing(subject: Subject) -> dict[str, Any] | None:
    """The section; None without a network."""
    network = subject.network
    if network is None:
        return None
    figures: list[Figure] = [summary_table(network)]
    chain = with_weights(subject, network)
    figures.append(graph(network) if chain is None else chain)
    text: list[Text] = []
    if len(network.nodes) > MOST_NODES:
        text.append(
            words.text(
                "The first {shown} of {count} layers and operations are drawn.",
                shown=MOST_NODES,
                count=len(network.nodes),
            )
        )
    return {"id": "network", "text": text, "figures": figures}


def summary_table(network: Network) -> Figure:
    """Layers, shapes, numbers of weights."""
    kinds = {"operation": words.Said("operation")}  # the others are names of layers
    rows = [
        [
            *(node["name"], kinds.get(node["kind"], node["kind"]), node["shape"]),
            "" if node["params"] is None else f"{node['params']:,}",
        ]
        for node in network.nodes[:MOST_NODES]
    ]
    return {
        "kind": "table",
        "title": words.text("Layers"),
        "note": words.text("{count:,} weights in all.", count=network.model.count_params()),
        "columns": [words.text("layer"), words.text("kind"), words.text("output shape"), words.text("weights")],
        "rows": rows,
        "numeric": [False, False, False, True],
        "mono": True,
    }


def activation_of(layer: Any) -> str:
    """The name of a layer's activation; "" if it has none."""
    own = getattr(layer, "activation", None)
    activation = activations.serialize(own) if isinstance(own, activations.ActivationFunction) else None
    if isinstance(activation, str):
        return "" if activation == "linear" else activation
    return str(activation.get("class_name", "")) if isinstance(activation, dict) else ""


def with_weights(subject: Subject, network: Network) -> Figure | None:
    """The drawing of a chain of dense layers; None for another network."""
    nodes, model = network.nodes, network.model
    chain = all(len(node["sources"]) <= 1 for node in nodes)
    layers = model.inside
    dense = [layer for layer in layers if type(layer).__name__ == "Dense"]
    others = [layer for layer in layers if type(layer).__name__ != "Dense"]
    if not chain or not dense or any(type(layer).__name__ not in PASSING for layer in others):
        return None
    shape = model.row_in
    if not isinstance(shape, tuple) or len(shape) != 1:
        return None
    drawn: list[dict[str, Any]] = [{"name": "input", "kind": "input", "units": int(shape[0]), "activation": ""}]
    weights: list[Any] = []
    biases: list[Any] = []
    for layer in layers:
        name = activation_of(layer)
        if type(layer).__name__ == "Dense":
            arrays = layer.get_weights()
            kernel = np.asarray(arrays[0], np.float32)
            drawn.append({"name": layer.name, "kind": "dense", "units": kernel.shape[1], "activation": name})
            weights.append(kernel[:MOST_UNITS, :MOST_UNITS])
            bias = np.asarray(arrays[1], np.float32) if len(arrays) > 1 else np.zeros(kernel.shape[1], np.float32)
            biases.append(bias[:MOST_UNITS])
        elif len(drawn) > 1 and (name or type(layer).__name__ in ("ReLU", "Softmax")):
            drawn[-1]["activation"] = name or type(layer).__name__.lower()
    return {
        "kind": "network",
        "title": words.text("The network with its weights"),
        "note": words.text("Lines are weights: the thicker, the larger; colour tells the sign."),
        "layers": drawn,
        "weights": weights,
        "biases": biases,
        "input_names": input_names(subject, int(shape[0]))[:MOST_UNITS],
        "output_names": output_names(subject, drawn[-1]["units"])[:MOST_UNITS],
    }


def input_names(subject: Subject, count: int) -> list[str]:
    """The columns' names, if each is one number of the input; x0, x1, … otherwise."""
    inputs = subject.inputs
    if isinstance(inputs, ColumnInputs) and inputs.x.shape[1] == count:
        names: list[str] = []
        for name, place in zip(inputs.names, inputs.places, strict=True):
            width = place.stop - place.start
            names += [name] if width == 1 else [f"{name} {k + 1}" for k in range(width)]
        if len(names) == count:
            return names
    return [f"x{k}" for k in range(count)]


def output_names(subject: Subject, count: int) -> list[str]:
    """The classes, or the target."""
    if len(subject.classes) == count:
        return [str(name) for name in subject.classes]
    if count == 1:
        return [str(subject.classes[1]) if len(subject.classes) == 2 else subject.target or "y"]
    return [f"y{k}" for k in range(count)]


def graph(network: Network) -> Figure:
    """The network as boxes and arrows."""
    nodes = network.nodes[:MOST_NODES]
    drawn = [
        {
            "id": node["name"],
            "name": node["name"],
            "kind": node["kind"],
            "shape": node["shape"],
            "params": node["params"] or 0,
        }
        for node in nodes
    ]
    known = {node["name"] for node in nodes}
    if any(source not in known for node in nodes for source in node["sources"]):
        outside = dict.fromkeys(s for node in nodes for s in node["sources"] if s not in known)
        drawn = [*({"id": s, "name": s, "kind": "Input", "shape": "", "params": 0} for s in outside), *drawn]
    return {
        "kind": "graph",
        "title": words.text("The network as a graph"),
        "nodes": drawn,
        "edges": [[source, node["name"]] for node in nodes for source in node["sources"]],
    }
