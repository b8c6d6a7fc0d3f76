"""Turns a folder of the user's examples into the data parts for exporting a trained model."""

import math
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.tflite.tensor import Tensor

TESTED = 5  # every fifth example belongs to the test part
MOST_FILES = 500  # the number that `quantise` calibrates with; each picture becomes a float32 input
NAMED = 8  # maximum number of files named in one note


class ExamplesMetrics(TypedDict):
    """The number of examples for calibration and for testing, and of unreadable files."""

    train_examples: float
    test_examples: float
    skipped: float


def examples(
    examples: In,
    model: In,
    train: Out,
    test: Out,
    labels: In | None = None,
    *,
    role: str = "model",
    mean: float | None = None,
    deviation: Annotated[float, Range(gt=0)] | None = None,
) -> ExamplesMetrics:
    """Read pictures or arrays as the model's inputs: four fifths for calibration, one fifth for testing.

    examples: a folder of pictures, of .npy files with one example or several (examples, ...), or of
              .npz files with the tensors of one example by input name; subfolders are read too. At
              most 500 files are used
    model:    a model that `quantise` accepts; its inputs define the form of an example
    labels:   a text file with the name of a class on each line, in the order of the model's outputs
    mean, deviation: a pixel of 0 to 255 becomes (pixel - mean) / deviation; null: unscaled pixels for
              a quantised model and for one with a Rescaling layer, otherwise 0..1 and a note
    train, test: parts; test has raw items, labels.txt if there are labels, and constants.json if the
              examples are pictures
    role: the role of the model that the examples are for
    StageError: fewer than two examples, examples of another shape, pictures for a model with several
    inputs, or more or fewer labels than values of each output.
    """
    import json

    import numpy as np

    from stages.edge import _pixels, _sources
    from stages.tflite import part

    inputs, outputs = _ends(model, role)
    source = _sources.find(model, role)[role]
    picture, remark = _pixels.scaling(next(iter(inputs.values())), source, mean, deviation)
    bad: list[str] = []
    found = _read(examples, inputs, picture, bad)
    if bad:
        files = f"{len(bad)} unreadable file{'s' * (len(bad) != 1)}"
        note(f"skipped {files}: {'; '.join(bad[:NAMED])}")
    if len(found) < 2:
        raise StageError(
            f"there are {len(found)} examples: provide at least two, preferably 100"
            + "".join(f"; not an example: {one}" for one in bad[:1])
        )
    chosen = {test: found[::TESTED], train: [one for at, one in enumerate(found) if at % TESTED]}
    for folder, rows in chosen.items():
        tensors = {name: np.stack([values[name] for _, values in rows]) for name in inputs}
        part.write(folder, tensors)
    used = {"picture": picture} if any(path for path, _ in found) else {}
    if used and remark:
        note(remark)
    (test / "constants.json").write_text(json.dumps(used, indent=1), encoding="utf-8")
    if labels is not None:
        names = _names(labels, outputs)
        (test / "labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    _write_raw(test, chosen[test][: part.MOST_ITEMS])
    return ExamplesMetrics(
        train_examples=float(len(chosen[train])),
        test_examples=float(len(chosen[test])),
        skipped=float(len(bad)),
    )


Example = "tuple[Path | None, dict[str, NDArray[np.float32]]]"  # its picture, and its tensors


def _names(labels: "Path", outputs: "dict[str, Tensor]") -> list[str]:
    """Return the lines of the file; an output of the model has one value for each."""
    try:
        names = labels.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        raise StageError(f"{labels.name} is not a text file in UTF-8") from None
    while names and not names[-1].strip():
        names.pop()
    sizes = [math.prod(tensor.shape) for tensor in outputs.values()]
    if len(names) not in sizes:
        raise StageError(
            f"{labels.name} has {len(names)} lines, but the model's outputs have "
            f"{' and '.join(map(str, sizes))} values: write one line for each value"
        )
    return [name.strip() for name in names]


def _ends(model: "Path", role: str) -> "tuple[dict[str, Tensor], dict[str, Tensor]]":
    """Return the model's inputs and outputs, whatever its format."""
    from stages.edge import _declared, _sources
    from stages.tflite import roles

    source = _sources.find(model, role)
    if role not in source:
        raise StageError(f"there is no model '{role}': the roles are {', '.join(source)}")
    one = source[role]
    if one.is_ready:
        return _opened_ends(roles.runnable(roles.files(one.path))[0])
    return _declared.ends(one)


def _opened_ends(model: "Path") -> "tuple[dict[str, Tensor], dict[str, Tensor]]":
    from stages.edge._ends import ends
    from stages.tflite.model import open_model
    from stages.tflite.schema import read_model

    ends(read_model(model))  # refuses inputs that no example can fit
    opened = open_model(model)
    return dict(opened.inputs), dict(opened.outputs)


def _read(
    folder: "Path", inputs: "dict[str, Tensor]", picture: dict[str, float], bad: list[str]
) -> "list[Any]":
    """Return the examples in natural order: each one's picture, if any, and its tensors."""
    from stages.media import kinds
    from stages.media.unreadable import Unreadable
    from stages.tflite import arrays

    if not folder.is_dir():
        raise StageError(f"{folder.name} is not a folder: put examples into one")
    files = _spread(_files(folder))
    found: list[Any] = []
    for at, path in enumerate(files):
        progress(at, len(files), path.name)
        try:
            if kinds.is_picture(path):
                found.append((path, _of_picture(path, inputs, picture)))
            elif arrays.is_array(path):
                found += [(None, one) for one in _finite(arrays.read(path, inputs))]
            else:
                bad.append(f"{path.name} (not a picture, .npy or .npz file)")
        except (Unreadable, arrays.Misfit) as error:
            bad.append(f"{path.name} ({error})")
    return found


def _finite(found: "list[dict[str, NDArray[Any]]]") -> "list[dict[str, NDArray[Any]]]":
    """Refuse NaN and infinity, which make ranges and figures meaningless."""
    import numpy as np

    from stages.tflite.arrays import Misfit

    for one in found:
        if not all(np.isfinite(values).all() for values in one.values()):
            raise Misfit("it contains NaN or infinity")
    return found


def _files(folder: "Path") -> "list[Path]":
    """Return the files of a folder and its subfolders, such as one per class."""
    from stages.media import kinds

    found: list[Path] = []
    for path in kinds.visible(folder):
        found += _files(path) if path.is_dir() else [path]
    return found


def _spread(files: "list[Path]") -> "list[Path]":
    """Return at most MOST_FILES files, evenly spaced so that all classes are included."""
    if len(files) <= MOST_FILES:
        return files
    note(f"using {MOST_FILES} of {len(files)} files, evenly spaced; more would only use memory")
    return [files[at * len(files) // MOST_FILES] for at in range(MOST_FILES)]


def _of_picture(
    path: "Path", inputs: "dict[str, Tensor]", picture: dict[str, float]
) -> "dict[str, NDArray[np.float32]]":
    from stages.media.pictures import read_picture
    from stages.tasks.tensors import as_tensor

    if len(inputs) != 1:
        raise StageError(f"the model has {len(inputs)} inputs: give .npz files instead of pictures")
    ((name, tensor),) = inputs.items()
    return {name: as_tensor(read_picture(path), tensor.shape, picture)[0]}


def _write_raw(test: "Path", rows: "list[Any]") -> None:
    import shutil

    import numpy as np

    from stages.tflite import part

    raw, spans = part.raw_folder(test), {}
    for at, (path, tensors) in enumerate(rows):
        name = f"{at:02}{path.suffix.lower() if path else '.npz'}"
        if path:
            shutil.copyfile(path, raw / name)
        else:
            np.savez(raw / name, **tensors)
        spans[name] = (at, at)
    part.write_items(test, spans)
