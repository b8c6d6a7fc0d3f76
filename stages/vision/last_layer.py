"""Trains the last layer on the embeddings of a frozen network: softmax regression in numpy."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, progress
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from stages.vision._regression import Found


class LastLayerMetrics(TypedDict):
    """val_accuracy and val_loss on the validation part, before its pictures are used for training too,
    and the strength of the L2 penalty and the number of steps that validation chose.
    """

    val_accuracy: float
    val_loss: float
    l2: float
    steps: float


def last_layer(
    embeddings: In,
    head: Out,
    decision: Annotated[Out, Suffix(".json")],
    packed: In | None = None,
    *,
    most_steps: Annotated[int, Range(ge=1)] = 600,
    patience: Annotated[int, Range(ge=1)] = 50,
) -> LastLayerMetrics:
    """Train a linear layer with a softmax on embeddings of length 1.

    embeddings: what stages.vision.embed writes
    packed:     a package of this stage: its columns are kept bit for bit, and only those of the new
                classes are trained; a kept class without a picture is represented by its mean
    head:       the last layer, as stages.tasks.head reads it; means.npy and seen.json for later
                extensions
    decision:   JSON: threshold, the probability below which a picture is none of the classes, and
                a description of the last layer

    most_steps: maximum number of steps for each strength of the penalty
    patience:   steps without a lower validation loss after which the descent ends

    All classes have the same weight. Validation chooses strength, number of steps and threshold; then
    the layer is trained again with the validation pictures too. The result is deterministic. Source:
    Donahue et al., "DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition",
    ICML 2014.
    """
    from stages.vision import _embeddings, _regression
    from stages.vision._packed import open_packed

    kept = open_packed(packed) if packed else None
    learning = _embeddings.read(embeddings, kept)
    problem = _regression.problem(learning, learning.learnt, kept)
    best: Found | None = None
    for at, l2 in enumerate(_regression.STRENGTHS):
        progress(at, len(_regression.STRENGTHS), f"L2 {l2:g}")
        found = _regression.descend(problem, l2, most_steps, patience)
        if best is None or found.loss < best.loss:
            best = found
    assert best is not None
    judged = _embeddings.join(best.columns.layer(problem), kept)
    whole = _regression.problem(learning, learning.everything, kept)
    final = _embeddings.join(_regression.repeat(whole, best).layer(whole), kept)
    layers = _embeddings.Layers(judged, final)
    accuracy, loss = _embeddings.write(layers, learning, kept, "last_layer", head, decision)
    return LastLayerMetrics(
        val_accuracy=accuracy, val_loss=loss, l2=best.l2, steps=float(best.steps)
    )
