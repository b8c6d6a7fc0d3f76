"""Reads pictures of people, aligns a face in each, and divides them into gallery, validation and test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range
from stages.training.findings import listed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.faces._division import Parts
    from stages.faces._extension import Packed
    from stages.faces._sources import Source
    from stages.tasks.blazeface import Found
    from stages.tasks.face_input import FaceInput
    from stages.tflite.model import Model

RAW_BYTES = 4_000_000  # raw items are sent to the device, so they must be small
DRAWN, DRAWN_SIDE, DRAWN_SEED = 4, 240, 11  # raw items that show nobody
COPY = 0.995  # correlation of copies; one person's pictures in the same place reach 0.99
TRAIN_SHARE = 0.35  # share of the people who fine-tune
NOBODY = -1  # the person of a drawn face
NAMED = 5  # maximum number of files named in one note


class PeopleMetrics(TypedDict):
    """Numbers of people (with those of the package), of faces in each part, and of pictures by problem:
    without a face, with several (the largest is used), unreadable, near-duplicates of the same person,
    and in two people's folders.
    """

    people: float
    gallery_faces: float
    val_faces: float
    train_faces: float
    test_faces: float
    faceless: float
    crowded: float
    unreadable: float
    repeated: float
    ambiguous: float


@dataclass(eq=False)
class Example:
    """An aligned face and its origin."""

    source: "Source"
    pixels: "NDArray[Any]"  # (height, width, 3) uint8
    box: list[float]  # in the picture, in pixels
    turn: float | None  # to the side, in degrees; None: unknown
    thumbnail: "NDArray[Any]"  # of the picture, to find near-duplicates


def people(
    pictures: In,
    train: Out,
    test: Out,
    detector: In | None = None,
    packed: In | None = None,
    face: In | None = None,
    *,
    enrolled: Annotated[int, Range(ge=1)] = 1,
    val_share: Annotated[float, Range(ge=0, lt=1)] = 0.35,
    method: Literal["published", "finetune"] = "published",
    show_faces: bool = False,
    seed: Annotated[int, Range(ge=0)] = 0,
) -> PeopleMetrics:
    """Read each picture once, and keep its largest face.

    pictures:    one folder per person
    detector:    models by role, as stages.faces.detector writes them; without one of the role `detector`,
                 each picture must be a face, which it fills
    packed:      the people of a package, as stages.faces.unpack writes them. `pictures` are then of people
                 to add to them, nobody validates, and only new people test
    face:        what `embedder` wrote: the face that the network needs; not needed with `packed`
    train, test: parts with the tensor `picture`, uint8 (faces, height, width, 3), the aligned faces;
                 truth_person.npy int64 (faces,), truth.json, labels.txt and constants.json. train has the
                 faces of the gallery, and contains the part validation/, if any; test also has raw items

    enrolled:   most pictures of each person in the gallery; at least half of them stay for tests
    val_share:  share of the people whose other pictures validate; those of the others test
    method:     finetune: a third of the people neither validate nor test, but fine-tune the embedder; train
                then also contains the part training/
    show_faces: true: the raw items, which travel with the package for `verify`, are test pictures. By
                default they are drawn faces, and no picture of a person leaves the data set's artifacts
    seed:       determines who validates

    The test part has aligned faces of people, and is sent to the device while `infer` runs there.
    StageError: fewer than two people with a usable face (with `packed`, nobody); somebody called "unknown";
    no face in any picture; a val_share with which nobody would test, for `finetune`.
    """
    import numpy as np

    from stages.faces import _division, _extension, _sources
    from stages.media import duplicates

    old = _extension.packed_people(packed) if packed else None
    wanted = _wanted(old, face)
    if old:
        val_share = 0.0
    _require_testers(val_share, method)
    fewest = 1 if old else 2
    found = _sources.find(pictures, fewest)
    read = _Read(found.sources, _opened(detector), wanted)
    _tell("skipped", found.ignored, "other file")
    _tell("ignored", found.empty, "folder", " without pictures")
    _tell("skipped", read.bad, "unreadable file")
    _tell("left out", read.faceless, "picture", " without a face")
    _tell("used the largest face of", read.crowded, "picture", " with several")
    if not read.examples:
        raise StageError(f"no picture has a face: {', '.join((read.faceless + read.bad)[:NAMED])}")
    whole = np.stack([one.thumbnail for one in read.examples])
    cut = np.stack([duplicates.thumbnail(one.pixels) for one in read.examples])
    group = duplicates.groups(whole, cut, least=COPY)
    owners = [one.source.person for one in read.examples]
    train_share = TRAIN_SHARE if method == "finetune" else 0.0
    parts = _division.divide(owners, group, enrolled, val_share, seed, train_share)
    if old:
        parts["test"] = old.untested(parts["test"], owners)
    for name, which in (("repeated", " of the same person"), ("ambiguous", " of two people")):
        names = [read.examples[at].source.name for at in parts[name]]
        _tell("left out", names, "near-duplicate", which)
    labels = sorted({owners[at] for at in parts["gallery"]})
    _require_people(labels, fewest, len(parts["ambiguous"]))
    if old:
        labels = old.with_new(labels)
    chosen = {name: [read.examples[at] for at in rows] for name, rows in parts.items()}
    raw = _raw(chosen["test"], _opened(detector), wanted, show_faces)
    _write(train, chosen["gallery"], labels, wanted)
    for name, folder in (("val", "validation"), ("train", "training")):
        if chosen[name]:
            _write(train / folder, chosen[name], labels, wanted)
    _write(
        test, chosen["test"] + [one for one, _ in raw if one.source.person == ""], labels, wanted
    )
    _write_raw(test, chosen["test"], raw)
    return _counted(labels, parts, read)


def _require_testers(val_share: float, method: str) -> None:
    """Raise StageError if the shares of people who fine-tune and who validate leave nobody to test."""
    if method == "finetune" and val_share + TRAIN_SHARE >= 1:
        raise StageError(
            f"params.val_share={val_share:g}: {TRAIN_SHARE:.0%} of the people fine-tune, so that nobody is "
            f"left to test: set params.val_share below {1 - TRAIN_SHARE:g}, or use params.method=published"
        )


def _require_people(labels: list[str], fewest: int, ambiguous: int) -> None:
    """Raise StageError if too few people have a face that is nobody else's."""
    if len(labels) >= fewest:
        return
    who = "nobody has a usable face" if fewest == 1 else "fewer than two people have a usable face"
    why = "add pictures in which one face is clearly visible"
    if ambiguous:
        pictures = "1 picture shows" if ambiguous == 1 else f"{ambiguous} pictures show"
        why = f"{pictures} the face of two people: leave each picture in the folder of one person"
    raise StageError(f"{who}: {why}")


