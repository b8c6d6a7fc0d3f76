"""Reads files as a task's inputs, and answers them: pictures, videos, or files of its own form."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.stage import StageError, note
from stages.media import kinds
from stages.media.unreadable import Unreadable
from stages.tasks.task import Task

NAMED = 8  # at most so many files are named in one note


@dataclass(frozen=True)
class Input:
    """One input of a clip: what the task is given, and what is known of it."""

    raw: Any
    name: str
    time_s: float | None = None


@dataclass(frozen=True)
class Clip:
    """Inputs in their order."""

    name: str
    inputs: "Iterator[Input]"
    kind: Literal["video", "pictures", "own"] = "video"
    still: bool = False  # one picture


def answers(task: Task, path: Path) -> list[dict[str, Any]]:
    """Return the rows of all answers to a file or folder; StageError if it cannot be read."""
    bad: list[str] = []
    found = [
        row
        for clip in clips(task, path)
        for _, _, rows in answered(task, clip, bad)
        for row in rows
    ]
    if bad:
        raise StageError(f"{path.name} cannot be read: {bad[0]}")
    return found


def answered(
    task: Task, clip: Clip, bad: list[str]
) -> "Iterator[tuple[Input | None, dict[str, Any], list[dict[str, Any]]]]":
    """Yield each input of a clip with its answer and the answer's rows; the last may have none.

    What cannot be read is named in `bad` and left out.
    """
    state = task.new_state(still=clip.still)
    try:
        for one in clip.inputs:
            if isinstance(one.raw, Unreadable):
                bad.append(f"{one.name} ({one.raw})")
                continue
            answer = task.answer(one.raw, state)
            yield one, answer, task.rows(answer)
    except Unreadable as error:
        bad.append(f"{clip.name} ({error})")
    last = task.finish(state)
    if last is not None:
        yield None, last, task.rows(last)


def clips(task: Task, path: Path) -> "list[Clip]":
    """Return the clips in a file or folder, in natural order; nothing is decoded yet.

    Pictures of a folder are the frames of one clip if the task follows movement.
    """
    if path.is_file():
        clip = _of_file(task, path)
        if clip is None:
            raise StageError(_nothing(path, task))
        return [clip]
    files = [file for file in kinds.visible(path) if file.is_file()]
    pictures = [file for file in files if kinds.is_picture(file) and task.takes == "pictures"]
    found = []
    if pictures and task.follows:
        found = [Clip(path.name, _pictures(pictures, task.picture_side), "pictures")]
        files = [file for file in files if file not in pictures]
    found += [clip for clip in (_of_file(task, file) for file in files) if clip]
    if not found:
        raise StageError(_nothing(path, task))
    _tell_left_out([file.name for file in files if _of_file(task, file) is None])
    return found


def _tell_left_out(names: list[str]) -> None:
    if names:
        note(
            f"{len(names)} files are of no kind that is read, and left out: {'; '.join(names[:NAMED])}"
        )


def _of_file(task: Task, path: Path) -> "Clip | None":
    own = task.read(path)
    if own is not None:
        inputs = (Input(raw, path.name) for raw in own)
        return Clip(path.name, inputs, "own")
    if task.takes != "pictures":
        return None
    if kinds.is_picture(path):
        return Clip(path.name, _pictures([path], task.picture_side), "pictures", still=True)
    return Clip(path.name, video(path)) if kinds.is_video(path) else None


def video(source: "Path | int | str") -> "Iterator[Input]":
    """Yield the frames of a video file, of the camera of a number, or of a stream's address.

    What was lost is noted at the end, also if the reader ends before the video does.
    """
    from stages.media.video import open_video

    name = name_of(source)
    with open_video(source) as opened:
        try:
            for frame in opened:
                yield Input(frame.picture, name, frame.time_s)
        finally:
            if opened.faults():
                note(f"{name}: {opened.faults()}")


def name_of(source: "Path | int | str") -> str:
    """Return a file's name, a camera's number, or an address without its login and its query, which
    may hold a password.
    """
    if isinstance(source, Path):
        return source.name
    return re.sub(r"//[^/]*@", "//", str(source).partition("?")[0])


def _pictures(paths: list[Path], side: int | None) -> "Iterator[Input]":
    from stages.media.pictures import read_many

    for path, picture in read_many(tuple(paths), side):
        raw = picture if isinstance(picture, Unreadable) else picture.pixels
        yield Input(raw, path.name)


def _nothing(path: Path, task: Task) -> str:
    if task.takes == "pictures":
        read = " ".join((*kinds.PICTURES, *kinds.VIDEOS))
        return (
            f"{path.name} is no video or picture, no file for this task, and no folder with one; read "
            f"are {read}"
        )
    return f"{path.name} holds no {task.takes} that this task reads"
