"""Validates the responses of a container engine, since the engine or a proxy may return anything."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_MOMENT = 40  # most characters of a timestamp such as 2026-01-01T00:00:00.000000000Z
_Answer = TypeVar("_Answer", bound=BaseModel)


class Nonsense(ConnectionError):
    """A response that a genuine engine never gives."""


class Info(BaseModel):
    """An engine's description of itself and its machine."""

    model_config = ConfigDict(frozen=True)

    ID: str = Field(max_length=500)
    Architecture: str = Field(max_length=50)
    MemTotal: int = Field(gt=0, lt=1 << 60)
    NCPU: int = Field(gt=0, lt=1 << 20)
    SecurityOptions: list[str] | None = None
    Runtimes: dict[str, Any] | None = None
    DiscoveredDevices: list[dict[str, Any]] | None = None  # of CDI, since Docker 28

    @property
    def has_gpus(self) -> bool:
        """Return whether containers can get NVIDIA GPUs: by NVIDIA's runtime, or by CDI."""
        by_cdi = [str(one.get("ID", "")) for one in self.DiscoveredDevices or ()]
        return "nvidia" in (self.Runtimes or {}) or any(
            one.startswith("nvidia.com/gpu") for one in by_cdi
        )


class State(BaseModel):
    """An engine's report on the state of a container."""

    model_config = ConfigDict(frozen=True)

    Running: bool
    ExitCode: int = Field(ge=0, le=255)
    OOMKilled: bool = False
    Error: str = ""
    StartedAt: str = Field("", max_length=100)
    FinishedAt: str = Field("", max_length=100)


class Given(BaseModel):
    """The limits that a container has."""

    model_config = ConfigDict(frozen=True)

    Memory: int = Field(0, lt=1 << 60)
    ShmSize: int = Field(0, lt=1 << 60)


class PathStat(BaseModel):
    """An engine's description of a path in a container."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(ge=0)
    mode: int = Field(ge=0)
    linkTarget: str = Field("", max_length=4096)


def info(client: Any) -> Info:
    """Return the engine's description of itself; raise Nonsense if it is invalid."""
    return _sensible(Info, client.info())


def state(container: Any) -> State:
    """Return the container's state in the engine's last response."""
    return _sensible(State, container.attrs.get("State"))


def given(container: Any) -> Given:
    """Return the container's limits in the engine's last response."""
    return _sensible(Given, container.attrs.get("HostConfig"))


def is_named(container: Any) -> bool:
    """Return whether the id has the usual form: it becomes part of file names, so it must not be a path."""
    return re.fullmatch("[0-9a-f]{64}", str(container.id)) is not None


def environment(image: Any) -> dict[str, str]:
    """Return the variables that an image sets."""
    with sense():
        return dict(
            word.split("=", 1) for word in image.attrs["Config"].get("Env") or () if "=" in word
        )


@contextmanager
def sense() -> Iterator[None]:
    """Raise Nonsense if docker-py cannot parse a response; use it only around docker-py's calls."""
    import requests

    try:
        yield
    except requests.RequestException:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise Nonsense(f"its answer is invalid: {error!r}"[:300]) from None


@contextmanager
def archived(container: Any, path: str | Path) -> Iterator[tuple[PathStat, Iterator[bytes]] | None]:
    """Yield the engine's description of a path in the container, and its tar; None if it does not exist.

    docker-py's get_archive would leave its connection open if the tar is not read to the end.
    """
    api = container.client.api
    url = f"{api.base_url}/v{api.api_version}/containers/{container.id}/archive"
    with api.get(url, params={"path": str(path)}, stream=True, timeout=api.timeout) as answer:
        if answer.status_code == 404:
            yield None
            return
        _refuse(answer)
        with sense():
            facts = _sensible(
                PathStat,
                json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"])),
            )
        yield facts, answer.iter_content(1 << 16)


def words(container: Any, since_s: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield the container's log since the given second, as far as its engine keeps it: timestamps, which
    sort as text, and bytes.

    docker-py's logs would join lines without a line ending, and wait without a limit when streaming.
    """
    api = container.client.api
    url = f"{api.base_url}/v{api.api_version}/containers/{container.id}/logs"
    params = {"stdout": 1, "stderr": 1, "timestamps": 1, "since": since_s}
    with api.get(url, params=params, timeout=api.timeout) as answer:
        _refuse(answer)
        data = answer.content
    at = 0
    while at + 8 <= len(
        data
    ):  # a frame header: stream, three zero bytes, length of the data (Docker's API, "attach")
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        moment, _, message = data[at + 8 : end].partition(b" ")
        yield moment.decode("ascii", "replace")[:_MOMENT], message
        at = end


def _sensible(kind: type[_Answer], answer: object) -> _Answer:
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or kind.__name__
        raise Nonsense(f"its answer is invalid: {where}: {first['msg']}"[:300]) from None


def _refuse(answer: Any) -> None:
    """Raise docker.errors.APIError if the engine refused."""
    import requests
    from docker.errors import create_api_error_from_http_exception

    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)
