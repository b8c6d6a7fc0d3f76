"""A container engine: reaching it, and what its refusals mean."""

import base64
import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import ordinary
from engine.errors import UserError
from engine.target import DOCKER_SOCKET
from engine.vocabulary import FailureKind

_USUAL = f"unix://{DOCKER_SOCKET}"
ROOTFUL = f"sudo systemctl start docker, and export DOCKER_HOST={_USUAL}"
TIMEOUT_S = 20.0  # of one call; what may take long is waited for apart
_MOMENT = 40  # characters of a moment: 2026-01-01T00:00:00.000000000Z
LOAD_S = 600.0  # of one call that carries an image or an artifact

# What dockerd and runc write, in lower case, and the kind of failure that it is
_KINDS: tuple[tuple[str, FailureKind], ...] = (
    ("no such image", "image_missing"),
    ("exec format error", "wrong_platform"),
    ("is of another processor", "wrong_platform"),  # our own sentence
    ("error gathering device information", "no_device"),
    ("no such device", "no_device"),
    ("bind source path does not exist: /dev/", "no_device"),
    ("no space left on device", "disk_full"),
    ("executable file not found", "no_command"),
    ("exec python3 failed", "no_command"),  # of docker-init, which is tini
)


_Answer = TypeVar("_Answer", bound=BaseModel)


class Nonsense(ConnectionError):
    """An answer that no engine gives: what answers is none, or lies."""


class Info(BaseModel):
    """What an engine says of itself and its machine."""

    model_config = ConfigDict(frozen=True)

    ID: str = Field(max_length=500)
    Architecture: str = Field(max_length=50)
    MemTotal: int = Field(gt=0, lt=1 << 60)
    NCPU: int = Field(gt=0, lt=1 << 20)
    SecurityOptions: list[str] | None = None


