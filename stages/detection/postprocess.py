"""Lets a detector decode its boxes itself, with the operator TFLite_Detection_PostProcess."""

from typing import TypedDict

from engine.stage import In, Out


class PostprocessMetrics(TypedDict):
    """The number of files that got the operator."""

    files: float


def postprocess(models: In, decision: In, anchors: In, decoded: Out) -> PostprocessMetrics:
    """Append the operator to the float and the int8 form of the detector, before it is compiled.

    models:   model/{float,int8}.tflite with the outputs boxes and scores
    decision: of stages.detection.train: scales of the offsets, and limits of suppression
    anchors:  anchors.npy, float32 (anchors, 4)
    decoded:  model/{float,int8}.tflite with the outputs TFLite_Detection_PostProcess, :1, :2 and :3:
              boxes (1, most, 4), classes and scores (1, most), count (1,), all float32

    StageError: the model is not such a detector.
    """
    import json

    import numpy as np

    from stages.detection import _operator
    from stages.tasks import detect
    from stages.tflite import roles

    constants = json.loads(decision.read_text(encoding="utf-8"))
    places = np.load(anchors / detect.ANCHORS, allow_pickle=False)
    forms = roles.of_role(models, detect.MODEL)
    (decoded / detect.MODEL).mkdir(parents=True)
    for form, path in forms.items():
        to = decoded / detect.MODEL / roles.file_of(form)
        _operator.append(path, to, places, constants)
    return PostprocessMetrics(files=float(len(forms)))
