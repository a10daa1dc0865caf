"""Keras's attention layers and ours, on the same weights: outputs, scores, masks, and gradients by a training step."""

import itertools

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, layers
from thalweg.optimizers import SGD

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ROWS, T, S, WIDTH = 5, 6, 7, 8


def arrays(seed=0):
    draw = np.random.default_rng(seed)
    query, value, key = (draw.normal(size=(ROWS, n, WIDTH)).astype("f") for n in (T, S, S))
    masks = {
        "query_mask": draw.random((ROWS, T)) < 0.7,
        "value_mask": draw.random((ROWS, S)) < 0.7,
        "key_mask": draw.random((ROWS, S)) < 0.8,
        "attention_mask": draw.random((ROWS, T, S)) < 0.7,
    }
    masks["value_mask"][0] = False  # a row without any key
    return query, value, key, masks


OURS = {
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "MultiHeadAttention wide": {
        "num_heads": 4,
        "key_dim": 2,
        "value_dim": 5,
        "use_bias": False,
        "output_shape": (3,),
        "dropout": 0.2,
    },
    "MultiHeadAttention gated": {"num_heads": 2, "key_dim": 3, "use_gate": True, "sliding_window": 2},
    "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    "GroupQueryAttention gated": {
        "head_dim": 3,
        "num_query_heads": 4,
        "num_key_value_heads": 1,
        "use_gate": True,
        "sliding_window": 3,
        "use_bias": False,
    },
}


def pair(keras, name):
    """The same layer in both, on the same weights."""
    kind = name.split()[0]
    given = OURS[name]
    ours, theirs = getattr(layers, kind)(**given), getattr(keras.layers, kind)(**given)
    query, value, key, _ = arrays()
    theirs(query, value, key)
    ours(query, value, key)
    draw = np.random.default_rng(1)
    weights = [draw.normal(size=w.shape, scale=0.5).astype("f") for w in theirs.weights]
    assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in ours.weights]
    assert [w.path.partition("/")[2] for w in theirs.weights] == [
        w.path.partition("/")[2].replace("/W", "/kernel").replace("/b", "/bias") for w in ours.weights
    ]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return ours, theirs


def numpy(x):
    return x.detach().numpy() if hasattr(x, "detach") else np.asarray(x)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("told", [False, True])
def test_outputs_scores_and_masks(keras, name, causal, told):
    if "wide" in name and not told:
        return  # with a dropout, Keras computes as if they were told; with none, JAX's attention takes no such values
    ours, theirs = pair(keras, name)
    query, value, key, masks = arrays()
    masks.pop("query_mask")  # Keras takes it from the query alone, whatever is given
    for count in (0, 1, 3):
        for names in itertools.combinations(masks, count):
            options = {n: masks[n] for n in names} | {"use_causal_mask": causal, "return_attention_scores": told}
            one, other = ours(query, value, key, **options), theirs(query, value, key, **options)
            if not told:
                np.testing.assert_allclose(one, numpy(other), atol=1e-5)
                continue
            sees = numpy(other[1]).sum(axis=(1, -1)) > 0.5  # a query without any key: Keras's weights are 0 if told
            assert sees.mean() > 0.5
            np.testing.assert_allclose(one[0][sees], numpy(other[0])[sees], atol=1e-5)
            np.testing.assert_allclose(np.moveaxis(one[1], 2, 1)[~sees], 1 / S, atol=1e-6)
            np.testing.assert_allclose(
                np.moveaxis(one[1], 2, 1)[sees], np.moveaxis(numpy(other[1]), 2, 1)[sees], atol=1e-5
            )
            np.testing.assert_allclose(
                one[0], ours(query, value, key, **options | {"return_attention_scores": False}), atol=1e-5
            )
    same = {"atol": 1e-5}
    np.testing.assert_allclose(ours(query, value), numpy(theirs(query, value)), **same)
    np.testing.assert_allclose(ours(query=query, value=value), numpy(theirs(query=query, value=value)), **same)
    triangle = np.tri(T, S, dtype=bool)[None]
    np.testing.assert_allclose(
        ours(query, value, attention_mask=triangle), numpy(theirs(query, value, attention_mask=triangle)), **same
    )


SCORED = {
    "Attention": {},
    "Attention scaled": {"use_scale": True},
    "Attention concat": {"use_scale": True, "score_mode": "concat"},
    "Attention concat unscaled": {"score_mode": "concat"},
    "AdditiveAttention": {},
    "AdditiveAttention unscaled": {"use_scale": False},
}


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_one_head(keras, name, causal):
    kind, (query, value, key, masks) = name.split()[0], arrays()
    ours, theirs = getattr(layers, kind)(**SCORED[name]), getattr(keras.layers, kind)(**SCORED[name])
    ours([query, value]), theirs([query, value])
    weights = [np.random.default_rng(2).normal(size=tuple(w.shape)).astype("f") for w in theirs.weights]
    assert [w.path.rpartition("/")[2] for w in theirs.weights] == [w.path.rpartition("/")[2] for w in ours.weights]
    ours.set_weights(weights), theirs.set_weights(weights)
    for mask in (None, [None, masks["value_mask"]], [masks["query_mask"], masks["value_mask"]]):
        for inputs in ([query, value], [query, value, key]):
            options = {"mask": mask, "use_causal_mask": causal, "return_attention_scores": True}
            for x, y in zip(ours(inputs, **options), theirs(inputs, **options), strict=True):
                np.testing.assert_allclose(x, numpy(y), atol=1e-5)
            del options["return_attention_scores"]
            np.testing.assert_allclose(ours(inputs, **options), numpy(theirs(inputs, **options)), atol=1e-5)