class State(BaseModel):
    """What an engine says of how a container does."""

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
    """What an engine says of a path in a container."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(ge=0)
    mode: int = Field(ge=0)
    linkTarget: str = Field("", max_length=4096)


def address() -> str:
    """Return where this machine's engine listens: DOCKER_HOST, else the chosen Docker context, else
    the usual socket.
    """
    named = os.environ.get("DOCKER_HOST")
    return named or str(getattr(_context(), "Host", None) or _USUAL)


def connect_here() -> Any:
    """Return a client of this machine's engine that has been answered, or raise UserError that says
    why there is none.
    """
    from docker.errors import TLSParameterError

    name = os.environ.get("DOCKER_CONTEXT")
    if name and not os.environ.get("DOCKER_HOST") and _context() is None:
        raise UserError(
            f"DOCKER_CONTEXT={name}",
            "there is no such Docker context",
            "name one of: docker context ls; or executor=local",
        )
    try:
        return connect(address(), _certificates())
    except TLSParameterError as error:
        raise _unreachable(address(), error) from None


def _certificates() -> Any:
    """Return what docker-py is to show and to check over TLS, as the docker command takes it:
    DOCKER_CERT_PATH, or the chosen context's.
    """
    from docker.utils import kwargs_from_env

    if os.environ.get("DOCKER_HOST"):
        return kwargs_from_env().get("tls")
    return getattr(_context(), "TLSConfig", None)


def _context() -> Any:
    """Return the chosen Docker context.

    None where there is none, or ~/.docker is damaged, which is no reason not to try the usual
    place.
    """
    from docker.context import ContextAPI

    try:
        _check_configuration()
        return ContextAPI.get_context(os.environ.get("DOCKER_CONTEXT"))
    except Exception:
        return None


def _check_configuration() -> str:
    """Return where Docker's configuration is, empty for nowhere.

    UserError where reading it would never end.
    """
    from docker.utils.config import find_config_file

    path = str(find_config_file() or "")
    if path:
        ordinary.check(path, Path(path).stat())
    return path


def is_rootless(security_options: Iterable[object]) -> bool:
    """True for an engine, by its SecurityOptions, whose users are not this machine's: its stages
    could not write here.
    """
    return any("rootless" in str(one) for one in security_options)


def is_likely() -> bool:
    """Say, without asking anybody, whether there may be an engine: most machines without one are
    told so at once.
    """
    named = os.environ.get("DOCKER_HOST", "")
    if not named and os.environ.get("DOCKER_CONTEXT"):
        return True
    if not named and (Path.home() / ".docker" / "config.json").exists():
        return True  # it may name a context
    return _is_socket(named or _USUAL) or (bool(named) and not named.startswith("unix://"))


def _is_socket(url: str) -> bool:
    return Path(url.removeprefix("unix://")).is_socket()


def connect(url: str, tls: Any = None) -> Any:
    """Return a docker.DockerClient that has been answered, or raise UserError that says why there
    is none.
    """
    import docker
    import requests
    from docker.constants import DEFAULT_DOCKER_API_VERSION
    from docker.errors import DockerException

    from engine.containers.api import Api

    configuration = _check_configuration()
    try:
        client = docker.DockerClient(
            base_url=url, version=DEFAULT_DOCKER_API_VERSION
        )  # which asks nobody yet
        client.api = Api(base_url=url, version="auto", timeout=TIMEOUT_S, tls=tls or False)
        client.ping()
        return client
    except (DockerException, requests.RequestException) as error:
        raise _unreachable(url, error) from None
    except ValueError as error:  # of urllib, for an address with a bad port or a bad bracket
        raise UserError(
            url,
            f"this is not the address of a Docker engine: {error}",
            f"export DOCKER_HOST={_USUAL}; or executor=local",
        ) from None
    except (
        AttributeError,
        TypeError,
        RecursionError,
    ):  # docker-py takes for granted what is in that file
        if not configuration:
            raise
        raise UserError(
            configuration,
            "this Docker configuration is damaged",
            "correct or remove it; or executor=local",
        ) from None


def info(client: Any) -> Info:
    """Return what the engine says of itself; Nonsense where that is no account of one."""
    return _sensible(Info, client.info())


def state(container: Any) -> State:
    """Return how the container does, as its engine said last."""
    return _sensible(State, container.attrs.get("State"))


def given(container: Any) -> Given:
    """Return the container's limits, as its engine said last."""
    return _sensible(Given, container.attrs.get("HostConfig"))


def is_named(container: Any) -> bool:
    """True for an id as engines give them: others would be paths in the names of files here."""
    return re.fullmatch("[0-9a-f]{64}", str(container.id)) is not None


@contextmanager
def sense() -> Iterator[None]:
    """Raise Nonsense where docker-py stumbles over an answer; for calls of it alone."""
    import requests

    try:
        yield
    except requests.RequestException:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise Nonsense(f"its answer makes no sense: {error!r}"[:300]) from None


def load(client: Any, full_name: str, archive: Path) -> Any:
    """Give the engine an image from its archive, under this full name, and return it.

    UserError where the engine does not take it.
    """
    import requests
    from docker.errors import DockerException

    try:
        with archive.open("rb") as data, patience(client):
            told = list(
                client.api.load_image(data)
            )  # to its end: images.load leaves a refusal half read, and its connection open
    except (DockerException, requests.RequestException) as error:
        raise _not_loaded(full_name, archive, is_gone(error), said(error)) from None
    if refusal := next((one["error"] for one in told if "error" in one), None):
        raise _not_loaded(full_name, archive, False, refusal)
    loaded = re.findall(
        r"^Loaded image(?: ID)?: (\S+)",
        "".join(one.get("stream", "") for one in told),
        re.MULTILINE,
    )
    if len(loaded) != 1:
        raise UserError(
            str(archive),
            f"it holds {len(loaded)} images, not one",
            "remove it, and give the same command",
        )
    image = client.images.get(loaded[0])
    repository, _, tag = full_name.rpartition(":")
    image.tag(repository, tag)
    return image


def environment(image: Any) -> dict[str, str]:
    """Return the variables that an image sets."""
    with sense():
        return dict(
            word.split("=", 1) for word in image.attrs["Config"].get("Env") or () if "=" in word
        )


