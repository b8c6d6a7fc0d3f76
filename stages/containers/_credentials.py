"""Credentials for a registry: from the environment, or from the configuration of `docker login`.

They never appear in an argument, a log or a message.
"""

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.stage import StageError

_HELPER_TIMEOUT_S = 10
_DOCKER_HUB = "https://index.docker.io/v1/"  # the key that `docker login` uses for Docker Hub


def of(host: str, environment: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """Return user and password for the registry's host, or None for anonymous access.

    REGISTRY_USER and REGISTRY_PASSWORD come first, then config.json in DOCKER_CONFIG or ~/.docker,
    with its credential helpers.
    """
    if environment.get("REGISTRY_USER") and environment.get("REGISTRY_PASSWORD"):
        return environment["REGISTRY_USER"], environment["REGISTRY_PASSWORD"]
    home = environment.get("DOCKER_CONFIG") or str(Path(environment.get("HOME", "/")) / ".docker")
    config = _config(Path(home) / "config.json")
    keys = [host, f"https://{host}", *([_DOCKER_HUB] if host == "registry-1.docker.io" else [])]
    helpers, entries = config.get("credHelpers"), config.get("auths")
    for key in keys:
        helper = (helpers.get(key) if isinstance(helpers, dict) else None) or config.get(
            "credsStore"
        )
        entry = entries.get(key) if isinstance(entries, dict) else None
        found = _from_helper(str(helper), key) if helper else _from_entry(entry, key)
        if found:
            return found
    return None


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise StageError(
            f"{path} cannot be read as JSON: fix it, or log in again with docker login"
        ) from None
    return config if isinstance(config, dict) else {}


def _from_entry(entry: Any, key: str) -> tuple[str, str] | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("auth"), str) or not entry["auth"]:
        return None
    try:
        user, colon, password = (
            base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise StageError(
            f"the credentials of docker login for {key} cannot be read: log in again with "
            "docker login"
        )
    return user, password


def _from_helper(helper: str, key: str) -> tuple[str, str] | None:
    """Return the credentials from Docker's credential helper, which prints JSON.

    None if the helper is missing or has no credentials.
    """
    if not helper.replace("-", "").replace("_", "").isalnum():
        raise StageError(f"'{helper}' is not the name of a credential helper: fix config.json")
    argv = [f"docker-credential-{helper}", "get"]
    try:
        process = subprocess.run(
            argv, input=key, capture_output=True, text=True, timeout=_HELPER_TIMEOUT_S
        )
        answer = json.loads(process.stdout) if process.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    user, password = (
        (answer.get("Username"), answer.get("Secret")) if isinstance(answer, dict) else (None, None)
    )
    return (
        (user, password) if isinstance(user, str) and isinstance(password, str) and user else None
    )
