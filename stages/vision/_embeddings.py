"""Reads embeddings with their classes, and writes the last layer that was computed from them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import note
from stages.tasks import head
from stages.tasks.head import Head
from stages.tflite import part
from stages.vision import _packed, _threshold, _truth
from stages.vision._packed import Packed


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of length 1, and the class of each."""

    x: NDArray[np.float32]  # (pictures, size)
    classes: NDArray[np.int64]  # (pictures,)
    digests: "list[str]"

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Layers:
    """The last layer that validation evaluates, and the final one, which also uses its pictures."""

    judged: Head
    final: Head


@dataclass(frozen=True)
class Learning:
    """The data for a last layer: embeddings for training and for validation, and the classes."""

    learnt: Embeddings
    held: Embeddings  # for validation; the training embeddings if there are none
    labels: "list[str]"
    kept: int  # number of packed classes, which come first and do not change
    about: "dict[str, Any]"

    @property
    def new(self) -> range:
        """Return the indices of the new classes."""
        return range(self.kept, len(self.labels))

    @property
    def everything(self) -> Embeddings:
        """Return the embeddings for training and validation together."""
        if self.held is self.learnt:
            return self.learnt
        one, other = self.learnt, self.held
        x, classes = np.concatenate([one.x, other.x]), np.concatenate([one.classes, other.classes])
        return Embeddings(x, classes, one.digests + other.digests)


def read(folder: Path, packed: "Packed | None") -> Learning:
    """Return the embeddings that stages.vision.embed wrote."""
    learnt, held = _part(folder), _part(folder / "validation")
    if held is None:
        note(
            "there are no validation pictures: the settings are chosen, and val_accuracy is "
            "measured, on the training pictures"
        )
    assert learnt is not None  # stages.vision.dataset rejects a data set without one
    labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    return Learning(learnt, held or learnt, labels, len(packed.labels) if packed else 0, about)


def _part(folder: Path) -> "Embeddings | None":
    if not folder.is_dir():
        return None
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    x = head.unit_length(np.asarray(part.read(folder).tensors["embedding"]))
    return Embeddings(x, np.load(folder / "truth_class.npy"), truth["digests"])


def means(of: Embeddings, classes: range) -> NDArray[np.float32]:
    """Return the mean embedding of each of these classes (classes, size)."""
    found: list[NDArray[np.float32]] = [of.x[of.classes == at].mean(0) for at in classes]
    return np.stack(found)


def join(made: Head, packed: "Packed | None") -> Head:
    """Return the layer with the unchanged columns of the kept classes before the new ones."""
    if packed is None:
        return made
    kept = packed.layer
    return Head(
        np.concatenate([kept.weights, made.weights]), np.concatenate([kept.bias, made.bias])
    )


def write(
    layers: Layers,
    learning: Learning,
    packed: "Packed | None",
    method: str,
    to: Path,
    decision: Path,
) -> "tuple[float, float]":
    """Write the last layer and its threshold; return accuracy and loss on validation."""
    to.mkdir()
    layers.final.write(to)
    made = means(learning.everything, learning.new)
    all_means = np.concatenate([packed.means, made]) if packed else made
    np.save(to / _packed.MEANS, all_means, allow_pickle=False)
    (to / _packed.SEEN).write_text(json.dumps(_seen(learning, packed)), encoding="utf-8")
    scores = layers.judged.probabilities(learning.held.x)
    about = _packed.constants(method, learning.about["extractor_sha256"], learning.kept)
    found = {"threshold": _chosen(scores, learning, packed), "head": about}
    decision.write_text(json.dumps(found, indent=1), encoding="utf-8")
    truth = learning.held.classes
    return float((scores.argmax(1) == truth).mean()), _truth.log_loss(scores, truth)


def _chosen(scores: NDArray[np.float32], learning: Learning, packed: "Packed | None") -> float:
    """Return the threshold from validation; at most the packed one if a kept class has no picture."""
    found = _threshold.threshold(scores)
    tested = set(learning.held.classes.tolist())
    if packed and not tested.issuperset(range(learning.kept)):
        return min(found, packed.threshold)
    return found


def _seen(learning: Learning, packed: "Packed | None") -> "dict[str, list[str]]":
    """Return the digests of all training and validation pictures of the classes."""
    before = packed.seen if packed else {}
    now = {"train": learning.learnt.digests, "val": []}
    if learning.held is not learning.learnt:
        now["val"] = learning.held.digests
    return {name: sorted({*before.get(name, ()), *digests}) for name, digests in now.items()}
