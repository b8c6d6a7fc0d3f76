"""Reads a Keras 3 architecture, and turns its layers into configurations that Keras 2.15 accepts.

Sony's tools need Keras 2.15, which cannot open what Keras 3 saved. Nothing here imports Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.stage import StageError
from stages.imx500._memory_report import refused, said

NESTED = ("Functional", "Sequential", "Model")
_DROPPED = (  # keys that Keras 2.15 does not know, or that only training needs
    "quantization_config",
    "synchronized",
    "optional",
    "build_config",
    "value_range",
    "seed",
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
)
# Layers that contain others, whose weights a .keras file has in groups of their own, and which Keras 2.15
# cannot always read. The converter has no operator for them: imxconv-tf 3.19.2 refused LSTM, GRU, SimpleRNN
# and TimeDistributed as "unsupported ops".
_REFUSED = (
    "LSTM",
    "GRU",
    "SimpleRNN",
    "RNN",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Bidirectional",
    "TimeDistributed",
)
_DROPPED_ENDINGS = ("_initializer", "_regularizer", "_constraint", "lora_rank", "lora_alpha")


@dataclass(frozen=True)
class Layer:
    """One layer of a network: its class, its configuration in Keras 2.15's form, and its calls.

    calls: for each call of the layer, what it gets: a reference, or a list of them
    layers, inputs, outputs: of a nested network
    """

    kind: str
    name: str
    config: dict[str, Any]
    calls: tuple[Any, ...]
    network: Network | None = None


@dataclass(frozen=True)
class Network:
    """A network's layers in the order of its weights, and references to its inputs and outputs."""

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[Reference, ...]
    outputs: dict[str, Reference]  # by name: that of the output, or else of its layer


@dataclass(frozen=True)
class Reference:
    """A tensor: the layer that makes it, in which of its calls, and which of its results."""

    layer: str
    call: int
    result: int


def network_of(architecture: Mapping[str, Any]) -> Network:
    """Return the network of an architecture that Keras 3 or Keras 2 wrote as JSON.

    StageError: it is no functional network, needs code that is not Keras's own, has a layer that the
    camera never runs, or is damaged.
    """
    try:
        return _network(architecture)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise StageError(
            f"the architecture of the model is damaged ({error!r}): save the model again"
        ) from error


def leaves(network: Network) -> Iterator[Layer]:
    """Yield the layers that are no networks themselves, in the order of the weights."""
    for layer in network.layers:
        if layer.network is None:
            yield layer
        else:
            yield from leaves(layer.network)


def cleaned(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's configuration in Keras 2.15's form, without what only training needs."""
    found = {
        key: value
        for key, value in config.items()
        if key not in _DROPPED and not key.endswith(_DROPPED_ENDINGS)
    }
    if isinstance(found.get("dtype"), Mapping):  # Keras 3's DTypePolicy
        found["dtype"] = found["dtype"]["config"]["name"]
    if kind == "InputLayer" and "batch_shape" in found:
        found["batch_input_shape"] = [None, *found.pop("batch_shape")[1:]]
    if kind == "LeakyReLU" and "negative_slope" in found:  # Keras 3's name for it
        found["alpha"] = found.pop("negative_slope")
    if isinstance(found.get("activation"), Mapping):
        found["activation"] = _activation(found["activation"], found["name"])
    return found


def _network(architecture: Mapping[str, Any]) -> Network:
    kind, config = architecture.get("class_name"), architecture.get("config", {})
    if kind == "Sequential":
        return _sequential(config)
    if kind not in NESTED or "output_layers" not in config:
        raise StageError(
            f"the model is a {kind}, whose layers cannot be listed: build it with keras.Model(inputs, "
            "outputs) or keras.Sequential"
        )
    layers = tuple(_layer(each) for each in config["layers"])
    inputs = tuple(_references(config["input_layers"]).values())
    return Network(config["name"], layers, inputs, _references(config["output_layers"]))


def _layer(described: Mapping[str, Any]) -> Layer:
    kind, config = described["class_name"], described["config"]
    name = described.get("name") or config["name"]
    _refuse(kind, name, described)
    calls = tuple(_inputs_of(call, name) for call in described.get("inbound_nodes", ()))
    if kind in NESTED:
        return Layer(kind, name, {}, calls, _network(described))
    return Layer(kind, name, cleaned(kind, config), calls)


def _sequential(config: Mapping[str, Any]) -> Network:
    """Return a chain of layers as a network whose layers name their inputs."""
    layers: list[Layer] = []
    for described in config["layers"]:
        kind, own = described["class_name"], described["config"]
        _refuse(kind, own["name"], described)
        if not layers and kind != "InputLayer":
            shape = (
                own.get("batch_input_shape")
                or own.get("batch_shape")
                or config.get("build_input_shape")
            )
            if shape is None:
                raise StageError("the model has no input shape: begin it with a keras.Input")
            layers.append(_input("input", shape))
        calls = ([Reference(layers[-1].name, 0, 0)],) if layers else ()
        nested = _network(described) if kind in NESTED else None
        layers.append(Layer(kind, own["name"], cleaned(kind, own), calls, nested))
    first, last = (Reference(each.name, 0, 0) for each in (layers[0], layers[-1]))
    return Network(config["name"], tuple(layers), (first,), {last.layer: last})


def _input(name: str, shape: Any) -> Layer:
    return Layer("InputLayer", name, {"name": name, "batch_input_shape": [None, *shape[1:]]}, ())


def _refuse(kind: str, name: str, described: Mapping[str, Any]) -> None:
    own = described.get("registered_name") not in (None, kind) and not str(
        described.get("module", "keras")
    ).startswith("keras")
    if own or kind in ("Lambda", "TFOpLambda", "SlicingOpLambda"):
        raise StageError(
            f"the layer '{name}' ({kind}) is code, which cannot be carried into the camera's tools: "
            "use Keras's own layers"
        )
    if kind in _REFUSED:
        raise StageError(said([refused(name, kind)]))


def _inputs_of(call: Any, name: str) -> list[Reference]:
    """Return what a layer gets in one call, in Keras 3's form or Keras 2's."""
    if isinstance(call, Mapping):
        found = list(_tensors(call.get("args", ())))
        if list(_tensors(call.get("kwargs", {}))):
            raise StageError(
                f"the layer '{name}' gets a tensor by keyword, which cannot be rebuilt for the "
                "camera: give it as the first argument"
            )
        return found
    return [Reference(each[0], each[1], each[2]) for each in call]


def _tensors(value: Any) -> Iterator[Reference]:
    """Yield the tensors in an argument of a call, in order."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield Reference(*value["config"]["keras_history"])
        else:
            for each in value.values():
                yield from _tensors(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)


def _references(listed: Any) -> dict[str, Reference]:
    """Return a network's inputs or outputs: one reference, a list of them, or a dictionary."""
    if isinstance(listed, Mapping):
        return {name: Reference(*each) for name, each in listed.items()}
    if listed and isinstance(listed[0], str):
        listed = [listed]
    found: dict[str, Reference] = {}
    for each in listed:
        name = each[0] if each[0] not in found else f"{each[0]}_{len(found)}"
        found[name] = Reference(*each)
    return found


def _activation(described: Mapping[str, Any], layer: str) -> str:
    name = described.get("config")
    if isinstance(name, str):
        return name
    raise StageError(
        f"the activation of '{layer}' is {described.get('class_name')}: use a layer for it, such as "
        "keras.layers.ReLU"
    )
