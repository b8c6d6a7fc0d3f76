"""Connects to a container engine: finds its address, and returns a client or the reason why none is
available."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine import ordinary
from engine.errors import UserError
from engine.target import DOCKER_SOCKET

_USUAL = f"unix://{DOCKER_SOCKET}"
ROOTFUL = f"sudo systemctl start docker, and export DOCKER_HOST={_USUAL}"
TIMEOUT_S = 20.0  # of one call; calls that may take longer set their own


def address() -> str:
    """Return the address of this machine's engine: DOCKER_HOST, or else the current Docker context, or else
    the usual socket.
    """
    named = os.environ.get("DOCKER_HOST")
    return named or str(getattr(_context(), "Host", None) or _USUAL)


def connect_here() -> Any:
    """Return a client that has reached this machine's engine; raise UserError with the reason if it
    cannot.
    """
    from docker.errors import TLSParameterError

    name = os.environ.get("DOCKER_CONTEXT")
    if name and not os.environ.get("DOCKER_HOST") and _context() is None:
        raise UserError(
            f"DOCKER_CONTEXT={name}",
            "there is no such Docker context",
            "choose one from: docker context ls; or executor=local",
        )
    try:
        return connect(address(), _certificates())
    except TLSParameterError as error:
        raise _unreachable(address(), error) from None


def _certificates() -> Any:
    """Return docker-py's TLS configuration, found as the docker command does: DOCKER_CERT_PATH, or else the
    current context.
    """
    from docker.utils import kwargs_from_env

    if os.environ.get("DOCKER_HOST"):
        return kwargs_from_env().get("tls")
    return getattr(_context(), "TLSConfig", None)


def _context() -> Any:
    """Return the current Docker context.

    None if there is none, or if ~/.docker is damaged: the usual socket may still work.
    """
    from docker.context import ContextAPI

    try:
        _check_configuration()
        return ContextAPI.get_context(os.environ.get("DOCKER_CONTEXT"))
    except Exception:
        return None


def _check_configuration() -> str:
    """Return the path of Docker's configuration; empty if there is none.

    Raise UserError if reading it would never end.
    """
    from docker.utils.config import find_config_file

    path = str(find_config_file() or "")
    if path:
        ordinary.check(path, Path(path).stat())
    return path


def is_rootless(security_options: Iterable[object]) -> bool:
    """Return whether the engine is rootless, from its SecurityOptions: its users are not this machine's, so
    stages could not write here.
    """
    return any("rootless" in str(one) for one in security_options)


def is_likely() -> bool:
    """Return, without connecting, whether there may be an engine: on most machines without one, the answer
    is immediate.
    """
    named = os.environ.get("DOCKER_HOST", "")
    if not named and os.environ.get("DOCKER_CONTEXT"):
        return True
    if not named and (Path.home() / ".docker" / "config.json").exists():
        return True  # it may define a context
    return _is_socket(named or _USUAL) or (bool(named) and not named.startswith("unix://"))


def _is_socket(url: str) -> bool:
    return Path(url.removeprefix("unix://")).is_socket()


def connect(url: str, tls: Any = None) -> Any:
    """Return a docker.DockerClient that has reached its engine; raise UserError with the reason if it
    cannot.
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
        )  # does not connect yet
        client.api = Api(base_url=url, version="auto", timeout=TIMEOUT_S, tls=tls or False)
        client.ping()
        return client
    except (DockerException, requests.RequestException) as error:
        raise _unreachable(url, error) from None
    except ValueError as error:  # from urllib, for an address with an invalid port or bracket
        raise UserError(
            url,
            f"this is not the address of a Docker engine: {error}",
            f"export DOCKER_HOST={_USUAL}; or executor=local",
        ) from None
    except (
        AttributeError,
        TypeError,
        RecursionError,
    ):  # docker-py does not validate that file
        if not configuration:
            raise
        raise UserError(
            configuration,
            "this Docker configuration is damaged",
            "fix or remove it; or executor=local",
        ) from None


def _unreachable(url: str, error: Exception) -> UserError:
    text = str(error)
    if "Permission denied" in text or f"Errno {errno.EACCES}" in text:
        return UserError(
            url,
            "this user has no access to the Docker engine",
            "sudo usermod -aG docker $USER, and log in again; or executor=local",
        )
    if "TLS" in text or "SSL" in text or "HTTPS" in text:
        return UserError(
            url,
            f"the TLS connection to the Docker engine failed: {text.splitlines()[0][:200]}",
            "export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=DIR, with ca.pem, cert.pem and "
            "key.pem in DIR; or executor=local",
        )
    if any(words in text for words in ("too old", "too new", "no longer supported")):
        return UserError(
            url,
            f"the Docker engine is too old: {text.splitlines()[0]}",
            "sudo apt-get install docker.io; or executor=local",
        )
    if "timed out" in text:
        return UserError(
            url,
            f"the Docker engine does not answer within {TIMEOUT_S:.0f} s",
            "sudo systemctl restart docker; or executor=local",
        )
    return UserError(
        url,
        "no Docker engine found",
        "sudo apt-get install docker.io && sudo systemctl start docker; or executor=local",
    )
