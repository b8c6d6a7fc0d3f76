"""Objects below one prefix of a bucket of S3 or Google Cloud Storage, through fsspec.

An object appears under its name only when it is complete; both services guarantee that. Credentials
and the address of another S3 server come from the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL,
GOOGLE_APPLICATION_CREDENTIALS and so on), as for these services' own tools.
"""

import errno
import glob
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import UserError

WHERE = "kubeflow.data_root"
SCHEMES = ("s3", "gs")
ATTEMPTS = 3
_SERVER = {
    "s3": "check the network, and AWS_ENDPOINT_URL if the server is not Amazon's",
    "gs": "check the network",
}
_LOGIN = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
}
_MAKE = {"s3": "aws s3 mb s3://{}", "gs": "gcloud storage buckets create gs://{}"}
Show = Callable[[int, int], None]  # bytes so far, and in total


class Bucket:
    """The objects below s3://BUCKET/PREFIX or gs://BUCKET/PREFIX; keys are relative to the prefix."""

    def __init__(self, root: str, timeout_s: float) -> None:
        self._scheme, _, path = root.partition("://")
        self._root, self._path = root.rstrip("/"), path.strip("/")
        self._bucket = self._path.partition("/")[0]
        if not self._bucket or path.startswith("/"):
            fix = f"write {self._scheme}://BUCKET/PREFIX"
            raise UserError(f"{WHERE}={root}", "it names no bucket", fix)
        with self._asking():
            self._fs = _file_system(self._scheme, timeout_s)

    def uri(self, key: str) -> str:
        """Return the object's address."""
        return f"{self._root}/{key}"

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes; None if there is none."""
        try:
            with self._asking(missing_is_normal=True):
                return int(self._fs.info(self._full(key))["size"])
        except FileNotFoundError:
            return None

    def upload(self, file: Path, key: str, show: Show) -> None:
        """Upload a file."""
        with self._asking():
            self._fs.put_file(str(file), self._full(key), callback=_callback(show))

    def download(self, key: str, file: Path, show: Show) -> bool:
        """Download an object to a file; return False if there is none."""
        try:
            with self._asking(missing_is_normal=True):
                self._fs.get_file(self._full(key), str(file), callback=_callback(show))
        except FileNotFoundError:
            return False
        return True

    def read(self, key: str, most_bytes: int) -> bytes | None:
        """Return up to that many bytes of an object; None if there is none."""
        try:
            with self._asking(missing_is_normal=True):
                return bytes(self._fs.cat_file(self._full(key), start=0, end=most_bytes))
        except FileNotFoundError:
            return None

    def remove(self, key: str) -> None:
        """Remove an object."""
        with self._asking():
            self._fs.rm_file(self._full(key))

    def find(self, pattern: str) -> list[str]:
        """Return the keys that match a shell pattern, sorted."""
        try:
            with self._asking(missing_is_normal=True):
                self._fs.invalidate_cache()
                found = self._fs.glob(f"{glob.escape(self._path)}/{pattern}")
        except FileNotFoundError:
            return []
        return sorted(str(one)[len(self._path) + 1 :] for one in found)

    def _full(self, key: str) -> str:
        return f"{self._path}/{key}"

    @contextmanager
    def _asking(self, *, missing_is_normal: bool = False) -> Iterator[None]:
        """Turn the errors of the libraries into a UserError that names the bucket."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if missing_is_normal and isinstance(error, FileNotFoundError):
                raise
            raise self._mistake(error) from None

    def _mistake(self, error: Exception) -> UserError:
        where, said = f"{WHERE}={self._root}", " ".join(str(error).split())[:200]
        name = type(error).__name__
        if isinstance(error, FileNotFoundError):
            what = f"there is no bucket '{self._bucket}'"
            return UserError(where, what, _MAKE[self._scheme].format(self._bucket))
        if name in ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"):
            return UserError(where, "there are no credentials for it", _LOGIN[self._scheme])
        is_forbidden = said.startswith("Forbidden") or getattr(error, "code", None) in (401, 403)
        if isinstance(error, PermissionError) or is_forbidden:
            what = f"access to the bucket '{self._bucket}' is denied: {said}"
            return UserError(where, what, f"{_LOGIN[self._scheme]}; or change the bucket's policy")
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise error
        what = f"it cannot be reached: {said or name}"
        return UserError(where, what, _SERVER[self._scheme])


def _file_system(scheme: str, timeout_s: float) -> Any:
    """Return fsspec's file system with limits on every wait, and without cached listings."""
    try:
        import fsspec

        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if scheme == "s3":
            options["config_kwargs"] = {
                "connect_timeout": timeout_s,
                "read_timeout": timeout_s,
                "retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"},
            }
        else:
            options["timeout"] = options["requests_timeout"] = timeout_s
            logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # it prints tracebacks
        found = fsspec.filesystem(scheme, **options)
        if scheme == "s3":
            found.retries = 1  # botocore repeats by itself
        return found
    except ImportError as error:
        what = f"the Python package {error.name or 'fsspec'} is not installed"
        fix = "pip install 'raspberrypi-mlops[kubeflow]'"
        raise UserError(WHERE, what, fix) from None


def _callback(show: Show) -> Any:
    """Return fsspec's callback, which shows how much of a file was transferred."""
    from fsspec.callbacks import Callback

    class Shown(Callback):  # type: ignore[misc]
        def call(self, *args: object, **kwargs: object) -> None:
            show(int(self.value or 0), int(self.size or 0))

    return Shown()