def networks(keras, name, causal):
    """A network of each, between dense layers, and after a step of training."""
    kind, scored = name.split()[0], name in SCORED
    given = (SCORED[name] if scored else OURS[name]) | {"dropout": 0.0}
    given.pop("value_dim", None)
    made = []
    for library, module in ((thalweg, layers), (keras, keras.layers)):
        inputs = [library.Input((T, 3)), library.Input((S, 3))]
        q, v = (module.Dense(WIDTH, name=n)(x) for n, x in zip("qv", inputs, strict=True))
        layer = getattr(module, kind)(**given, name="attention")
        h = layer([q, v], use_causal_mask=causal) if scored else layer(q, v, use_causal_mask=causal)
        made.append(library.Model(inputs, module.Dense(1)(module.Flatten()(h))))
    ours, theirs = made
    ours.build()
    theirs.compile(keras.optimizers.SGD(0.03), "mse")
    draw = np.random.default_rng(3)
    weights = [draw.normal(size=w.shape, scale=0.25).astype("f") for w in theirs.get_weights()]
    ours.set_weights(weights), theirs.set_weights(weights)
    ours.compile(SGD(0.03), "mse")
    theirs.compile(keras.optimizers.SGD(0.03), "mse")
    return ours, theirs


@pytest.mark.parametrize("name", [*OURS, *SCORED])
@pytest.mark.parametrize("causal", [False, True])
def test_a_step_of_training_leaves_the_same_weights(keras, name, causal):
    ours, theirs = networks(keras, name, causal)
    draw = np.random.default_rng(4)
    x, y = [draw.normal(size=(16, n, 3)).astype("f") for n in (T, S)], draw.normal(size=(16, 1)).astype("f")
    for _ in range(2):
        ours.train_on_batch(x, y), theirs.train_on_batch(x, y)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), atol=1e-4)


@pytest.mark.parametrize("name", [*OURS, *SCORED])
def test_files_of_keras_s_are_read_and_written(keras, name, tmp_path):
    ours, theirs = networks(keras, name, True)
    x = [np.random.default_rng(5).normal(size=(4, n, 3)).astype("f") for n in (T, S)]
    theirs.save(tmp_path / "theirs.keras")
    read = thalweg.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(read.predict(x), theirs.predict(x, verbose=0), atol=1e-5)
    ours.export(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras", compile=False)
    np.testing.assert_allclose(again.predict(x, verbose=0), ours.predict(x), atol=1e-5)
    theirs.save_weights(tmp_path / "w.weights.h5")
    ours.set_weights([np.zeros_like(w) for w in ours.get_weights()])
    ours.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.7}])
@pytest.mark.parametrize("masked", [False, True])
def test_dot_product_attention(keras, options, masked):
    draw = np.random.default_rng(6)
    q, k, v = (draw.normal(size=(ROWS, n, heads, 4)).astype("f") for n, heads in ((T, 4), (S, 2), (S, 2)))
    mask = draw.random((ROWS, 1, T, S)) < 0.7 if masked and not options.get("is_causal") else None
    bias = draw.normal(size=(1, 4, T, S)).astype("f") if masked else None
    theirs = numpy(keras.ops.dot_product_attention(q, k, v, bias=bias, mask=mask, **options))
    np.testing.assert_allclose(thalweg.ops.dot_product_attention(q, k, v, bias, mask, **options), theirs, atol=1e-5)
    inputs = [Input(x.shape[1:]) for x in (q, k, v)]
    o = thalweg.ops.dot_product_attention(*inputs, bias=bias, mask=None, **options)
    unmasked = numpy(keras.ops.dot_product_attention(q, k, v, bias=bias, **options))
    np.testing.assert_allclose(Model(inputs, o).predict([q, k, v]), unmasked, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # Keras warns of layers of its own
@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"])
def test_masks_of_the_inputs_are_taken_and_go_on(keras, name):
    """Of ids whose 0 stands for nothing; the average behind leaves the same steps out."""
    ids = np.random.default_rng(7).integers(0, 4, (6, 5))
    ids[:, 0] = 1
    made = []
    for library, module in ((thalweg, layers), (keras, keras.layers)):
        x = library.Input((5,), dtype="int32")
        h, g = (module.Embedding(4, WIDTH, mask_zero=True, name=n)(x) for n in "hg")
        given = SCORED.get(name, OURS.get(name, {}))
        o = getattr(module, name)(**given)(*([[h, g]] if name in SCORED else [h, g]))
        made.append(library.Model(x, module.Dense(1)(module.GlobalAveragePooling1D()(o))))
    ours, theirs = made
    ours.build()
    weights = [np.random.default_rng(8).normal(size=w.shape).astype("f") for w in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    np.testing.assert_allclose(ours.predict(ids), theirs.predict(ids, verbose=0), atol=1e-5)
