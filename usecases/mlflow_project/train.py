"""Trains a small network for the rows of a table, and logs to MLflow as any MLflow Project does.

It knows nothing of the engine: its inputs and outputs are paths on the command line.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np


def main() -> None:
    """Train, log each epoch, and write the model of the best one and what its output means."""
    args = _arguments()
    keras.utils.set_random_seed(args.seed)
    about = json.loads((args.train / "truth.json").read_text(encoding="utf-8"))
    rows, truth = _read(args.train)
    others, their_truth = _read(args.train / "validation")
    goal = Goal(about, truth)
    network = _network(rows.shape[1], goal.outputs, args.hidden)
    network.compile(keras.optimizers.AdamW(args.learning_rate), goal.loss)
    with mlflow.start_run():
        mlflow.log_param("rows", len(rows))
        network.fit(
            rows,
            goal.encoded(truth),
            validation_data=(others, goal.encoded(their_truth)),
            epochs=args.epochs,
            batch_size=64,
            verbose=0,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True),
                _logging(),
            ],
        )
        name, value = goal.judged(network.predict(others, verbose=0), their_truth)
        mlflow.log_metric(name, value)
        mlflow.log_dict(goal.decision, "decision.json")
    network.save(args.model)
    args.decision.write_text(json.dumps({"decision": goal.decision}), encoding="utf-8")


class Goal:
    """What the network learns: a class, or a number that is scaled to mean 0 and deviation 1."""

    def __init__(self, about: dict[str, Any], truth: np.ndarray) -> None:
        self.is_class = about["task"] == "classify"
        self.decision: dict[str, Any] = {"target": about["target"], "task": about["task"]}
        self.outputs = len(about["labels"]) if self.is_class else 1
        self.loss: Any = "mse"
        if self.is_class:
            self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        else:
            deviation = float(truth.std()) or 1.0
            self.decision |= {"form": "value", "mean": float(truth.mean()), "deviation": deviation}

    def encoded(self, truth: np.ndarray) -> np.ndarray:
        """Return what the network's output is compared with."""
        if self.is_class:
            return truth
        return (truth - self.decision["mean"]) / self.decision["deviation"]

    def judged(self, output: np.ndarray, truth: np.ndarray) -> tuple[str, float]:
        """Return the name and the value of the metric."""
        if self.is_class:
            return "val_accuracy", float((output.argmax(1) == truth).mean())
        values = self.decision["mean"] + self.decision["deviation"] * output[:, 0]
        return "val_mad", float(np.abs(values - truth).mean())


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows, (rows, size) of 0 to 255, and the truth, (rows,)."""
    rows = np.load(folder / "row.npy")
    rows = rows.reshape(len(rows), -1).astype(np.float32)
    return rows, np.load(folder / "truth_target.npy")


def _network(size: int, outputs: int, hidden: int) -> keras.Model:
    inputs = keras.Input((size,), name="row")
    values = keras.layers.Rescaling(1 / 255)(inputs)
    values = keras.layers.Dense(hidden, "relu")(values)
    values = keras.layers.Dropout(0.2)(values)
    values = keras.layers.Dense(hidden // 2, "relu")(values)
    return keras.Model(inputs, keras.layers.Dense(outputs)(values))


def _logging() -> keras.callbacks.Callback:
    """Return a callback that logs the losses of each epoch."""
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: mlflow.log_metrics(
            {name: float(value) for name, value in (logs or {}).items()}, step=epoch
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--decision", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
