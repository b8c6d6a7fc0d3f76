"""An ensemble of small networks, trained side by side and exported as one network of three dense layers.

Averaging many networks is what brings dense networks to the level of boosted trees on tables: Gorishniy et
al., "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling", ICLR 2025.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stages.tasks.columns.encoding import ONE

REACH = 4.0  # logits that are lower than the highest by more, and by that of equal outputs, do not matter
LAST = 0.5  # deviation of the last layer's weights, times the square root of its inputs


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Sizes: of the input, the number of members, each member's two hidden layers, and the output."""

    size: int
    members: int
    hidden: int
    second: int
    outputs: int


class Members:
    """The networks' weights; `averages` follow them slowly, and `best` are the averages to be kept."""

    def __init__(self, shape: Shape, energy: float, prior: NDArray[Any], seed: int) -> None:
        """Draw the weights.

        energy: mean squared length of an input; prior: (outputs,) mean of the targets
        """
        self.shape = shape
        chance = np.random.default_rng([seed, 1])
        bias = np.log(np.asarray(prior, np.float64) + 1e-3)
        sizes = (shape.members, shape.hidden, shape.second, shape.outputs)
        members, hidden, second, outputs = sizes
        self.trainable_variables = [
            _kernel(chance, (shape.size, members * hidden), np.sqrt(2 / max(energy, 1.0))),
            _bias(np.zeros(members * hidden)),
            _kernel(chance, (members, hidden, second), np.sqrt(2 / hidden)),
            _bias(np.zeros((members, 1, second))),
            _kernel(chance, (members, second, outputs), LAST / np.sqrt(second)),
            _bias(np.tile(bias, (members, 1, 1))),
        ]
        self.averages = [_copy(one) for one in self.trainable_variables]
        self.best = [_copy(one) for one in self.trainable_variables]

    @property
    def variables(self) -> list[Any]:
        return [*self.trainable_variables, *self.averages, *self.best]

    def logits(self, weights: list[Any], rows: Any, drop: "Drop | None" = None) -> Any:
        """Return each member's logits (members, n, outputs) for rows (n, size) of 0 to 1."""
        first, first_bias, second, second_bias, last, last_bias = [one.value for one in weights]
        x = drop.of_inputs(rows) if drop else rows
        x = tf.nn.relu(x @ first + first_bias)
        x = tf.reshape(x, (-1, self.shape.members, self.shape.hidden))
        x = tf.transpose(x, (1, 0, 2))
        x = drop.of_hidden(x, 1) if drop else x
        x = tf.nn.relu(x @ second + second_bias)
        x = drop.of_hidden(x, 2) if drop else x
        return x @ last + last_bias

    def floor(self, rows: NDArray[np.uint8]) -> float:
        """Return a number below which logits hardly matter in any of the rows (n, size).

        Improbable outputs have logits far below the others. int8 has 256 steps for all of them, which
        become finer if the lowest logits are cut off.
        """
        logits = self.logits(self.best, tf.constant(rows / ONE, tf.float32)).numpy().mean(0)
        return float(logits.max(1).min() - REACH - np.log(self.shape.outputs))

    def network(self, floor: float | None = None) -> Any:
        """Return the best weights as a network: rows of 0 to 255 (1, size) -> mean logits (1, outputs).

        floor: lower logits are raised to it, and all are given relative to it, which softmax ignores

        The members' second layers are blocks of one matrix, which is zero elsewhere, so that the network has
        three operators instead of three for each member.
        """
        first, first_bias, second, second_bias, last, last_bias = map(np.asarray, self.best)
        count = self.shape.members
        inputs = keras.Input((self.shape.size,), name="row")
        layers = [
            (first / ONE, first_bias),
            (_blocks(second), second_bias.reshape(-1)),
            (last.reshape(-1, self.shape.outputs) / count, last_bias.mean((0, 1)) - (floor or 0.0)),
        ]
        x = inputs
        for at, ((_, bias), name) in enumerate(
            zip(layers, ("hidden", "second", "logits"), strict=True)
        ):
            x = keras.layers.Dense(len(bias), name=name)(x)
            if at < 2 or floor is not None:
                x = keras.layers.ReLU(name=f"{name}_relu")(x)
        network = keras.Model(inputs, x)
        network.set_weights([value for layer in layers for value in layer])
        return network


@dataclass(frozen=True)
class Drop:
    """Dropout, with a seed (2,) for each step."""

    seed: Any
    inputs: float
    hidden: float

    def of_inputs(self, x: Any) -> Any:
        return tf.nn.experimental.stateless_dropout(x, self.inputs, self.seed)

    def of_hidden(self, x: Any, layer: int) -> Any:
        return tf.nn.experimental.stateless_dropout(x, self.hidden, self.seed + layer)


def _kernel(chance: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Any:
    return keras.Variable(chance.normal(0, deviation, shape).astype(np.float32), name="kernel")


def _bias(values: NDArray[Any]) -> Any:
    return keras.Variable(values.astype(np.float32), name="bias")


def _copy(variable: Any) -> Any:
    return keras.Variable(np.asarray(variable), trainable=False)


def _blocks(kernels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the kernels (members, in, out) as the blocks of one matrix (members x in, members x out)."""
    members, rows, columns = kernels.shape
    found = np.zeros((members, rows, members, columns), np.float32)
    found[np.arange(members), :, np.arange(members)] = kernels
    return found.reshape(members * rows, members * columns)
