"""A project's docker_env: what of it a stage's container can honour, and why not the rest."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from engine.errors import UserError

_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*")


def mistakes(
    docker: Mapping[str, Any], pass_env: Collection[str], where: str
) -> Iterator[UserError]:
    """Yield what cannot be honoured. pass_env: the stage's; where: the key `docker_env`."""
    for at, volume in enumerate(docker.get("volumes") or ()):
        yield from _volume(volume, f"{where}.volumes.{at}")
    for at, variable in enumerate(docker.get("environment") or ()):
        if isinstance(variable, str) and variable not in pass_env:
            what = f"the variable {variable} of this machine is not passed to stages"
            fix = f"add it to the stage: pass_env: [{variable}]"
            yield UserError(f"{where}.environment.{at}", what, fix)


def variables(docker: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that docker_env sets."""
    given = docker.get("environment") or ()
    return dict(pair for pair in given if isinstance(pair, list))


def links(docker: Mapping[str, Any]) -> dict[str, str]:
    """Return the folders of the project that the container sees elsewhere: path there -> in the project."""
    found = {}
    for volume in docker.get("volumes") or ():
        source, target, *_ = volume.split(":")
        found[posixpath.normpath(target)] = posixpath.normpath(source)
    return found


def _volume(volume: str, where: str) -> Iterator[UserError]:
    """Yield why a volume is refused: only folders of the project are mounted."""
    source, colon, rest = volume.partition(":")
    target = rest.partition(":")[0]
    if not colon or not posixpath.isabs(target):
        what = f"'{volume}' is not a folder and its path in the container"
        yield UserError(where, what, "write ./data:/data")
    elif _NAMED.fullmatch(source):
        what = f"'{source}' is a named volume, which Docker would create empty, not a folder"
        fix = f"write ./{volume} for the project's folder, or pass the data as an input"
        yield UserError(where, what, fix)
    elif posixpath.isabs(source) or source.startswith("~") or ".." in source.split("/"):
        what = f"'{source}' is outside the project, so the stage would not notice its changes"
        yield UserError(where, what, "pass the data as an input of the stage")
    elif posixpath.normpath(target) in ("/", "/tmp", "/proc", "/sys", "/dev", "/etc", "/usr"):
        what = f"'{target}' belongs to the container's system"
        yield UserError(where, what, "choose another path, such as /data")
