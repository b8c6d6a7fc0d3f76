"""Builds single-shot detectors that 8-bit accelerators support: a backbone, and two heads for each
feature map."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.detection.training._anchors import Shapes

PRIOR = 0.01  # score of an untrained class; source: Lin et al., Focal Loss, 2017, section 4.1
# Output channels and stride of the separable convolutions of the published SSD, and of its further maps
MOBILE = (
    *((48, 1), (96, 2), (96, 1), (192, 2), (192, 1), (384, 2)),
    *((384, 1),) * 5,
    *((768, 2), (768, 1)),
)
FIRST_MAP, SECOND_MAP = 10, 12  # the separable convolutions whose outputs are feature maps
FROZEN = 11  # convolutions below a stride of 8
FURTHER = ((192, 384), (96, 192), (96, 192), (48, 96))
SMALL = ((32, 2), (64, 2), (96, 1), (128, 2), (128, 2))
SMALL_MAPS = (2, 3, 4)
SMALL_SHAPES = (3, 3, 3)  # of the anchors, for each feature map


@dataclass(frozen=True)
class Detector:
    """A network, (n, size, size, 3) pixels from 0 to 255 -> boxes (n, anchors, 4) and scores (n, anchors,
    classes), and the sides of its feature maps.
    """

    network: Any
    body: list[Any]  # the layers below the heads, in order
    box_heads: list[Any]
    class_heads: list[Any]
    sides: list[int]

    @property
    def learner(self) -> Any:
        """Return a network of the same layers whose outputs are boxes and logits."""
        import keras

        outputs = [self.network.get_layer(name).output for name in ("boxes", "logits")]
        return keras.Model(self.network.input, outputs)


def build(backbone: str, size: int, classes: int, shapes: "Sequence[Shapes]") -> Detector:
    """Return a detector with random weights; shapes: the anchors' shapes for each feature map."""
    import keras
    from keras import layers

    inputs = keras.Input((size, size, 3), name="picture")
    x = layers.Rescaling(1 / 128, -1.0, name="scaled")(inputs)
    maps = _mobile(x) if backbone == "ssd_mobilenet_v1" else _small(x)
    body = keras.Model(inputs, maps).layers
    boxes, logits, box_heads, class_heads = [], [], [], []
    for at, (found, of_map) in enumerate(zip(maps, shapes, strict=True)):
        box_heads.append(layers.Conv2D(4 * len(of_map), 1, name=f"boxes_{at}"))
        class_heads.append(_class_head(classes * len(of_map), at))
        boxes.append(layers.Reshape((-1, 4))(box_heads[-1](found)))
        logits.append(layers.Reshape((-1, classes))(class_heads[-1](found)))
    scores = layers.Activation("sigmoid", name="scores")(_joined(logits, "logits"))
    outputs = {"boxes": _joined(boxes, "boxes"), "scores": scores}
    sides = [int(one.shape[1]) for one in maps]
    return Detector(keras.Model(inputs, outputs), body, box_heads, class_heads, sides)


def copied(detector: Detector) -> Detector:
    """Return a detector with separate layers of the same weights; the same layers are trainable."""
    import keras

    network = keras.models.clone_model(detector.network)
    network.set_weights(detector.network.get_weights())
    twins = dict(zip((one.name for one in detector.network.layers), network.layers, strict=True))
    for layer in detector.network.layers:
        twins[layer.name].trainable = layer.trainable
    body, box_heads, class_heads = (
        [twins[one.name] for one in of]
        for of in (detector.body, detector.box_heads, detector.class_heads)
    )
    return Detector(network, body, box_heads, class_heads, detector.sides)


def freeze(detector: Detector) -> None:
    """Keep the lowest convolutions of a pretrained network, which saves a third of a step's time, and its
    batch normalisation: few pictures estimate its statistics badly.
    """
    from keras import layers

    convolutions = 0
    for layer in detector.body:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            convolutions += 1
            layer.trainable = convolutions > FROZEN
        elif isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def _class_head(channels: int, at: int) -> Any:
    import keras
    import numpy as np
    from keras import layers

    rare = keras.initializers.Constant(float(np.log(PRIOR / (1 - PRIOR))))
    return layers.Conv2D(channels, 1, bias_initializer=rare, name=f"classes_{at}")


def _joined(parts: list[Any], name: str) -> Any:
    from keras import layers

    return layers.Concatenate(1, name=name)(parts)


def _mobile(x: Any) -> list[Any]:
    """Return the six feature maps of MobileNetV1-SSD with 3/4 of the published width."""
    x = _convolved(x, 24, 3, 2)
    maps = []
    for at, (filters, stride) in enumerate(MOBILE):
        x = _separated(x, filters, stride)
        if at in (FIRST_MAP, SECOND_MAP):
            maps.append(x)
    for narrow, wide in FURTHER:
        x = _convolved(_convolved(x, narrow, 1, 1), wide, 3, 2)
        maps.append(x)
    return maps


def _small(x: Any) -> list[Any]:
    """Return three feature maps of a few separable convolutions, for training without weights."""
    x = _convolved(x, 16, 3, 2)
    maps = []
    for at, (filters, stride) in enumerate(SMALL):
        x = _separated(x, filters, stride)
        if at in SMALL_MAPS:
            maps.append(x)
    return maps


def _separated(x: Any, filters: int, stride: int) -> Any:
    from keras import layers

    x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
    return _convolved(_normalised(x), filters, 1, 1)


def _convolved(x: Any, filters: int, side: int, stride: int) -> Any:
    from keras import layers

    return _normalised(layers.Conv2D(filters, side, stride, "same", use_bias=False)(x))


def _normalised(x: Any) -> Any:
    from keras import layers

    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))
