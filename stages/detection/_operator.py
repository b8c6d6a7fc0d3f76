"""Appends TFLite_Detection_PostProcess to a raw detector, as an edit of its FlatBuffer.

The operator and its options: tensorflow/lite/kernels/detection_postprocess.cc in TensorFlow. Its kernel
reads float or uint8, so int8 outputs are dequantised first. On an 8-bit accelerator's target, both
operators run on the CPU.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.tasks import detect

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOOR = (
    0.01  # the lowest score that leaves the model: evaluation needs them, and the task drops them
)
CUSTOM, DEQUANTIZE = 32, 6  # numbers of the operators in TensorFlow's schema.fbs


def append(
    model: Path, to: Path, anchors: "NDArray[np.float32]", constants: "dict[str, Any]"
) -> None:
    """Write the model with the operator at its end.

    constants: box_scales, iou_threshold and most, as in a package

    StageError: the model's outputs are not boxes and scores for these anchors.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    from stages.tflite.naming import names_in
    from stages.tflite.schema import IDENTIFIER

    found = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model.read_bytes()))
    graph = found.subgraphs[0]
    places = dict(zip(names_in(model).outputs, graph.outputs, strict=True))
    classes = _check({name: graph.tensors[at] for name, at in places.items()}, len(anchors))
    edit = _Edit(found, schema)
    inputs = [edit.as_float(places[name]) for name in (detect.BOXES, detect.SCORES)]
    inputs.append(edit.constant("anchors", anchors))
    most = int(constants["most"])
    shapes = ((1, most, 4), (1, most), (1, most), (1,))
    outputs = [
        edit.tensor(name, shape) for name, shape in zip(detect.DECODED_OUTPUTS, shapes, strict=True)
    ]
    edit.operator(CUSTOM, inputs, outputs, detect.DECODED, _options(constants, classes))
    edit.end(outputs)
    builder = flatbuffers.Builder(model.stat().st_size)
    builder.Finish(found.Pack(builder), IDENTIFIER)
    to.write_bytes(builder.Output())


def _options(constants: "dict[str, Any]", classes: int) -> bytes:
    """Return the operator's options, so that it suppresses class by class, as the task does."""
    from flatbuffers import flexbuffers

    y, x, height, width = constants["box_scales"]
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("max_detections", int(constants["most"]))
        builder.Int("max_classes_per_detection", 1)
        builder.Int("detections_per_class", int(constants["most"]))
        builder.Bool("use_regular_nms", True)
        builder.Float("nms_score_threshold", FLOOR)
        builder.Float("nms_iou_threshold", float(constants["iou_threshold"]))
        builder.Int("num_classes", classes)
        for name, scale in (("y", y), ("x", x), ("h", height), ("w", width)):
            builder.Float(f"{name}_scale", float(scale))
    return bytes(builder.Finish())


def _check(outputs: "dict[str, Any]", anchors: int) -> int:
    """Return the number of classes; refuse outputs other than a raw detector's."""
    shapes = {name: [int(size) for size in tensor.shape] for name, tensor in outputs.items()}
    classes = shapes.get(detect.SCORES, [0])[-1]
    if shapes != {detect.BOXES: [1, anchors, 4], detect.SCORES: [1, anchors, classes]}:
        raise StageError(
            f"the model's outputs are {shapes}, not boxes and scores for {anchors} anchors: only a "
            "detector of stages.detection.train can end in TFLite_Detection_PostProcess"
        )
    return classes


class _Edit:
    """The first subgraph of a model in the object form of TFLite's schema."""

    def __init__(self, model: Any, schema: Any) -> None:
        self._model, self._schema = model, schema
        self._graph = model.subgraphs[0]

    def tensor(self, name: str, shape: "tuple[int, ...]", data: bytes = b"") -> int:
        """Add a float tensor, and return its index."""
        buffer, tensor = self._schema.BufferT(), self._schema.TensorT()
        if data:
            buffer.data = np.frombuffer(data, np.uint8)
        self._model.buffers.append(buffer)
        tensor.name, tensor.shape, tensor.type = name, list(shape), self._schema.TensorType.FLOAT32
        tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, name: str, values: "NDArray[np.float32]") -> int:
        return self.tensor(name, values.shape, values.astype("<f4").tobytes())

    def as_float(self, place: int) -> int:
        """Return the tensor, or a new one with its values if it is quantised."""
        given = self._graph.tensors[place]
        if given.type == self._schema.TensorType.FLOAT32:
            return place
        name = given.name.decode() if isinstance(given.name, bytes) else given.name
        found = self.tensor(f"{name}_values", tuple(given.shape))
        self.operator(DEQUANTIZE, [place], [found])
        return found

    def operator(
        self,
        number: int,
        inputs: list[int],
        outputs: list[int],
        custom: str = "",
        options: bytes = b"",
    ) -> None:
        """Add an operator at the end."""
        code, operator = self._schema.OperatorCodeT(), self._schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = number
        code.customCode, code.version = custom or None, 1 if custom else 2  # 2: int8
        self._model.operatorCodes.append(code)
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        operator.customOptions = np.frombuffer(options, np.uint8) if options else None
        self._graph.operators.append(operator)

    def end(self, outputs: list[int]) -> None:
        """Make these tensors the model's only outputs, with their names."""
        self._graph.outputs = outputs
        for signature in self._model.signatureDefs or []:
            signature.outputs = [self._named(at) for at in outputs]

    def _named(self, place: int) -> Any:
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = self._graph.tensors[place].name, place
        return entry
