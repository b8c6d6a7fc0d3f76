"""Reads files as a task's inputs and answers them: pictures, videos, or files in the task's own format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.stage import StageError, note
from stages.media import kinds
from stages.media.unreadable import Unreadable
from stages.tasks.task import Task, set_time

NAMED = 8  # maximum number of files named in one note


@dataclass(frozen=True)
class Input:
    """One input of a clip: the data for the task, and its origin."""

    raw: Any
    name: str
    time_s: float | None = None


@dataclass(frozen=True)
class Clip:
    """Inputs in order."""

    name: str
    inputs: "Iterator[Input]"
    kind: Literal["video", "pictures", "own"] = "video"
    still: bool = False  # one picture


def answers(task: Task, path: Path) -> list[dict[str, Any]]:
    """Return the rows of all answers for a file or folder; raise StageError if it cannot be read."""
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
    """Yield each input of a clip with its answer and the answer's rows; the last answer may have no input.

    Unreadable files are added to `bad` and left out. The sentences of a file are not a conversation: each
    has a state of its own.
    """
    state = task.new_state(still=clip.still)
    try:
        for one in clip.inputs:
            if isinstance(one.raw, Unreadable):
                bad.append(f"{one.name} ({one.raw})")
                continue
            if task.takes == "sentences":
                state = task.new_state()
            set_time(state, one.time_s)
            answer = task.answer(one.raw, state)
            yield one, answer, task.rows(answer)
    except Unreadable as error:
        bad.append(f"{clip.name} ({error})")
    last = task.finish(state)
    if last is not None:
        yield None, last, task.rows(last)


def clips(task: Task, path: Path, partial: bool = False) -> "list[Clip]":
    """Return the clips in a file or folder, in natural order, without decoding anything.

    Folders inside a folder are read too, unless the task follows movement: then the pictures in the
    folder are the frames of one clip. partial: a folder without a clip is not an error.
    """
    if path.is_file():
        clip = _of_file(task, path, path.name)
        if clip is None:
            raise StageError(_nothing(path, task))
        return [clip]
    files = _files(task, path)
    found = []
    if task.follows and (pictures := [file for file in files if _is_frame(task, file)]):
        found = [Clip(path.name, _pictures(pictures, path, task.picture_side), "pictures")]
        files = [file for file in files if file not in pictures]
    each = {file.relative_to(path).as_posix(): file for file in files}
    read = {name: _of_file(task, file, name) for name, file in each.items()}
    found += [clip for clip in read.values() if clip]
    if not found and not partial:
        raise StageError(_nothing(path, task))
    _tell_left_out([name for name, clip in read.items() if clip is None])
    return found


def _files(task: Task, folder: Path) -> list[Path]:
    if task.follows:
        return [file for file in kinds.visible(folder) if file.is_file()]
    return list(kinds.below(folder))


def _is_frame(task: Task, path: Path) -> bool:
    return task.takes == "pictures" and kinds.may_be_picture(path)


def _tell_left_out(names: list[str]) -> None:
    if names:
        note(
            f"skipped {len(names)} file{'s' * (len(names) != 1)} in an unsupported format: "
            + "; ".join(names[:NAMED])
        )


def _of_file(task: Task, path: Path, name: str) -> "Clip | None":
    """Return the file as a clip; name: its path below the user's folder."""
    own = task.read(path)
    if own is not None:
        inputs = (Input(raw, name) for raw in own)
        return Clip(name, inputs, "own")
    if _is_frame(task, path):
        pictures = _pictures([path], path.parents[name.count("/")], task.picture_side)
        return Clip(name, pictures, "pictures", still=True)
    is_video = task.takes == "pictures" and kinds.is_video(path)
    return Clip(name, video(path, name)) if is_video else None


def video(source: "Path | int | str", name: str = "") -> "Iterator[Input]":
    """Yield the frames of a video file, of a camera by number, or of a stream by address.

    name: of the source; by default `name_of(source)`. Lost frames are noted at the end, even if the
    caller stops before the video ends.
    """
    from stages.media.video import open_video

    name = name or name_of(source)
    with open_video(source) as opened:
        try:
            for frame in opened:
                yield Input(frame.picture, name, frame.time_s)
        finally:
            if opened.faults():
                note(f"{name}: {opened.faults()}")


def name_of(source: "Path | int | str") -> str:
    """Return a file's name, a camera's number, or an address without its login and its query, which
    may contain a password.
    """
    if isinstance(source, Path):
        return source.name
    return re.sub(r"//[^/]*@", "//", str(source).partition("?")[0])


def _pictures(paths: list[Path], root: Path, side: int | None) -> "Iterator[Input]":
    """Yield the pictures, with their paths below the root as names."""
    from stages.media.pictures import read_many

    for path, picture in read_many(tuple(paths), side):
        raw = picture if isinstance(picture, Unreadable) else picture.pixels
        yield Input(raw, path.relative_to(root).as_posix())


def _nothing(path: Path, task: Task) -> str:
    if task.takes == "pictures":
        read = " ".join((*kinds.PICTURES, *kinds.VIDEOS))
        return (
            f"{path.name} is not a picture, a video, a file for this task, or a folder with any of "
            f"these; supported: {read}"
        )
    if task.takes == "sentences":
        how = "give a .txt with one on each line, or a .csv with a column text"
        return f"{path.name} contains no sentences: {how}"
    if task.takes == "rows":
        how = "give a .csv with the columns of the training table, or a .jsonl with an object on each line"
        return f"{path.name} contains no rows: {how}"
    how = "; give a .npy or .npz file" if task.takes == "tensors" else ""
    return f"{path.name} contains no {task.takes} that this task reads{how}"
