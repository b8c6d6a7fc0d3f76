"""The files of the page, read into memory once: no path of a request ever reaches the file system."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Dict

from stages.serving.web.request import Request
from stages.serving.web.response import HTML, Response

FOLDER = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class File:
    """A file, its type, and its version for caches."""

    body: bytes
    type: str
    etag: str


def read(folder: Path = FOLDER) -> Dict[str, File]:
    """Return the files by name."""
    return {path.name: _file(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}


def answer(file: File, request: Request, status: int = 200) -> Response:
    """Return the file, or 304 if the browser has this version."""
    headers = {"Cache-Control": "no-cache", "ETag": file.etag}
    if status == 200 and request.header("if-none-match") == file.etag:
        return Response(304, b"", file.type, headers)
    return Response(status, file.body, file.type, headers)


def _file(path: Path) -> File:
    body = path.read_bytes()
    return File(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
