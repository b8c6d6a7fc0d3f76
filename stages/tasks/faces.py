"""The task `faces`: finds the faces in a picture, and names the people who are enrolled.

A detector finds each face and its landmarks, the face is aligned by these, an embedder turns it into a
vector, and the most similar vector of the gallery names it; below a threshold it is nobody known. Without
a detector, a picture is one face. In a clip, faces are followed, and each is named by its last frames
together (stages.tasks.followed_faces). Raw inputs are pictures (h, w, 3).

An accelerator that sees the frames itself could only run the detector: the embedder needs each face cut
out of the picture. Therefore this task has no `answer_seen`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.stage import StageError
from stages.tasks import blazeface, boxes
from stages.tasks.blazeface import Found
from stages.tasks.clock import Clock
from stages.tasks.face_input import FaceInput
from stages.tasks.followed_faces import FollowedFaces, Named
from stages.tasks.head import unit_length
from stages.tasks.liveness import Turns
from stages.tasks.package import read_array
from stages.tasks.signature import ANY, Needs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.package import Package
    from stages.tasks.task import Detection, Pair, Row
    from stages.tflite.model import Model

DETECTOR, EMBEDDER = "detector", "embedder"  # the roles
SEES = DETECTOR
GALLERY, PEOPLE = "gallery.npy", "gallery_people.npy"
UNKNOWN = "unknown"
OWN = "frame_name", "frame_score"  # of a frame of a clip, without the frames before
COLUMNS = "name", "score", "live", "id", *OWN
ALIGNED_BY = 4  # landmarks: eyes, nose, mouth
# Overlap at least of answers about the same face. With an int8 detector, the kernels of two runtimes can
# give boxes of a drawn face that overlap by as little as 0.77.
SAME_BOX = 0.6
_COLOURS = {True: (40, 170, 70), False: (230, 150, 30)}  # known, unknown; RGB


@dataclass(frozen=True)
class Gallery:
    """The embeddings of the enrolled people."""

    embeddings: NDArray[np.float32]  # (n, d), of length 1
    people: NDArray[np.int64]  # (n,) index of a name

    def similarities(self, embeddings: NDArray[Any], people: int) -> NDArray[np.float32]:
        """Return the cosine of m embeddings with each person's most similar one (m, people); -1: none.

        StageError: embeddings of another width than the gallery's.
        """
        self.require_width(embeddings)
        cosines = unit_length(embeddings) @ self.embeddings.T
        best = np.full((len(cosines), people), -1, np.float32)
        for person in np.unique(self.people):
            best[:, person] = cosines[:, self.people == person].max(1)
        return best

    def require_width(self, embeddings: NDArray[Any]) -> None:
        """Raise StageError if embeddings (m, d) are of another width than the gallery's."""
        own, other = self.embeddings.shape[1], embeddings.shape[1]
        if own != other:
            raise StageError(
                f"an embedding in the gallery has {own} values, and the embedder makes {other}: package the "
                "model again"
            )

    def write(self, folder: Path) -> None:
        """Write its files into an existing folder."""
        np.save(folder / GALLERY, self.embeddings.astype(np.float32), allow_pickle=False)
        np.save(folder / PEOPLE, self.people.astype(np.int64), allow_pickle=False)


class State(Clock):
    """The faces in a clip, or in one picture."""

    def __init__(self, still: bool) -> None:
        super().__init__()
        self.turns = Turns()
        self.followed = None if still else FollowedFaces()


class Looked(NamedTuple):
    """What the models say about one picture."""

    found: Found
    similar: list[NDArray[np.float32]]  # of each face, with each person (people,)