def _counted(labels: list[str], parts: "Parts", read: "_Read") -> PeopleMetrics:
    return PeopleMetrics(
        people=float(len(labels)),
        gallery_faces=float(len(parts["gallery"])),
        val_faces=float(len(parts["val"])),
        train_faces=float(len(parts["train"])),
        test_faces=float(len(parts["test"])),
        faceless=float(len(read.faceless)),
        crowded=float(len(read.crowded)),
        unreadable=float(len(read.bad)),
        repeated=float(len(parts["repeated"])),
        ambiguous=float(len(parts["ambiguous"])),
    )


def _opened(detector: "Path | None") -> "Model | None":
    """Open the detector on the build machine, in the form that is packed, if there is one."""
    from stages.tasks import faces
    from stages.tflite import roles
    from stages.tflite.interpreters import ANY
    from stages.tflite.model import open_model

    forms = roles.by_role(detector).get(faces.DETECTOR) if detector else None
    return open_model(roles.runnable(forms)[0], ANY) if forms else None


class _Read:
    """The aligned faces of all readable pictures."""

    def __init__(
        self, sources: "list[Source]", detector: "Model | None", wanted: "FaceInput"
    ) -> None:
        from stages.media.pictures import read_many
        from stages.media.unreadable import Unreadable
        from stages.tasks import faces

        self.examples: list[Example] = []
        self.bad: list[str] = []
        self.faceless: list[str] = []
        self.crowded: list[str] = []
        found = read_many(source.path for source in sources)
        for at, (source, (_, picture)) in enumerate(zip(sources, found, strict=True)):
            progress(at + 1, len(sources), source.name)
            if isinstance(picture, Unreadable):
                self.bad.append(f"{source.name} ({picture})")
                continue
            there = faces.detected(picture.pixels, detector)
            if not len(there):
                self.faceless.append(source.name)
                continue
            if len(there) > 1:
                self.crowded.append(source.name)
            self.examples.append(_example(source, picture.pixels, there, wanted))


