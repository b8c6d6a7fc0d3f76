"""Makes training depend only on its seed, and saves networks to files that depend on nothing else."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def fix(seed: int, threads: int) -> None:
    """Make training deterministic; the number of threads matters too, since it changes summation order."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def save(network: Any, model: "Path") -> None:
    """Write architecture.json and weights_*.npy to a new folder; a .keras file would contain the time."""
    import numpy as np

    model.mkdir()
    (model / "architecture.json").write_text(network.to_json(), encoding="utf-8")
    for at, weights in enumerate(network.get_weights()):
        np.save(model / f"weights_{at:03}.npy", weights)


def load(model: "Path") -> Any:
    """Return the network that `save` wrote."""
    import keras
    import numpy as np

    network = keras.models.model_from_json(
        (model / "architecture.json").read_text(encoding="utf-8")
    )
    set_weights(network, [np.load(path) for path in sorted(model.glob("weights_*.npy"))])
    return network


def set_weights(network: Any, weights: "list[Any]") -> None:
    """Set the weights, also those that a layer keeps a second time.

    Normalization computes with copies of its mean and variance, which `set_weights` leaves as they are
    (keras/src/layers/preprocessing/normalization.py).
    """
    network.set_weights(weights)
    for layer in network._flatten_layers():
        if type(layer).__name__ == "Normalization":
            layer.finalize_state()
