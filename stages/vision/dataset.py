"""Reads pictures with their classes, and splits them so that no picture is in two parts."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.vision._pictures import Source

RAW_BYTES = 4_000_000  # a larger picture is no raw item: they travel to the device
NAMED = 5  # at most so many files are named in one note


class DatasetMetrics(TypedDict):
    """Pictures of each part and classes; files that are unreadable or not pictures; pictures left
    out because the same one is in another class.
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
    """Read each picture once, in the size of the network, and cut the set into three parts.

    pictures:    a folder for each class, train/ with test/ or val/, or a CSV file,label[,split]
    picture:     what stages.vision.extractor writes: the size and the scaling of a ready network's
                 input; without it, `size`, and pixels as they are
    packed:      a package whose model gets more classes; extend: their pictures, as in `pictures`,
                 which then are of the packed classes alone, and may be missing
    train, test: parts with the tensor `picture`, uint8 (pictures, size, size, 3), pixels of 0 to 255;
                 truth_class.npy int64 (pictures,), truth.json, labels.txt and constants.json; train
                 has the part validation/, test some pictures as raw items

    size: side of the square that the network sees, pixels
    fit:  crop: the middle square of a picture; stretch: all of it, squeezed
    test_share, val_share: share of the pictures of each class
    seed: decides which pictures are in which part

    Near-duplicates stay together (stages.vision._duplicates). A picture that is in two classes is in
    none. Parts that the set brings itself stay as they are. Pictures that a packed model was trained
    on are not tested with. StageError: a class without a picture to train on, or a set without a
    picture to test with; classes to add that are there already, or without a ready network.
    """
    import numpy as np

    from stages.vision import _duplicates, _extension, _split
    from stages.vision._packed import open_packed

    if (packed or extend) and picture is None:
        raise StageError(
            "assets.packed and assets.extend need params.method=last_layer or imprint: a network "
            "that is fine-tuned cannot get more classes"
        )
    kept = open_packed(packed) if packed else None
    found, labels = _extension.collect(pictures, kept, extend)
    fit = kept.package.constants["fit"] if kept else fit
    constants = {**_input(picture, size), "fit": fit}
    read = _Read(found.sources, constants)
    _tell(found.ignored, "are not pictures")
    _tell(found.empty, "hold no picture and are no classes", "folders")
    _tell_alike(found.alike)
    _tell(read.bad, "cannot be read")
    ambiguous = _split.ambiguous(read.digests, read.sources)
    _tell([read.sources[at].name for at in sorted(ambiguous)], "are in two classes: left out")
    group = _duplicates.groups(np.stack(read.thumbnails))
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
    """Return the side of the network's input, and the scaling of its pixels if it has one."""
    import json

    if picture is None:
        return {"size": size}
    about = json.loads(picture.read_text(encoding="utf-8"))
    return {"size": about.pop("size"), "picture": about}


class _Read:
    """The pictures that can be read, decoded once, in a file that is mapped and not held."""

    def __init__(self, sources: "list[Source]", constants: dict[str, Any]) -> None:
        import hashlib
        import tempfile

        import numpy as np

        from stages.media.pictures import read_many
        from stages.media.unreadable import Unreadable
        from stages.tasks.classify import prepared
        from stages.vision._duplicates import thumbnail

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
            raise StageError(f"no picture is readable: {self.bad[0]}")


def _tell(names: list[str], what: str, of: str = "files") -> None:
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        note(f"{len(names)} {of} {what}: {', '.join(names[:NAMED])}{more}")


def _tell_alike(labels: list[str]) -> None:
    if labels:
        note(
            f"classes differ only in upper and lower case: {', '.join(labels)}; if they are the "
            "same, give their folders or rows one name"
        )


def _write(folder: "Path", read: _Read, rows: list[int], about: dict[str, Any]) -> None:
    """Write a part with its truth; labels and constants as the package will have them."""
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
    """Copy some of the test pictures as they are, spread over all of them."""
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
