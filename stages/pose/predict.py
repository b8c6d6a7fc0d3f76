"""The stage that puts a packed activity classifier to work on a video, a picture, a folder of them
or keypoint CSVs.
"""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out, StageError, note, progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from stages.pose._clips import Clip
    from stages.pose._package import Package
    from stages.pose._recordings import Source


class PredictMetrics(TypedDict):
    """predictions: lines written; mean_probability and mean_score: over them, 0 to 1.

    Skipped: files not read.
    """

    predictions: float
    mean_probability: float
    mean_score: float
    skipped: float


def predict(
    package: In, source: In, result: Out, *, annotate: bool = False, threads: int = 1
) -> PredictMetrics:
    """Name the activity in each window of frames.

    A model that looks at single pictures names the activity in each of them.

    package: model.tflite, labels.txt, preprocessing.json, manifest.json, and pose_model.tflite for pictures
             and videos
    source:  a video, a picture, a keypoint CSV, or a folder of them; in a folder the pictures are frames of
             one clip if the model looks at windows of several frames, and each for itself otherwise
    result:  predictions.jsonl, a line a window: source, first_frame, last_frame, time_s (when the video
             shows the first frame; null for pictures and tables), activity, probability, mean_score; with
             annotate, annotated videos (.mp4) and pictures (.png) in annotated/

    StageError: a file of the package that is missing or changed, nothing to read, keypoints of
    another skeleton.
    """
    import json

    from stages.pose import _read
    from stages.pose._package import Package

    model = Package(package, threads)
    faults = _read.Faults()
    sources, bad, lines = _sources(source, int(model.constants["window"])), faults.unreadable, []
    movenet = _movenet(model, sources, threads)
    result.mkdir(parents=True)
    if annotate:
        _note_missing_glyphs(model.labels)
    for index, item in enumerate(sources):
        progress(index, len(sources), item.name)
        clip = _read.read(item, movenet, faults)
        if clip is None:
            continue
        found = _predictions(clip, model)
        lines += found
        if annotate and item.kind != "table":
            _annotate(item, clip, found, result)
    if faults.damaged:
        note(f"damaged videos are used without their lost frames: {'; '.join(faults.damaged[:8])}")
    if bad:
        note(f"{len(bad)} files cannot be read and are skipped: {'; '.join(bad[:8])}")
    if not lines:
        raise StageError(f"nothing in {source.name} can be read: {'; '.join(bad[:8])}")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (result / "predictions.jsonl").write_text(text, encoding="utf-8")
    return PredictMetrics(
        predictions=float(len(lines)),
        mean_probability=sum(line["probability"] for line in lines) / len(lines),
        mean_score=sum(line["mean_score"] for line in lines) / len(lines),
        skipped=float(len(bad)),
    )


def _sources(path: In, window: int) -> "list[Source]":
    """Return the clips to look at, in natural order."""
    from stages.media.kinds import visible
    from stages.pose._recordings import Source, kind_of

    if path.is_file() and kind_of(path):
        return [Source(path.name, (path,))]
    files = [entry for entry in visible(path) if entry.is_file()] if path.is_dir() else []
    pictures = tuple(file for file in files if kind_of(file) == "pictures")
    others = [Source(file.name, (file,)) for file in files if kind_of(file) in ("video", "table")]
    if pictures and window > 1:
        return [Source(path.name, pictures), *others]
    sources = [Source(file.name, (file,)) for file in pictures] + others
    if not sources:
        raise StageError(
            f"{path.name} is no video, picture or keypoint CSV, and no folder with one"
        )
    return sources


def _movenet(model: "Package", sources: "list[Source]", threads: int) -> Any:
    if all(source.kind == "table" for source in sources):
        return None
    if model.pose_model is None:
        raise StageError(
            "the package has no pose model: it was trained on keypoints, and takes keypoint CSVs only"
        )
    from stages.pose._movenet import MoveNet

    return MoveNet(model.pose_model, threads)


def _predictions(clip: "Clip", model: "Package") -> list[dict[str, Any]]:
    from stages.pose._features import cuts, features

    expected = model.constants["skeleton"]
    if clip.skeleton != expected:
        raise StageError(
            f"{clip.name} has the joints of {clip.skeleton}, the model takes {expected}"
        )
    found = zip(
        cuts(len(clip.keypoints), model.constants),
        model.probabilities(features(clip.keypoints, model.constants)),
        strict=True,
    )
    lines = []
    for (first, last), probability in found:
        best = int(probability.argmax())
        lines.append(
            {
                "source": clip.name,
                "first_frame": first,
                "last_frame": last,
                "time_s": round(clip.times_s[first], 3) if clip.times_s else None,
                "activity": model.labels[best],
                "probability": round(float(probability[best]), 4),
                "mean_score": round(float(clip.keypoints[first : last + 1, :, 2].mean()), 4),
            }
        )
    return lines


def _note_missing_glyphs(labels: list[str]) -> None:
    from stages.media import fonts

    if missing := fonts.lacking("".join(labels)):
        note(f"no installed font has the characters {missing}: install one, such as fonts-noto-cjk")


def _annotate(source: "Source", clip: "Clip", lines: list[dict[str, Any]], result: Out) -> None:
    """Draw the last prediction that had begun on each frame.

    What cannot be read was not in the clip either.
    """
    from stages.media import encode
    from stages.media.frames import Frame
    from stages.media.pictures import write_picture
    from stages.media.video import open_video
    from stages.pose import _draw

    def caption(frame: int) -> str:
        begun = [line for line in lines if line["first_frame"] <= frame]
        return f"{begun[-1]['activity']} {begun[-1]['probability']:.0%}" if begun else ""

    folder = result / "annotated"
    folder.mkdir(exist_ok=True)
    if source.kind == "video":
        with open_video(source.paths[0]) as video:
            drawn = (
                Frame(_draw.drawn(picture, clip.keypoints[index], caption(index)), time_s)
                for index, (picture, time_s) in enumerate(video)
            )
            said = encode.write_video(folder / f"{source.name}.mp4", drawn, clip.fps)
        if said:
            note(said)
        return
    for index, (path, picture) in enumerate(_readable(source)):
        write_picture(
            folder / f"{path.name}.png",
            _draw.drawn(picture, clip.keypoints[index], caption(index)),
        )


def _readable(source: "Source") -> "Iterator[tuple[Path, np.ndarray]]":
    from stages.media import pictures
    from stages.media.unreadable import Unreadable

    for path, picture in pictures.read_many(source.paths):
        if not isinstance(picture, Unreadable):
            yield path, picture.pixels