def _wanted(packed: "Packed | None", face: "Path | None") -> "FaceInput":
    """Return the embedder's input: that of the package, or that of the network that is to be packed."""
    import json

    from stages.tasks import faces

    if packed:
        return faces.input_of(packed.constants)
    return faces.input_of(json.loads(face.read_text(encoding="utf-8")) if face else {})


def _example(
    source: "Source", picture: "NDArray[Any]", found: "Found", wanted: "FaceInput"
) -> Example:
    from stages.media import duplicates
    from stages.tasks import face_turn, faces

    pixels, box = faces.face(picture, found, 0, wanted), faces.box(found, 0)
    points = found.landmarks[0]
    turn = round(face_turn.turn(points), 1) if len(points) else None
    return Example(source, pixels, box, turn, duplicates.thumbnail(picture))


def _tell(done: str, names: list[str], what: str, which: str = "") -> None:
    if names:
        count = f"{len(names)} {what}{'s' * (len(names) != 1)}"
        note(f"{done} {count}{which}: {listed(names, NAMED)}")


def _raw(
    tested: list[Example], detector: "Model | None", wanted: "FaceInput", show_faces: bool
) -> "list[tuple[Example, NDArray[Any] | None]]":
    """Return the raw items with their only face: test pictures, or else drawn ones with their pixels."""
    from pathlib import Path

    import numpy as np

    from stages.faces import _drawn
    from stages.faces._sources import Source
    from stages.media.kinds import is_picture
    from stages.tasks import faces
    from stages.tflite.part import MOST_ITEMS

    if show_faces:
        small = [
            one
            for one in tested
            if is_picture(one.source.path) and one.source.path.stat().st_size <= RAW_BYTES
        ]
        at = np.linspace(0, len(small) - 1, min(MOST_ITEMS, len(small))).round().astype(int)
        return [(small[one], None) for one in at]
    found = []
    for number in range(DRAWN):
        picture = _drawn.face(number, 0, DRAWN_SIDE, DRAWN_SEED)
        there = faces.detected(picture, detector)
        if len(there) == 1:
            source = Source(Path(), f"drawn {number}", "")
            found.append((_example(source, picture, there, wanted), picture))
    return found


def _write(folder: "Path", examples: list[Example], labels: list[str], wanted: "FaceInput") -> None:
    """Write a part with its ground truth, and with the labels and constants for the package."""
    import json

    import numpy as np

    from stages.tflite import part

    shape = (wanted.height, wanted.width, 3)
    described = {"picture": (shape, "uint8")}
    pixels = part.create(folder, len(examples), described, {"picture": wanted.scaling})["picture"]
    for at, one in enumerate(examples):
        pixels[at] = one.pixels
    known = {label: at for at, label in enumerate(labels)}
    owners = [known.get(one.source.person, NOBODY) for one in examples]
    np.save(folder / "truth_person.npy", np.array(owners, np.int64))
    truth = {
        "labels": labels,
        "names": [one.source.name for one in examples],
        "boxes": [one.box for one in examples],
        "turns": [one.turn for one in examples],
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    (folder / "constants.json").write_text(json.dumps(wanted.constants()), encoding="utf-8")


def _write_raw(
    test: "Path", tested: list[Example], raw: "list[tuple[Example, NDArray[Any] | None]]"
) -> None:
    """Write the raw items; a drawn one belongs to an example after those of people."""
    import shutil

    from stages.media.pictures import write_picture
    from stages.tflite import part

    folder, spans = part.raw_folder(test), {}
    for number, (example, picture) in enumerate(raw):
        if picture is None:
            name, at = f"{number:02}{example.source.path.suffix.lower()}", tested.index(example)
            shutil.copyfile(example.source.path, folder / name)
        else:
            name, at = f"{number:02}.png", len(tested) + number
            write_picture(folder / name, picture)
        spans[name] = (at, at)
    part.write_items(test, spans)
