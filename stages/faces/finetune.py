"""Fine-tunes the embedding head on the user's own people: adds a linear layer to the network."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.faces._adaptation import Head

BATCH = 16


class FinetuneMetrics(TypedDict):
    """The numbers of people and of faces that the head was fitted to, and the share of their covariance
    that it normalises.
    """

    people: float
    faces: float
    share: float


def finetune(
    model: In,
    train: In,
    tuned: Out,
    *,
    seed: Annotated[int, Range(ge=0)] = 0,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> FinetuneMetrics:
    """Fit a head to the embeddings of the people who are there for it; the layers below stay unchanged.

    model: architecture.json and weights_*.npy of the embedder, (1, height, width, 3) -> (1, d)
    train: the part that stages.faces.people writes, with the part training/
    tuned: the same network with the head, (1, height, width, 3) -> (1, d)

    seed:    of the division of people that chooses how strong the head is
    threads: CPU threads of TensorFlow

    Each face also counts mirrored. StageError: a network that is already a .tflite file; fewer than four
    people.
    """
    import numpy as np

    from stages.faces import _adaptation
    from stages.tflite import part
    from stages.training.network import fix, load, save

    if not (model / "architecture.json").is_file():
        raise StageError(
            "params.method=finetune needs a network in Keras, and assets.embedder is a .tflite file: use "
            "params.method=published, or another embedder"
        )
    folder = train / "training"
    people = np.load(folder / "truth_person.npy") if folder.is_dir() else np.zeros(0, np.int64)
    count = len(np.unique(people))
    if count < _adaptation.FEWEST:
        raise StageError(
            f"{count} {'person has' if count == 1 else 'people have'} faces for fine-tuning, and it needs "
            f"{_adaptation.FEWEST}: add people with at least two pictures, or use params.method=published"
        )
    fix(seed, threads)
    network = load(model)
    embeddings = _embeddings(network, part.read(folder).values("picture"))
    people = np.concatenate([people, people])
    share = _adaptation.best(embeddings, people, seed)
    head = _adaptation.fit(embeddings, people, share)
    save(_with(network, head), tuned)
    return FinetuneMetrics(people=float(count), faces=len(people) / 2, share=share)


def _embeddings(network: Any, faces: Any) -> "NDArray[np.float32]":
    """Return the embeddings (2 * faces, d) of all faces, and then of their mirror images."""
    import numpy as np

    from stages.tasks.head import unit_length

    found: tuple[list[Any], list[Any]] = ([], [])
    for start in range(0, len(faces), BATCH):
        progress(start, len(faces))
        values = np.asarray(faces[start : start + BATCH], np.float32)
        for rows, pictures in zip(found, (values, values[:, :, ::-1]), strict=True):
            rows.append(np.asarray(network(pictures, training=False)))
    return unit_length(np.concatenate([*found[0], *found[1]]))


def _with(network: Any, head: "Head") -> Any:
    """Return the network with the head as two dense layers, which are rounded apart from the embedding."""
    import keras
    from keras import layers

    embedding = network.output
    along = layers.Dense(head.strength.size, use_bias=False, name="along")
    across = layers.Dense(embedding.shape[-1], use_bias=False, name="across")
    tuned = layers.Subtract(name="tuned")([embedding, across(along(embedding))])
    along.set_weights([head.directions])
    across.set_weights([(head.directions * head.strength).T])
    return keras.Model(network.input, tuned)
