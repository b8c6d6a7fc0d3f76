"""Reads pictures with their classes, and splits them into training, validation and test parts."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.vision._pictures import Source

# inputs that are useless without the others, checked when planning
TOGETHER = {"packed": ["extend", "picture"], "extend": ["packed", "picture"]}
RAW_BYTES = 4_000_000  # raw items are sent to the device, so they must be small
NAMED = 5  # maximum number of files named in one note


class DatasetMetrics(TypedDict):
    """Numbers of pictures in each part, of classes, of files that are unreadable or not pictures, and of
    pictures left out because the same picture is also in another class.
    """

    train_pictures: float
    val_pictures: float
    test_pictures: float
    classes: float
    unreadable: float
    ambiguous: float


def dataset(
    pictures: In | None,
    train: Out,
    test: Out,
    picture: In | None = None,
    packed: In | None = None,
    extend: In | None = None,
    *,
    size: Annotated[int, Range(ge=32, le=512)] = 160,
    fit: Literal["crop", "stretch"] = "crop",
    test_share: Annotated[float, Range(gt=0, lt=1)] = 0.2,
    val_share: Annotated[float, Range(gt=0, lt=1)] = 0.15,
    seed: Annotated[int, Range(ge=0)] = 0,
) -> DatasetMetrics:
    """Read each picture once, at the network's input size, and split the data set into three parts.

    pictures:    one folder per class, train/ with test/ or val/, or a CSV file,label[,split]
    picture:     what stages.vision.extractor writes: size and scaling of a pretrained network's
                 input; without it, pictures have `size`, and pixels are not scaled
    packed:      a package whose model is extended; extend: the pictures of new classes, like
                 `pictures`, which then contains only packed classes, and may be missing
    train, test: parts with the tensor `picture`, uint8 (pictures, size, size, 3), pixels from 0 to 255;
                 truth_class.npy int64 (pictures,), truth.json, labels.txt and constants.json; train
                 contains the part validation/, test contains some pictures as raw items

    size: side of the network's square input, in pixels
    fit:  crop: use the middle square of a picture; stretch: squeeze the whole picture into a square
    test_share: share of each class's pictures in the test part
    val_share: share of each class's pictures in the validation part
    seed: determines the split

    Near-duplicates stay in the same part (stages.media.duplicates). A picture that is in two classes
    is left out. An existing split is kept. Pictures that a packed model was trained on are never in
    the test part. StageError: a class without a training picture; no test picture; added classes that
    the packed model already has.
    """
    import numpy as np

    from stages.media import duplicates
    from stages.vision import _extension, _split
    from stages.vision._packed import open_packed

    kept = open_packed(packed) if packed else None
    found, labels = _extension.collect(pictures, kept, extend)
    fit = kept.package.constants["fit"] if kept else fit
    constants = {**_input(picture, size), "fit": fit}
    read = _Read(found.sources, constants)
    _tell("skipped", found.ignored, "non-picture file")
    _tell("ignored", found.empty, "folder", " without pictures")
    _tell_alike(found.alike)
    _tell("skipped", read.bad, "unreadable file")
    ambiguous = _split.ambiguous(read.digests, read.sources)
    repeated = [read.sources[at].name for at in sorted(ambiguous)]
    _tell("left out", repeated, "file", " that are in two classes")
    group = duplicates.groups(np.stack(read.thumbnails))
    shares, names = (test_share, val_share), [one.hex()[:16] for one in read.digests]
    if kept:
        parts = _extension.split(read.sources, names, group, ambiguous, shares, seed, kept)
    else:
        parts = _split.split(read.sources, group, ambiguous, shares, seed)
    about = {"labels": labels, "constants": constants, "digests": names}
    folders = {"train": train, "val": train / "validation", "test": test}
    for name, folder in folders.items():
        if parts[name]:
            _write(folder, read, parts[name], about)
    _write_raw(test, read, parts["test"])
    return DatasetMetrics(
        train_pictures=float(len(parts["train"])),
        val_pictures=float(len(parts["val"])),
        test_pictures=float(len(parts["test"])),
        classes=float(len(labels)),
        unreadable=float(len(found.ignored) + len(read.bad)),
        ambiguous=float(len(ambiguous)),
    )


def _input(picture: "Path | None", size: int) -> dict[str, Any]:
    """Return the side of the network's input, and the scaling of its pixels, if any."""
    import json

    if picture is None:
        return {"size": size}
    about = json.loads(picture.read_text(encoding="utf-8"))
    return {"size": about.pop("size"), "picture": about}


