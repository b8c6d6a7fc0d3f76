"""Makes the float and the int8 form of the face detector."""

from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

from engine.stage import In, Out, note
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.faces._agreement import Agreement

CALIBRATION_SEED, CHECK_SEED = 2_000_003, 2_000_029  # no sample has them
CALIBRATION, CHECKED = 100, 60  # drawn pictures
CHECKED_SIDE = 240  # pixels
FLOOR = -8.0  # of a score before the sigmoid: certainly no face


class DetectorMetrics(TypedDict):
    """The number of models, and what int8 loses on drawn faces: the faces that the float model finds; those
    that the int8 model misses, and those that only it finds, as shares of them; and the mean distance
    between the landmarks of the two, as a share of the distance between the eyes.

    All are 0 if nothing is converted. Without any face, `missed_share` is 1, and `landmark_error` is missing.
    """

    models: float
    drawn_faces: float
    missed_share: float
    added_share: float
    landmark_error: NotRequired[float]


def detector(
    published: In | None,
    models: Out,
    *,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> DetectorMetrics:
    """Convert a published BlazeFace to int8, so that it runs on an 8-bit accelerator.

    published: BlazeFace, float or quantised: a .tflite, or a folder with int8.tflite and its
               compiled twin; without it, there is no model
    models:    detector/float.tflite, the published model, and detector/int8.tflite: uint8
               (1, 128, 128, 3) -> int8 (1, 896, 16) and (1, 896, 1). A quantised model is copied unchanged

    seed:    of the drawn pictures
    threads: CPU threads of TensorFlow

    Plain conversion is useless: some channels of the network have a hundred times the range of others,
    and a black border drives its values to 20,000. So the channels are equalised, scores are cut
    off below -8, and the ranges are calibrated on drawn faces without a border. No picture of a person is
    needed. StageError: not a BlazeFace, or compiled for an accelerator without the model that it was
    compiled from.
    """
    from stages.tasks import faces
    from stages.tflite import roles

    models.mkdir()
    if published is None:
        return _nothing_lost(0)
    forms, folder = roles.files(published), models / faces.DETECTOR
    _check(roles.runnable(forms)[0])
    folder.mkdir()
    for form, path in forms.items():
        roles.copy(form, path, folder)
    if "int8" in forms:
        return _nothing_lost(1)
    (folder / "int8.tflite").write_bytes(_converted(forms["float"], seed, threads))
    return _metrics(_compared(forms["float"], folder / "int8.tflite", seed))


def _check(path: "Path") -> None:
    """Refuse a model that is not a BlazeFace."""
    from stages.tasks import faces
    from stages.tasks.signature import check
    from stages.tflite.interpreters import ANY
    from stages.tflite.model import open_model

    check("faces", faces.needs({})[faces.DETECTOR], open_model(path, ANY).outputs, {})


def _converted(published: "Path", seed: int, threads: int) -> bytes:
    import tempfile
    from pathlib import Path

    from stages.faces import _graph, _rescaled
    from stages.tasks import blazeface
    from stages.training import conversion, network

    network.fix(seed, threads)
    pictures = _calibration(seed)
    graph = _rescaled.equalised(_graph.read(published), pictures)
    graph = _rescaled.floored(graph, blazeface.SCORES, FLOOR)
    with tempfile.TemporaryDirectory() as exported:
        _graph.export(graph, blazeface.SIDE, Path(exported))
        return conversion.to_int8(
            Path(exported),
            lambda: ({_graph.INPUT: one[None]} for one in pictures),
            "uint8",
            "int8",
        )


def _calibration(seed: int) -> "NDArray[np.float32]":
    """Return drawn pictures (n, side, side, 3) in the network's range of values."""
    import numpy as np

    from stages.faces import _scenes
    from stages.tasks.blazeface import DEVIATION, MEAN, SIDE

    drawn = [_scenes.scene(at, SIDE, CALIBRATION_SEED + seed) for at in range(CALIBRATION)]
    return ((np.stack(drawn).astype(np.float32) - MEAN) / DEVIATION).astype(np.float32)


def _compared(original: "Path", converted: "Path", seed: int) -> "Agreement":
    """Return how far the two forms agree on other drawn pictures, framed as on the device."""
    from stages.faces import _agreement, _scenes
    from stages.tasks import faces
    from stages.tflite.interpreters import ANY
    from stages.tflite.model import open_model

    forms = [open_model(path, ANY) for path in (original, converted)]
    drawn = (_scenes.scene(at, CHECKED_SIDE, CHECK_SEED + seed) for at in range(CHECKED))
    return _agreement.compare(
        (faces.detected(picture, forms[0]), faces.detected(picture, forms[1])) for picture in drawn
    )


def _nothing_lost(models: int) -> DetectorMetrics:
    return DetectorMetrics(
        models=float(models), drawn_faces=0.0, missed_share=0.0, added_share=0.0, landmark_error=0.0
    )


def _metrics(found: "Agreement") -> DetectorMetrics:
    """Return what the comparison found, and say it in a note."""
    common = found.faces - found.missed
    metrics = DetectorMetrics(
        models=1.0,
        drawn_faces=float(found.faces),
        missed_share=1 - common / max(found.faces, 1),
        added_share=found.added / max(found.faces, 1),
    )
    text = f"the int8 detector finds {common} of {found.faces} drawn faces"
    if common:
        metrics["landmark_error"] = found.landmark_error
        text += (
            f", with landmarks {found.landmark_error:.1%} of the distance between the eyes away from the "
            "float model's"
        )
    note(text)
    return metrics
