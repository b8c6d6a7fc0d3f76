"""A Keras 3 architecture becomes layers that Keras 2.15 accepts, or a sentence about the one that it cannot."""

import pytest

from engine.stage import StageError
from stages.imx500 import _layers
from stages.imx500._layers import Reference


def tensor(layer, call=0, result=0):
    """A tensor, as Keras 3 writes it."""
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [layer, call, result]}}


def layer(kind, name, *inputs, **config):
    """A layer, as Keras 3 writes it."""
    nodes = [
        {"args": [tensor(one) if isinstance(one, str) else one], "kwargs": {}} for one in inputs
    ]
    return {
        "module": "keras.layers",
        "class_name": kind,
        "registered_name": None,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": nodes,
    }


def model(*layers, outputs):
    """A functional network with the input `picture`."""
    source = layer("InputLayer", "picture", batch_shape=[None, 8, 8, 3], optional=False)
    config = {"name": "net", "layers": [source, *layers], "input_layers": ["picture", 0, 0]}
    return {"class_name": "Functional", "config": {**config, "output_layers": outputs}}


def test_a_layers_configuration_loses_what_keras_2_15_does_not_know():
    found = _layers.cleaned(
        "BatchNormalization",
        {
            "name": "bn",
            "dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}},
            "epsilon": 0.001,
            "synchronized": False,
            "renorm": False,
            "gamma_initializer": {"class_name": "Ones"},
            "beta_regularizer": None,
        },
    )
    assert found == {"name": "bn", "dtype": "float32", "epsilon": 0.001}


def test_an_input_keeps_its_shape_without_a_batch():
    found = _layers.cleaned("InputLayer", {"name": "x", "batch_shape": [1, 8, 8, 3]})
    assert found == {"name": "x", "batch_input_shape": [None, 8, 8, 3]}


def test_outputs_with_names_keep_them_in_order():
    outputs = {"boxes": ["a", 0, 0], "scores": ["b", 0, 0]}
    network = _layers.network_of(
        model(layer("ReLU", "a", "picture"), layer("ReLU", "b", "a"), outputs=outputs)
    )
    assert network.outputs == {"boxes": Reference("a", 0, 0), "scores": Reference("b", 0, 0)}


def test_a_layer_of_a_list_gets_all_its_tensors():
    both = layer("Add", "sum", [tensor("picture"), tensor("a")])
    network = _layers.network_of(
        model(layer("ReLU", "a", "picture"), both, outputs=[["sum", 0, 0]])
    )
    assert network.layers[-1].calls == ([Reference("picture", 0, 0), Reference("a", 0, 0)],)


def test_the_leaves_of_nested_networks_are_in_the_order_of_the_weights():
    inner = model(layer("Conv2D", "deep", "picture"), outputs=["deep", 0, 0])
    nested = {
        **inner,
        "name": "backbone",
        "inbound_nodes": layer("x", "x", "picture")["inbound_nodes"],
    }
    network = _layers.network_of(
        model(nested, layer("Dense", "last", "backbone"), outputs=["last", 0, 0])
    )
    names = [one.name for one in _layers.leaves(network) if one.kind != "InputLayer"]
    assert names == ["deep", "last"]


def test_a_sequential_model_is_a_chain():
    layers = [
        layer("InputLayer", "x", batch_shape=[None, 4]),
        layer("Dense", "a"),
        layer("ReLU", "b"),
    ]
    network = _layers.network_of(
        {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    )
    assert [one.calls for one in network.layers[1:]] == [
        ([Reference("x", 0, 0)],),
        ([Reference("a", 0, 0)],),
    ]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (layer("Lambda", "mine", "picture"), "'mine' (Lambda) is code"),
        (
            {**layer("Gate", "mine", "picture"), "module": "me", "registered_name": "me>Gate"},
            "'mine' (Gate) is code",
        ),
        (
            {
                **layer("Attention", "mine"),
                "inbound_nodes": [{"args": [], "kwargs": {"query": tensor("picture")}}],
            },
            "'mine' gets a tensor by keyword",
        ),
        (
            layer("Conv2D", "mine", "picture", activation={"class_name": "Gate", "config": {}}),
            "activation of 'mine' is Gate",
        ),
    ],
    ids=["lambda", "own class", "keyword", "activation"],
)
def test_a_layer_that_cannot_be_rebuilt_is_named(broken, says):
    with pytest.raises(StageError) as caught:
        _layers.network_of(model(broken, outputs=["mine", 0, 0]))
    assert says in str(caught.value)


def test_a_model_without_a_list_of_its_layers_is_refused():
    with pytest.raises(StageError, match="cannot be listed"):
        _layers.network_of({"class_name": "MyModel", "config": {}})


def test_a_leaky_relu_gets_the_name_that_keras_2_15_has_for_its_slope():
    found = _layers.cleaned("LeakyReLU", {"name": "leaky", "negative_slope": 0.25})
    assert found == {"name": "leaky", "alpha": 0.25}


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {"class_name": "Functional", "config": {"output_layers": []}},
        {**model(outputs=["picture", 0, 0]), "config": {"output_layers": [], "layers": ["a"]}},
        model({"class_name": "Conv2D"}, outputs=["picture", 0, 0]),
    ],
)
def test_a_damaged_architecture_is_refused(damaged):
    with pytest.raises(StageError, match="the architecture of the model is damaged"):
        _layers.network_of(damaged)