@contextmanager
def patience(client: Any) -> Iterator[None]:
    """Let the calls inside take as long as much data may."""
    before, client.api.timeout = client.api.timeout, LOAD_S
    try:
        yield
    finally:
        client.api.timeout = before


@contextmanager
def archived(container: Any, path: str | Path) -> Iterator[tuple[PathStat, Iterator[bytes]] | None]:
    """Give what the engine says of a file or folder of the container, and its tar; None where it is
    not there.

    docker-py's get_archive would leave its connection open where not all is read.
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
    """Yield what the container has said since a second, as far as its engine keeps it: moments,
    which sort as texts, and bytes.

    docker-py's logs would join what has no end of line, and wait without a limit where it is read
    as it comes.
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
    ):  # a frame: stream, three bytes of nothing, length of what follows (Docker's API, "attach")
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        moment, _, said = data[at + 8 : end].partition(b" ")
        yield moment.decode("ascii", "replace")[:_MOMENT], said
        at = end


def is_full_here(error: BaseException) -> bool:
    """True where a call ended because this machine's own disk is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_gone(error: BaseException) -> bool:
    """True where a call ended because the engine or the way to it is away, not because it refused."""
    import requests
    import urllib3
    from docker.errors import APIError

    if isinstance(error, APIError):  # by its ancestors it is a RequestException too
        return False
    return isinstance(
        error,
        requests.RequestException | urllib3.exceptions.HTTPError | ConnectionError | TimeoutError,
    )


def said(error: Exception) -> str:
    """Return what the engine wrote, or what is in the way to it, in a line."""
    if isinstance(error, UserError):
        return f"{error.where}: {error.what}"
    text = str(getattr(error, "explanation", None) or error).strip()
    return next(iter(text.splitlines()), type(error).__name__)[:500]


def kind_of(text: str) -> FailureKind:
    """Return the kind of failure that the engine's words mean.

    "failed" where they are none of the known ones.
    """
    return next((kind for words, kind in _KINDS if words in text.lower()), "failed")


def _sensible(kind: type[_Answer], answer: object) -> _Answer:
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or kind.__name__
        raise Nonsense(f"its answer makes no sense: {where}: {first['msg']}"[:300]) from None


def _refuse(answer: Any) -> None:
    """Raise docker.errors.APIError where the engine refused."""
    import requests
    from docker.errors import create_api_error_from_http_exception

    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)


def _not_loaded(full_name: str, archive: Path, gone: bool, text: str) -> UserError:
    if gone:
        return UserError(
            full_name,
            f"the container engine went away while it was given the image: {text}",
            "give the same command",
        )
    if kind_of(text) == "disk_full":
        return UserError(
            full_name,
            f"the disk of the container engine is full: {text}",
            "there: docker system prune; then give the same command",
        )
    return UserError(
        str(archive),
        f"the container engine does not take this archive: {text}",
        "remove it, and give the same command",
    )


def _unreachable(url: str, error: Exception) -> UserError:
    text = str(error)
    if "Permission denied" in text or f"Errno {errno.EACCES}" in text:
        return UserError(
            url,
            "this user may not speak to the Docker engine",
            "sudo usermod -aG docker $USER, and log in anew; or executor=local",
        )
    if "TLS" in text or "SSL" in text or "HTTPS" in text:
        return UserError(
            url,
            f"the Docker engine and this machine do not agree on TLS: {text.splitlines()[0][:200]}",
            "export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=DIR, where ca.pem, cert.pem and key.pem are; "
            "or executor=local",
        )
    if any(words in text for words in ("too old", "too new", "no longer supported")):
        return UserError(
            url,
            f"the Docker engine is too old: {text.splitlines()[0]}",
            "sudo apt-get install docker.io; or executor=local",
        )
    return UserError(
        url,
        "no Docker engine answers",
        "sudo apt-get install docker.io && sudo systemctl start docker; or executor=local",
    )