class Faces:
    """A packed face recogniser."""

    takes = "pictures"
    follows = False
    picture_side = None  # answers are pixels of the picture, which is therefore read at full size

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._names = list(package.labels)
        self._gallery = read(package.data(GALLERY, PEOPLE), len(self._names))
        self._threshold = package.number("threshold")
        self._input = input_of(package.constants)
        self._checks_liveness = package.constants.get("liveness", "none") == "turn"
        self._embedder = package.open_role(EMBEDDER, accelerator, runtime)
        has_detector = DETECTOR in package.models
        self._detector = package.open_role(DETECTOR, accelerator, runtime) if has_detector else None
        self.ran_on = f"{self._embedder.runtime} on the {self._embedder.called}"

    def new_state(self, still: bool = False) -> State:
        return State(still)

    def answer(self, raw: NDArray[np.uint8], state: State | None) -> dict[str, Any]:
        """Return the faces, the largest first: name, score, box as top, left, bottom, right in pixels; and
        live of a named one, if the package asks for it: whether the head has turned in this clip.

        In a clip, name and score are those of the last frames together, `frame_name` and `frame_score`
        the frame's own, and a face keeps its id.
        """
        return self.conclude(self.look(raw), raw.shape[:2], state)

    def look(self, raw: NDArray[np.uint8]) -> Looked:
        """Return the faces in a picture, and how similar each is to everybody."""
        found = detected(raw, self._detector)
        return Looked(found, [self._similar(raw, found, at) for at in range(len(found))])

    def conclude(
        self, looked: Looked, size: tuple[int, ...], state: State | None
    ) -> dict[str, Any]:
        """Return the answer for the faces in a picture."""
        state = state or State(still=True)
        found, similar = looked
        answers = []
        for at, own in enumerate(similar):
            name, score = decided(own, self._names, self._threshold)
            answers.append({"name": name, "score": score, "box": box(found, at)})
        if state.followed:
            named = state.followed.named(found.boxes, similar, self._threshold, state.tick())
            answers = [
                {**one, **self._together(each), **dict(zip(OWN, (one["name"], one["score"])))}
                for one, each in zip(answers, named)
            ]
        if self._checks_liveness:
            for one, landmarks in zip(answers, found.landmarks):
                one.update(_liveness(one, landmarks, state.turns))
        return {"faces": answers}

    def _similar(self, raw: NDArray[np.uint8], found: Found, at: int) -> NDArray[np.float32]:
        """Return a face's similarity with each person (people,)."""
        values = self._input.values(face(raw, found, at, self._input))
        return self._gallery.similarities(embedded(values, self._embedder), len(self._names))[0]

    def _together(self, named: Named) -> dict[str, Any]:
        """Return the name that the last frames together give a face."""
        name, score = decided(named.similar, self._names, named.threshold)
        return {"name": name, "score": score, "id": named.id}

    def finish(self, state: State | None) -> None:
        return None

    def rows(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        return rows(answer)

    def detections(self, answer: dict[str, Any]) -> list[Detection]:
        return [
            {"label": one["name"], "score": one["score"], "box": one["box"], "id": one.get("id")}
            for one in answer["faces"]
        ]

    def matched(self, rows: Sequence[Row], expected: Sequence[Row]) -> list[Pair]:
        return matched(rows, expected)

    def draw(self, picture: NDArray[np.uint8], answer: dict[str, Any]) -> NDArray[np.uint8]:
        from stages.media.drawing import canvas_of

        canvas = canvas_of(picture)
        for one in answer["faces"]:
            top, left, bottom, right = one["box"]
            canvas.box((left, top, right, bottom), _COLOURS[one["name"] != UNKNOWN])
            place = left + 2 * canvas.unit, max(top, 16 * canvas.unit) - 2 * canvas.unit
            is_live = {True: " live", False: " turn your head", None: ""}[one.get("live")]
            number = f" #{one['id']}" if "id" in one else ""
            canvas.text(place, f"{one['name']} {one['score']:.2f}{is_live}{number}")
        return canvas.picture

    def read(self, path: Path) -> Iterator[Any] | None:
        return None


def load(package: Package, accelerator: str, runtime: str) -> Faces:
    return Faces(package, accelerator, runtime)


def needs(constants: Mapping[str, Any]) -> dict[str, Needs]:
    """Return the outputs that the models must have, by role."""
    outputs = {
        blazeface.BOXES: (1, blazeface.ANCHORS, blazeface.VALUES),
        blazeface.SCORES: (1, blazeface.ANCHORS, 1),
    }
    return {
        DETECTOR: Needs("BlazeFace", outputs),
        EMBEDDER: Needs("a network that turns a face into an embedding", {ANY: None}),
    }


def detected(picture: NDArray[np.uint8], detector: Model | None) -> Found:
    """Return the faces in a picture, the largest first; without a detector, all of it is one face."""
    if detector is None:
        return whole(picture)
    large, small = (_found(picture, detector, margin) for margin in blazeface.MARGINS)
    return blazeface.joined(large, small)


def _found(picture: NDArray[np.uint8], detector: Model, margin: float) -> Found:
    """Return the faces in a picture with this margin around it."""
    (name,) = detector.inputs
    frame = blazeface.framed(picture, margin)
    return blazeface.decode(detector.predict({name: frame.values}), frame)


def whole(picture: NDArray[np.uint8]) -> Found:
    """Return the whole picture as a face without landmarks."""
    edges = np.array([[0, 0, *picture.shape[:2]]], np.float32)
    return Found(edges, np.ones(1, np.float32), np.zeros((1, 0, 2), np.float32))


def input_of(constants: Mapping[str, Any]) -> FaceInput:
    """Return the embedder's input; StageError: the constants do not describe it."""
    try:
        return FaceInput.of(constants)
    except (KeyError, TypeError):
        raise StageError(
            "the package does not say how its embedder needs a face: package the model again"
        ) from None


def face(picture: NDArray[np.uint8], found: Found, at: int, wanted: FaceInput) -> NDArray[np.uint8]:
    """Return a face (height, width, 3) for the embedder."""
    return wanted.aligned(picture, found.landmarks[at, :ALIGNED_BY])


def embedded(values: NDArray[Any], embedder: Model) -> NDArray[np.float32]:
    """Return the embedding (1, d) of the values of an aligned face (height, width, 3); its length is 1."""
    (name,) = embedder.inputs
    (output,) = embedder.predict({name: values[None]}).values()
    return unit_length(output)


def decided(
    similar: NDArray[np.float32], names: Sequence[str], threshold: float
) -> tuple[str, float]:
    """Return the most similar person's name, or unknown, and the cosine; similar: (people,)."""
    best = int(similar.argmax())
    score = float(similar[best])
    return (names[best] if score >= threshold else UNKNOWN), round(score, 4)


def _liveness(one: Mapping[str, Any], landmarks: NDArray[Any], turns: Turns) -> dict[str, bool]:
    """Return live of a named face; a frame counts only if it alone gives the same name."""
    if one["name"] == UNKNOWN:
        return {}
    if one.get(OWN[0], one["name"]) != one["name"]:
        return {"live": turns.has_turned(one["name"])}
    return {"live": turns.is_live(one["name"], landmarks)}


def box(found: Found, at: int) -> list[float]:
    """Return a face's box as JSON data: top, left, bottom, right in pixels."""
    return [round(float(one), 1) for one in found.boxes[at]]


def rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each face: name, score, live if it is checked, in a clip id and the frame's own
    name and score, top, left, bottom, right.
    """
    return [
        {**{key: one[key] for key in COLUMNS if key in one}, **dict(zip(boxes.SIDES, one["box"]))}
        for one in answer["faces"]
    ]


def matched(rows: Sequence[Row], expected: Sequence[Row]) -> list[Pair]:
    """Return the pairs of rows about the same face; each row is in one pair at most."""
    return boxes.matched(rows, expected, SAME_BOX)


def read(folder: Path, people: int) -> Gallery:
    """Return the gallery in a folder; StageError: its files are damaged, or do not fit together or the
    names.
    """
    embeddings, of = (read_array(folder / name) for name in (GALLERY, PEOPLE))
    is_whole = embeddings.ndim == 2 and of.shape == embeddings.shape[:1] and embeddings.size > 0
    is_whole = is_whole and embeddings.dtype.kind == "f" and of.dtype.kind in "iu"
    if not is_whole or of.min() < 0 or of.max() >= people:
        raise StageError(
            f"the gallery has {embeddings.dtype} embeddings {list(embeddings.shape)} of {of.dtype} people "
            f"{list(of.shape)}, and there are {people} names: package the model again"
        )
    return Gallery(embeddings.astype(np.float32), of.astype(np.int64))
