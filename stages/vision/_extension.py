"""Lists the pictures of a data set, or of one that adds classes to a packed model; opens no picture."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import StageError, note
from stages.vision import _pictures, _split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.vision._packed import Packed
    from stages.vision._pictures import Found, Source


def collect(
    pictures: Path | None, packed: "Packed | None", extend: Path | None
) -> "tuple[Found, list[str]]":
    """Return the pictures to read, and the classes in the order of the model's outputs.

    StageError: no pictures, a class of `pictures` that the packed model lacks, or a class of `extend`
    that it already has.
    """
    if packed is None or extend is None:
        if pictures is None:
            raise StageError("there are no pictures: set assets.pictures=FOLDER")
        found = _pictures.find(pictures)
        return found, found.labels
    more = _pictures.find(extend, fewest=1)
    if there := sorted(set(more.labels) & set(packed.labels)):
        raise StageError(
            f"the packed model already has the class {', '.join(there)}: rename or remove that "
            "folder in assets.extend"
        )
    old = _pictures.find(pictures, fewest=1) if pictures else _pictures.Found()
    if unknown := sorted(set(old.labels) - set(packed.labels)):
        raise StageError(
            f"assets.pictures has the class {', '.join(unknown)}, which the packed model lacks: set "
            "assets.pictures to the pictures that it was trained on, or to null if you do not have them"
        )
    both = _pictures.Found(
        [*old.sources, *more.sources], [*old.ignored, *more.ignored], [*old.empty, *more.empty]
    )
    return both, [*packed.labels, *more.labels]


def split(
    sources: "list[Source]",
    digests: "list[str]",
    group: "NDArray[np.int64]",
    ambiguous: "set[int]",
    shares: "tuple[float, float]",
    seed: int,
    packed: "Packed",
) -> dict[str, list[int]]:
    """Return the pictures of each part. A picture that the packed model was trained on, or a
    near-duplicate of one, is not a test picture. Pictures of new classes are split as usual.
    """
    old = [
        at for at, one in enumerate(sources) if one.label in packed.labels and at not in ambiguous
    ]
    new = [at for at, one in enumerate(sources) if one.label not in packed.labels]
    place = {at: number for number, at in enumerate(new)}
    left_out = {place[at] for at in ambiguous if at in place}
    cut: dict[str, list[int]] = _split.split(
        [sources[at] for at in new], group[new], left_out, shares, seed
    )
    parts = {name: [new[at] for at in rows] for name, rows in cut.items()}
    of_group: dict[int, str] = {}
    for name in ("val", "train"):  # training overrides validation
        known = set(packed.seen[name])
        of_group |= {int(group[at]): name for at in old if digests[at] in known}
    for at in old:
        parts[of_group.get(int(group[at]), "test")].append(at)
    _tell(sources, parts, packed)
    return {name: sorted(rows) for name, rows in parts.items()}


def _tell(sources: "list[Source]", parts: dict[str, list[int]], packed: "Packed") -> None:
    tested = Counter(sources[at].label for at in parts["test"])
    untested = [label for label in packed.labels if not tested[label]]
    if untested:
        note(
            f"{len(untested)} of {len(packed.labels)} classes of the packed model have no test "
            f"picture: {', '.join(untested[:8])}{', ...' * (len(untested) > 8)}"
        )
