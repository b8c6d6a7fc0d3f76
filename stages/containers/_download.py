"""Downloads the files of a lock into this machine's cache, each identified by its sha256.

Only checked files are returned.
"""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import requests

from engine.stage import StageError

TIMEOUT_S = 20
TRIES = 3
TOGETHER = 4
MAX_BYTES = 2 << 30
MAX_TEXT_BYTES = 64 << 20
_CHUNK = 1 << 20
_FORGOTTEN_S = 86_400


def cache() -> Path:
    """Return the folder of downloads, which all runs share.

    It can be deleted at any time.
    """
    folder = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        / "raspberrypi-mlops"
        / "sha256"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StageError(
            f"the download cache cannot be created ({error}); set XDG_CACHE_HOME to a "
            "writable folder"
        ) from None
    return folder


def cached(sha256: str) -> Path | None:
    """Return the file with this digest if the cache has it; remove a damaged one."""
    path = cache() / sha256
    if not path.is_file():
        return None
    if digest_of(path) == sha256:
        return path
    path.unlink(missing_ok=True)
    return None


def digest_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def keep(file: Path, sha256: str) -> Path:
    """Move a file, already checked and on the same file system, into the cache."""
    return file.rename(cache() / sha256)


def sweep() -> None:
    """Remove partial files of killed downloads, whose names begin with a dot, from the cache after a day."""
    for path in cache().glob(".*"):
        with suppress(OSError):  # another build may be sweeping too
            if path.stat().st_mtime < time.time() - _FORGOTTEN_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def download_all(files: Sequence[tuple[str, Sequence[str]]]) -> list[Path]:
    """Return the paths of files, each given by its sha256 and its possible URLs.

    One session reuses its connections: a hundred small files take less than a second, instead of 20 if
    each one resolves the host name.
    """
    sweep()
    with requests.Session() as session, ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(lambda file: download(*file, session), files))


def download(sha256: str, urls: Iterable[str], session: requests.Session) -> Path:
    """Return the path of the file with this digest, from the cache or from the first URL that has it."""
    found = cached(sha256)
    if found:
        return found
    problems = []
    for url in urls:
        for _ in _tries():
            try:
                return _receive(url, sha256, session)
            except (OSError, ValueError) as error:  # exceptions of requests are OSErrors
                problems.append(f"{url}: {_reason(error)}")
                if isinstance(error, requests.HTTPError) and error.response.status_code < 500:
                    break
    raise StageError("a locked file cannot be downloaded; " + "; ".join(dict.fromkeys(problems)))


def read_text(url: str) -> str:
    """Return a small file as text."""
    try:
        with requests.get(url, timeout=TIMEOUT_S, stream=True) as answer:
            answer.raise_for_status()
            data = next(answer.iter_content(MAX_TEXT_BYTES), b"")
    except (OSError, ValueError) as error:
        raise StageError(f"{url} cannot be read: {_reason(error)}") from None
    return data.decode("utf-8", "replace")


def _tries() -> Iterator[int]:
    for n in range(TRIES):
        time.sleep(n)
        yield n


def _receive(url: str, sha256: str, session: requests.Session) -> Path:
    partial = cache() / f".{sha256}.{uuid.uuid4().hex[:8]}"
    try:
        with session.get(url, timeout=TIMEOUT_S, stream=True) as answer, partial.open("wb") as out:
            answer.raise_for_status()
            for chunk in answer.iter_content(_CHUNK):
                out.write(chunk)
                if out.tell() > MAX_BYTES:
                    raise ValueError("it sends more data than any package has")
        if digest_of(partial) != sha256:
            raise ValueError("it sent a file whose sha256 differs from the lock")
        return keep(partial, sha256)
    finally:
        partial.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """Return a short form of the innermost cause, because messages of requests are long."""
    if isinstance(error, requests.HTTPError):
        return f"{error.response.status_code} {error.response.reason}"
    while error.__context__ is not None:
        error = error.__context__  # type: ignore[assignment]
    return str(error)
