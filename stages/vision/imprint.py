"""Makes the last layer without training: the weights of a class are its mean embedding."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.head import Head
    from stages.vision._embeddings import Learning


class ImprintMetrics(TypedDict):
    """val_accuracy and val_loss on the validation part, before its pictures are imprinted too, and the
    scale of the cosine that validation chose.
    """

    val_accuracy: float
    val_loss: float
    scale: float


def imprint(
    embeddings: In,
    head: Out,
    decision: Annotated[Out, Suffix(".json")],
    packed: In | None = None,
) -> ImprintMetrics:
    """Imprint classes: a class's weights are the mean of its unit embeddings, scaled to one length.

    embeddings: what stages.vision.embed writes
    packed:     a package of this stage; the weights of its classes are kept bit for bit
    head:       the last layer, as stages.tasks.head reads it; means.npy and seen.json for later
                extensions
    decision:   JSON: threshold, the probability below which a picture is none of the classes, and
                a description of the last layer

    The probabilities are the softmax of scale * cosine; the scale is that of the package, or else the
    one with the lowest validation loss. Then the validation pictures are imprinted too. Source:
    Qi, Brown, Lowe, "Low-Shot Learning with Imprinted Weights", CVPR 2018.
    """
    import numpy as np

    from stages.tasks.head import Head, unit_length
    from stages.vision import _embeddings
    from stages.vision._packed import open_packed

    kept = open_packed(packed) if packed else None
    learning = _embeddings.read(embeddings, kept)
    judged, final = (
        unit_length(_embeddings.means(one, learning.new))
        for one in (learning.learnt, learning.everything)
    )
    scale = _packed_scale(kept.layer) if kept else _scale(learning, judged)
    layers = _embeddings.Layers(
        *(
            _embeddings.join(Head(scale * one, np.zeros(len(one), np.float32)), kept)
            for one in (judged, final)
        )
    )
    accuracy, loss = _embeddings.write(layers, learning, kept, "imprint", head, decision)
    return ImprintMetrics(val_accuracy=accuracy, val_loss=loss, scale=scale)


def _packed_scale(layer: "Head") -> float:
    """Return the length of a class's weights, which is the same for all imprinted classes."""
    import numpy as np

    return float(np.linalg.norm(layer.weights[0]))


def _scale(learning: "Learning", directions: "NDArray[np.float32]") -> float:
    """Return the scale of the cosine with the lowest validation loss, out of 49 from 1 to 1,000."""
    import numpy as np

    from stages.tasks.head import softmax
    from stages.vision import _truth

    cosine = learning.held.x @ directions.T  # (pictures, classes)
    scales = np.geomspace(1, 1000, 49)
    losses = [_truth.log_loss(softmax(one * cosine), learning.held.classes) for one in scales]
    return float(scales[int(np.argmin(losses))])
