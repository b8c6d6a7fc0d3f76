"""Sends snapshots and clips of events: regular files of one folder, with ranges for video players."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from pathlib import Path
from typing import IO, Optional, Tuple

from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response

_TYPES = {
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}", re.ASCII)
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})", re.ASCII)
_CHUNK_BYTES = 64 * 1024


def answer(folder: Optional[Path], name: str, request: Request) -> Response:
    """Return a file, or the range of it that is asked for; raise Refused."""
    type_ = _TYPES.get(Path(name).suffix)
    if folder is None or not type_ or not _NAME.fullmatch(name):
        raise Refused(404, "there is no such snapshot")
    file = _open(folder / name)
    size = os.fstat(file.fileno()).st_size
    headers = {"Cache-Control": "private, max-age=86400", "Accept-Ranges": "bytes"}
    start, end = 0, size
    status = 200
    if request.header("range"):
        try:
            start, end = _range(request.header("range"), size)
        except Refused:
            file.close()
            raise
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    length = end - start
    return Response(status, b"", type_, headers, _Chunks(file, start, length), length)


def _open(path: Path) -> IO[bytes]:
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        why = (
            "there is no such snapshot or clip; the oldest are removed when their space is used up"
        )
        raise Refused(404, why) from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Refused(404, "there is no such snapshot")
    return os.fdopen(number, "rb", buffering=0)


def _range(header: str, size: int) -> Tuple[int, int]:
    """Return start and end (exclusive) of a single range."""
    found = _RANGE.fullmatch(header)
    first, last = found.groups() if found else ("", "")
    if not first and not last:
        raise Refused(416, "only a single range of bytes is supported")
    if not first:  # the last bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= end:
        raise Refused(416, "the range is outside the file", Content_Range=f"bytes */{size}")
    return start, end


class _Chunks:
    """The bytes of an open file, which is closed with it."""

    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        self._file, self._left = file, length
        file.seek(start)

    async def __anext__(self) -> bytes:
        if self._left <= 0:
            raise StopAsyncIteration
        size = min(self._left, _CHUNK_BYTES)
        data = await asyncio.get_running_loop().run_in_executor(None, self._file.read, size)
        if not data:  # the connection cannot be used for another response
            raise ConnectionError("the file is shorter than announced")
        self._left -= len(data)
        return data

    async def aclose(self) -> None:
        self._file.close()
