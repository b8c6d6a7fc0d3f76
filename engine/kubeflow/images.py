"""The images of a cluster's stages in a registry, known by digest.

`images build code=baked` and drive.py push them; what was pushed is recorded below the store. The
registry is asked before a record is used, because it may have lost the image.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine import durable
from engine.errors import UserError
from engine.images import with_code
from engine.job_code import JobCode
from engine.kubeflow.registry import WHERE, Registry

_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*", re.ASCII)
_DOCKER_HUB = "registry-1.docker.io"
_HOST = re.compile(r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?", re.ASCII)


class _Record(BaseModel):
    """The report of the stage `push`."""

    model_config = ConfigDict(frozen=True)

    v: int
    reference: str  # host/path/name@sha256:...
    tag: str
    config: str
    blobs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of the repository, without its host."""
        return self.reference.partition("/")[2].partition("@")[0]

    @property
    def digest(self) -> str:
        """Return the digest of the manifest."""
        return self.reference.partition("@")[2]


@dataclass(frozen=True, slots=True)
class Place:
    """Where images are pushed: the registry's host, and the path of its repositories."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" if self.path else self.host


def place(registry: str | None) -> Place:
    """Return the parts of kubeflow.registry; raise UserError if it is missing or invalid."""
    if registry is None:
        what = "the cluster's pods pull their images from a registry, and none is set"
        raise UserError(WHERE, what, "set kubeflow.registry=HOST:PORT/PATH")
    host, _, path = registry.rstrip("/").partition("/")
    host = _DOCKER_HUB if host == "docker.io" else host
    is_host = host == "localhost" or "." in host or ":" in host
    if not is_host or not _HOST.fullmatch(host) or (path and not _NAME.fullmatch(path)):
        shown = registry.rpartition("@")[2]  # what precedes it may be a password
        what = f"'{shown}' is not an address of a registry"
        raise UserError(WHERE, what, "write HOST:PORT/PATH, such as registry.example.org/team")
    return Place(host, path)


class Pushed:
    """What was pushed from this outputs folder to one registry, with the current code."""

    def __init__(
        self, store: Path, registry: str | None, code: JobCode, timeout_s: float = 30.0
    ) -> None:
        self._place, self._code = place(registry), code
        self._records = store / "kubeflow" / "images"
        self._registry = Registry(self._place.host, timeout_s)
        self._found: dict[str, _Record] = {}  # asked and complete

    def missing(self, full_names: Iterable[str]) -> list[str]:
        """Return those of these images, named without code, that must be pushed.

        Raise UserError if the registry does not answer: nothing is then built in vain.
        """
        found = [name for name in sorted(set(full_names)) if self._checked(name) is None]
        if found:
            self._registry.reach()
        return found

    def reference(self, full_name: str) -> str:
        """Return the image with the current code, as host/path/name@sha256:...

        Raise UserError if it was not pushed, or if the registry has lost it.
        """
        found = self._checked(full_name)
        if found is None:
            what = f"{self._place} has no image {with_code(full_name, self._code.short)}"
            raise UserError(full_name, what, "python run.py images build code=baked")
        return found.reference

    def record(self, full_name: str, report: Path) -> None:
        """Record the report of a push; raise UserError if the registry does not have what it names."""
        durable.write_whole(self._file(full_name), report.read_bytes())
        self.reference(full_name)

    def _checked(self, full_name: str) -> _Record | None:
        """Return the record, if the registry has the whole image and its tag still names it."""
        if full_name not in self._found:
            known = self._read(full_name)
            if known is None or not self._is_there(known):
                return None
            self._found[full_name] = known
        return self._found[full_name]

    def _read(self, full_name: str) -> _Record | None:
        try:
            known = _Record.model_validate_json(self._file(full_name).read_bytes())
        except (OSError, ValidationError):
            return None
        whole = with_code(full_name, self._code.short)
        name, _, tag = whole.rpartition("/")[2].partition(":")
        wanted = f"{self._place}/{name}"
        is_ours = known.reference.startswith(f"{wanted}@sha256:") and known.tag == tag
        return known if is_ours else None  # a record of another registry is never used

    def _is_there(self, known: _Record) -> bool:
        return self._registry.digest_of(known.name, known.tag) == known.digest and all(
            self._registry.has(known.name, blob, "blobs") for blob in known.blobs
        )

    def _file(self, full_name: str) -> Path:
        key = json.dumps([str(self._place), with_code(full_name, self._code.short)])
        return self._records / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