class _Read:
    """The readable pictures, decoded once into a memory-mapped file."""

    def __init__(self, sources: "list[Source]", constants: dict[str, Any]) -> None:
        import hashlib
        import tempfile

        import numpy as np

        from stages.media.duplicates import thumbnail
        from stages.media.pictures import read_many
        from stages.media.unreadable import Unreadable
        from stages.tasks.classify import prepared

        side = constants["size"]
        self.sources: list[Source] = []
        self.bad: list[str] = []
        self.thumbnails: list[NDArray[np.float32]] = []
        self.digests: list[bytes] = []
        shape = (max(1, len(sources)), side, side, 3)
        with tempfile.NamedTemporaryFile(dir=".") as file:
            self.pixels = np.memmap(file, np.uint8, "w+", shape=shape)
        found = read_many((source.path for source in sources), side)
        for at, (source, (_, picture)) in enumerate(zip(sources, found, strict=True)):
            progress(at + 1, len(sources), source.name)
            if isinstance(picture, Unreadable):
                self.bad.append(f"{source.name} ({picture})")
                continue
            values = prepared(picture.pixels, constants)
            self.pixels[len(self.sources)] = values
            self.sources.append(source)
            self.thumbnails.append(thumbnail(values))
            self.digests.append(hashlib.sha256(values.tobytes()).digest())
        if not self.sources:
            raise StageError(f"no picture can be read: {self.bad[0]}")


def _tell(done: str, names: list[str], what: str, which: str = "") -> None:
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        count = f"{len(names)} {what}{'s' * (len(names) != 1)}"
        note(f"{done} {count}{which}: {', '.join(names[:NAMED])}{more}")


def _tell_alike(labels: list[str]) -> None:
    if labels:
        note(
            f"classes differ only in upper and lower case: {', '.join(labels)}; if they are the "
            "same class, use one name for their folders or rows"
        )


def _write(folder: "Path", read: _Read, rows: list[int], about: dict[str, Any]) -> None:
    """Write a part with its ground truth, and with the labels and constants for the package."""
    import json

    import numpy as np

    from stages.tflite import part

    labels = about["labels"]
    described = {"picture": (read.pixels.shape[1:], "uint8")}
    scaling = {name: one for name, one in about["constants"].items() if name == "picture"}
    target = part.create(folder, len(rows), described, scaling)["picture"]
    for at, row in enumerate(rows):
        target[at] = read.pixels[row]
    classes = [labels.index(read.sources[row].label) for row in rows]
    np.save(folder / "truth_class.npy", np.array(classes, np.int64))
    names = [read.sources[row].name for row in rows]
    digests = [about["digests"][row] for row in rows]
    truth = {"labels": labels, "names": names, "digests": digests}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    text = json.dumps(about["constants"], indent=1)
    (folder / "constants.json").write_text(text, encoding="utf-8")


def _write_raw(test: "Path", read: _Read, rows: list[int]) -> None:
    """Copy some evenly spaced test pictures unchanged."""
    import shutil

    import numpy as np

    from stages.media.kinds import is_picture
    from stages.tflite import part

    raw, spans = part.raw_folder(test), {}
    small = [
        at
        for at, row in enumerate(rows)
        if is_picture(path := read.sources[row].path) and path.stat().st_size <= RAW_BYTES
    ]
    chosen = np.linspace(0, len(small) - 1, min(part.MOST_ITEMS, len(small))).round().astype(int)
    for number, at in enumerate(small[one] for one in chosen):
        path = read.sources[rows[at]].path
        name = f"{number:02}{path.suffix.lower()}"
        shutil.copyfile(path, raw / name)
        spans[name] = (at, at)
    part.write_items(test, spans)
