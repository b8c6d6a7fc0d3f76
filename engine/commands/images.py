"""`images [build|list|prune]`: build, list or remove the container images of containers/.

They belong to an engine: this machine's, or that of the target's device.
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Literal

from pydantic import Field

from engine import layout
from engine.containers import daemon, pins, refusals
from engine.dispatch import executor_context
from engine.drawing import downloads
from engine.drive import build_images
from engine.errors import UserError, did_you_mean
from engine.executors.device import Device
from engine.images import REPOSITORY, Image, name_in
from engine.options import CommandOptions
from engine.request import Request
from engine.store import Store
from engine.wording import table


class Options(CommandOptions):
    """The options of `images`."""

    WORD = "action"

    action: Literal["build", "list", "prune"] = Field(
        "list", description="build, list or prune; may be written as a word: images build"
    )
    image: str | None = Field(None, description="one image only")


def main(request: Request[Options]) -> tuple[int, None]:
    """Run the action that follows `images`; without one, list the images."""
    known = _chosen(request, list(executor_context(request).images()))
    if request.options.action == "list":
        _list(known, _there_if_any(request))
        return 0, None
    with _engine_of(request) as client:
        {"build": _build, "prune": _prune}[request.options.action](request, client, known)
    return 0, None


def _chosen(request: Request[Options], images: list[Image]) -> list[Image]:
    name = request.options.image
    if name and name not in {image.name for image in images}:
        raise UserError(
            f"image={name}",
            "there is no such image",
            did_you_mean(name, sorted({image.name for image in images})),
        )
    return [image for image in images if name in (None, image.name)]


@contextmanager
def _engine_of(request: Request) -> Iterator[Any]:
    """Yield a client of the engine that has the target's images: the device's if there is one,
    otherwise this machine's.
    """
    if request.target.device is None:
        with closing(daemon.connect_here()) as client:
            yield client
        return
    with closing(Device(executor_context(request))) as device, closing(device.connect()) as client:
        yield client


def _build(request: Request[Options], client: Any, images: list[Image]) -> None:
    """Build the images that the engine does not have, and load them into it."""
    there = _there(client)
    if request.target.device:
        images = [image for image in images if image.platform == request.target.platform]
    wanted = [
        image
        for image in images
        if image.full_name not in there and (not image.optional or request.options.image)
    ]
    layout.make_outputs(request.outputs)
    with Store(layout.store_dir(request.outputs)).locks.in_use():
        for full_name, archive in build_images(request, wanted, downloads.say).items():
            pins.load(layout.store_dir(request.outputs), client, full_name, archive)
    _list(images, _there(client))


def _there_if_any(request: Request[Options]) -> dict[str, int] | None:
    """Return the sizes of the engine's images; print a note and return None if it is unavailable."""
    try:
        with _engine_of(request) as client:
            return _there(client)
    except UserError as mistake:
        print(f"note: {mistake.where}: {mistake.what}; sizes are unknown", file=sys.stderr)
        return None


def _list(images: list[Image], there: dict[str, int] | None) -> None:
    rows = [
        [
            image.name,
            image.platform,
            image.full_name,
            _size(image, there),
        ]
        for image in images
    ]
    print(table([["image", "platform", "reference", "size"], *rows]))


def _size(image: Image, there: dict[str, int] | None) -> str:
    if there is None:
        return "unknown"
    size_bytes = there.get(image.full_name)
    return "not built" if size_bytes is None else f"{size_bytes / 1e6:,.0f} MB"


def _prune(request: Request[Options], client: Any, images: list[Image]) -> None:
    """Remove images whose definitions have changed; plans no longer use them."""
    from docker.errors import APIError

    names = {image.name for image in images}
    current = {image.full_name for image in images}
    for full_name, size in sorted(_there(client).items()):
        if full_name not in current and name_in(full_name) in names:
            try:
                client.images.remove(full_name)
            except APIError as error:
                print(f"kept     {full_name}: {refusals.message_of(error)}")
            else:
                print(f"removed  {full_name} ({size / 1e6:,.0f} MB)")


def _there(client: Any) -> dict[str, int]:
    """Return the size in bytes of each of our images in the engine, by full name."""
    return {
        tag: image.attrs["Size"]
        for image in client.images.list()
        for tag in image.tags
        if tag.startswith(f"{REPOSITORY}/")
    }
