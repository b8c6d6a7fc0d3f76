"""Loads an image from its archive into a container engine."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.containers.refusals import is_gone, kind_of, message_of
from engine.errors import UserError

LOAD_S = 600.0  # of one call that transfers an image or an artifact


def load(client: Any, full_name: str, archive: Path) -> Any:
    """Load an image from its archive into the engine, under this full name, and return it.

    Raise UserError if the engine refuses it.
    """
    import requests
    from docker.errors import DockerException

    try:
        with archive.open("rb") as data, patience(client):
            responses = list(
                client.api.load_image(data)
            )  # read to the end: images.load stops at an error and leaves the connection open
    except (DockerException, requests.RequestException) as error:
        raise _not_loaded(full_name, archive, is_gone(error), message_of(error)) from None
    if refusal := next((one["error"] for one in responses if "error" in one), None):
        raise _not_loaded(full_name, archive, False, refusal)
    loaded = re.findall(
        r"^Loaded image(?: ID)?: (\S+)",
        "".join(one.get("stream", "") for one in responses),
        re.MULTILINE,
    )
    if len(loaded) != 1:
        raise UserError(
            str(archive),
            f"it contains {len(loaded)} images, not one",
            "remove it, and repeat the command",
        )
    image = client.images.get(loaded[0])
    repository, _, tag = full_name.rpartition(":")
    image.tag(repository, tag)
    return image


@contextmanager
def patience(client: Any) -> Iterator[None]:
    """Allow calls in the context the time that large transfers need."""
    before, client.api.timeout = client.api.timeout, LOAD_S
    try:
        yield
    finally:
        client.api.timeout = before


def _not_loaded(full_name: str, archive: Path, gone: bool, text: str) -> UserError:
    if gone:
        return UserError(
            full_name,
            f"the container engine stopped while the image was being sent: {text}",
            "repeat the command",
        )
    if kind_of(text) == "disk_full":
        return UserError(
            full_name,
            f"the disk of the container engine is full: {text}",
            "there: docker system prune; then repeat the command",
        )
    return UserError(
        str(archive),
        f"the container engine refuses this archive: {text}",
        "remove it, and repeat the command",
    )
