"""Runs a packaged model on the user's input: a file, a folder, a camera or a stream."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from stages.edge._items import Clip, Input
    from stages.media.frames import Frame
    from stages.tasks.task import Task

LOADS = {"task": "stages.tasks", "accelerator": "stages.accelerators"}
NAMED = 8  # maximum number of files named in one sentence
LONGEST_NAME = 240  # maximum bytes in a name; file systems allow 255


class PredictMetrics(TypedDict):
    """The numbers of lines written, of inputs answered, and of unreadable files."""

    predictions: float
    inputs: float
    skipped: float


def predict(
    package: In,
    result: Out,
    source: In | None = None,
    *,
    task: str,
    stream: str = "",
    seconds: Annotated[float, Range(gt=0)] = 10.0,
    annotate: bool = False,
    partial: bool = False,
    runtime: str = "litert",
    accelerator: str = "none",
) -> PredictMetrics:
    """Answer every input with the package's task.

    package: a packed model
    source:  a video, a picture, a file in the task's own format, or a folder of them, including its
             subfolders; pictures in a folder are frames of one clip if the task follows movement
    stream:  instead of a source: the number of a camera or the address of a stream, which is read
             until it ends, for `seconds`, or until SIGTERM
    result:  predictions.jsonl, one line per row of an answer, written immediately: source, time_s (of
             the row's first frame if it names one; null for pictures), and the task's fields; with
             annotate, also annotated/, with the answers drawn on videos (.mp4) and pictures (.png)
    task:        the task of the packed model: a module of stages/tasks
    seconds:     how long to read a stream
    annotate:    true: also draw the answers on pictures and videos
    partial:     true: the source is part of a folder, so it is not an error if nothing in it is readable
    runtime:     of the target: litert or tflite_runtime
    accelerator: of the target: none, or the name of a file in stages/accelerators
    StageError: a damaged package, or nothing readable.
    """
    from stages.edge import _items, _live
    from stages.tasks.task import open_task

    opened = open_task(package, accelerator, runtime)
    if stream:
        clips = [_live.clip(stream, seconds)]
    elif source is not None:
        clips = _items.clips(opened, source, partial)
    else:
        raise StageError("there is no input: connect a source, or set a stream")
    result.mkdir(parents=True)
    with (result / "predictions.jsonl").open("w", encoding="utf-8") as lines:
        run = _Run(opened, result, annotate, lines)
        for at, clip in enumerate(clips):
            progress(at, len(clips), clip.name)
            run.answer(clip)
    if not run.inputs and not partial:
        raise StageError(f"nothing can be read: {'; '.join(run.bad[:NAMED])}")
    if run.bad:
        files = f"{len(run.bad)} unreadable file{'s' * (len(run.bad) != 1)}"
        note(f"skipped {files}: {'; '.join(run.bad[:NAMED])}")
    note(f"answered with {opened.ran_on}")
    return PredictMetrics(
        predictions=float(run.predictions), inputs=float(run.inputs), skipped=float(len(run.bad))
    )


@dataclass
class _Run:
    """The answers so far."""

    task: "Task"
    result: Path
    annotate: bool
    lines: "TextIO"
    bad: "list[str]" = field(default_factory=list)
    inputs: int = 0
    predictions: int = 0

    def answer(self, clip: "Clip") -> None:
        """Answer a clip's inputs, and draw the answers on them if they are pictures."""
        frames = self._frames(clip)
        if not self.annotate or clip.kind == "own":
            for _ in frames:
                pass
        elif clip.kind == "video":
            self._write_video(clip, frames)
        else:
            self._write_pictures(clip, frames)

    def _frames(self, clip: "Clip") -> "Iterator[tuple[Input, dict[str, Any]]]":
        from stages.edge import _items

        times: list[float | None] = []
        for one, answer, rows in _items.answered(self.task, clip, self.bad):
            if one is not None:
                times.append(one.time_s)
                self.inputs += 1
            for row in rows:
                first = row.get("first_frame", len(times) - 1)
                time_s = times[first]
                at = None if time_s is None else round(time_s, 3)
                self._write({"source": clip.name, "time_s": at, **row})
            if one is not None:
                yield one, answer

    def _write(self, row: "dict[str, Any]") -> None:
        """Append a line, and flush it so that readers see it at once."""
        self.lines.write(json.dumps(row) + "\n")
        self.lines.flush()
        self.predictions += 1

    def _write_video(self, clip: "Clip", frames: "Iterator[tuple[Input, dict[str, Any]]]") -> None:
        from stages.media.encode import write_video

        said = write_video(self._place(clip.name, ".mp4"), self._drawn(frames))
        if said:
            note(said)

    def _drawn(self, frames: "Iterator[tuple[Input, dict[str, Any]]]") -> "Iterator[Frame]":
        from stages.media.frames import Frame

        for one, answer in frames:
            yield Frame(self.task.draw(one.raw, answer), one.time_s or 0.0)

    def _write_pictures(
        self, clip: "Clip", frames: "Iterator[tuple[Input, dict[str, Any]]]"
    ) -> None:
        from stages.media.pictures import write_picture

        for one, answer in frames:
            write_picture(self._place(one.name, ".png"), self.task.draw(one.raw, answer))

    def _place(self, name: str, suffix: str) -> Path:
        """Return a new path with a valid file name."""
        folder = self.result / "annotated"
        folder.mkdir(exist_ok=True)
        stem = name.replace("/", "_").replace(":", "_")
        while len(os.fsencode(stem)) > LONGEST_NAME:
            stem = stem[:-1]
        path, copies = folder / f"{stem}{suffix}", 1
        while path.exists():
            copies += 1
            path = folder / f"{stem}-{copies}{suffix}"
        return path
