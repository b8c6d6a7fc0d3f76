"""A model's declared inputs and outputs, and whether the shared stages can work with them."""

from engine.stage import StageError
from stages.tflite.naming import names_of
from stages.tflite.schema import Model
from stages.tflite.schema import Tensor as Declared
from stages.tflite.tensor import Tensor

Ends = dict[str, Tensor]


def ends(model: Model) -> tuple[Ends, Ends]:
    """Return the inputs and outputs by name.

    StageError: there is no input, or one is text, has an open size or no batch of 1.
    """
    names, graph = names_of(model), model.subgraphs[0]
    inputs = {n: graph.tensors[at] for n, at in zip(names.inputs, graph.inputs, strict=True)}
    outputs = {n: graph.tensors[at] for n, at in zip(names.outputs, graph.outputs, strict=True)}
    if not inputs:
        raise StageError("the model has no input: use a network with an input")
    for name, tensor in inputs.items():
        if why := _obstacle(tensor):
            raise StageError(f"the input '{name}' {why}")
    return _described(inputs), _described(outputs)


def _obstacle(tensor: Declared) -> str:
    shape, signature = list(tensor.shape), list(tensor.shape_signature or tensor.shape)
    if tensor.type == "STRING":
        return "is text: start the network after the layer that reads text"
    if min((*shape, *signature[1:]), default=0) < 0:  # an open batch of size 1 is allowed
        return f"is {signature}: give the network fixed shapes"
    if not shape or shape[0] != 1:
        return f"is {shape}: give the network a batch of 1 as its first dimension"
    return ""


def _described(tensors: dict[str, Declared]) -> Ends:
    return {name: Tensor(name, one.shape, one.type.lower()) for name, one in tensors.items()}
