"""`images [build|list|prune]`: build, list or remove the container images of containers/.

They belong to an engine: this machine's, or that of the target's device. Images with code in them
(code=baked) belong to the registry of a cluster instead, if there is one.
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Literal

from pydantic import Field

from engine import job_code, layout
from engine.containers import daemon, pins, refusals
from engine.dispatch import executor_context
from engine.drawing import downloads
from engine.drive import bake_images, build_images, push_images
from engine.errors import UserError, did_you_mean
from engine.executors.device import Device
from engine.images import REPOSITORY, Image, name_in, with_code
from engine.kubeflow.images import Pushed
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
    code: Literal["mounted", "baked"] = Field(
        "mounted",
        description="baked: the images contain the code of stages, and are also pushed if "
        "kubeflow.registry is set; mounted: the code is mounted when they run",
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Run the action that follows `images`; without one, list the images."""
    known = _chosen(request, list(executor_context(request).images()))
    options = request.options
    if options.code == "baked" and request.settings.kubeflow.registry and options.action != "prune":
        _pushed(request, known)
    elif options.action == "list":
        _list(_named(request, known), _there_if_any(request))
    else:
        with _engine_of(request) as client:
            {"build": _build, "prune": _prune}[options.action](request, client, known)
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
    names = _named(request, images)
    wanted = [image for image in _required(request, images) if names[image] not in there]
    make = bake_images if request.options.code == "baked" else build_images
    layout.make_outputs(request.outputs)
    with Store(layout.store_dir(request.outputs)).locks.in_use():
        for full_name, archive in make(request, wanted, downloads.say).items():
            pins.load(layout.store_dir(request.outputs), client, full_name, archive)
    _list(names, _there(client))


def _pushed(request: Request[Options], images: list[Image]) -> None:
    """List the images with code that the registry has; push the missing ones first, for `build`."""
    layout.make_outputs(request.outputs)
    store, settings = Store(layout.store_dir(request.outputs)), request.settings.kubeflow
    pushed = Pushed(store.root, settings.registry, _code(request), settings.timeout_s)
    missing = pushed.missing(image.full_name for image in images)
    if request.options.action == "build":
        wanted = [one for one in _required(request, images) if one.full_name in missing]
        with store.locks.in_use():
            for full_name, report in push_images(request, wanted, downloads.say).items():
                pushed.record(full_name, report)
        missing = pushed.missing(missing)
    rows = [
        [
            image.name,
            image.platform,
            name if image.full_name in missing else pushed.reference(image.full_name),
            "not pushed" if image.full_name in missing else "pushed",
        ]
        for image, name in _named(request, images).items()
    ]
    print(table([["image", "platform", "reference", "registry"], *rows]))


def _required(request: Request[Options], images: list[Image]) -> list[Image]:
    """Return the images that `build` builds: optional ones only if one is asked for by name."""
    return [image for image in images if not image.optional or request.options.image]


def _named(request: Request[Options], images: list[Image]) -> dict[Image, str]:
    """Return the images with their full names in an engine."""
    if request.options.code == "mounted":
        return {image: image.full_name for image in images}
    short = _code(request).short
    return {image: with_code(image.full_name, short) for image in images}


def _code(request: Request) -> job_code.JobCode:
    return job_code.find(request.roots, request.settings.stage_packages)


def _there_if_any(request: Request[Options]) -> dict[str, int] | None:
    """Return the sizes of the engine's images; print a note and return None if it is unavailable."""
    try:
        with _engine_of(request) as client:
            return _there(client)
    except UserError as mistake:
        print(f"note: {mistake.where}: {mistake.what}; sizes are unknown", file=sys.stderr)
        return None


def _list(names: dict[Image, str], there: dict[str, int] | None) -> None:
    rows = [
        [image.name, image.platform, full_name, _size(full_name, there)]
        for image, full_name in names.items()
    ]
    print(table([["image", "platform", "reference", "size"], *rows]))


def _size(full_name: str, there: dict[str, int] | None) -> str:
    if there is None:
        return "unknown"
    size_bytes = there.get(full_name)
    return "not built" if size_bytes is None else f"{size_bytes / 1e6:,.0f} MB"


def _prune(request: Request[Options], client: Any, images: list[Image]) -> None:
    """Remove images whose definitions or code have changed; plans no longer use them."""
    from docker.errors import APIError

    names = {image.name for image in images}
    short = _code(request).short
    current = {image.full_name for image in images}
    current |= {with_code(full_name, short) for full_name in current}
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
