"""Pins images: records the image that was loaded under a name, or that the engine had at first use, and
refuses any other image under that name.

The pins are files in outputs/, one for each name and engine. If you remove a file, the next image is
accepted.
"""

import hashlib
from pathlib import Path
from typing import Any

from engine.containers import answers, loading
from engine.durable import write_whole
from engine.errors import UserError


def load(store: Path, client: Any, full_name: str, archive: Path) -> None:
    """Load an image into the engine, and pin it."""
    image = loading.load(client, full_name, archive)
    write_whole(_pin(store, client, full_name), image.id.encode())


def refuse_another(store: Path, client: Any, full_name: str, image: Any) -> None:
    """Raise UserError if the engine's image is not the one that is pinned under its name.

    Pin the image if there is no pin yet.
    """
    pin = _pin(store, client, full_name)
    known = pin.read_text(encoding="utf-8", errors="replace") if pin.is_file() else None
    if known is None:
        write_whole(pin, image.id.encode())
    elif known != image.id:
        raise UserError(
            full_name,
            f"the image under this name has changed: it is {_short(image.id)} and was "
            f"{_short(known)}",
            f"docker rmi {full_name}, and repeat the command to build it again",
        )


def _pin(store: Path, client: Any, full_name: str) -> Path:
    name = hashlib.sha256(f"{answers.info(client).ID} {full_name}".encode()).hexdigest()
    return store / "images" / name


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]
