"""Selects the image of a job's container, and checks that the engine has the right one."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import images
from engine.containers import answers, pins
from engine.containers.options import LABEL
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.errors import UserError, did_you_mean
from engine.images import Image
from engine.plan import Planned
from engine.spec import StageSpec
from engine.stage.platforms import PLATFORMS
from engine.tools import definition

_PATH = "/usr/local/bin:/usr/bin:/bin"  # if the image does not set it


def choose(
    context: ExecutorContext,
    platform: str,
    spec: StageSpec,
    contract: Contract,
    connect: Callable[[], Any],
) -> Image:
    """Return the image that the YAML names, or else the smallest one that has what the stage imports.

    Raise UserError if there is none.
    """
    if contract.only_local:
        fix = "write runs_on: host, and the stage is a process of this machine"
        raise UserError("runs_on", contract.only_local, fix)
    if contract.image and spec.runs_on == "target":
        what = "an MLflow Project runs on the build machine, whatever the target"
        raise UserError("runs_on", what, "remove runs_on")
    if contract.image:
        return _own(context, platform, contract.image, connect)
    runtimes, runtime = frozenset(images.RUNTIMES.values()), context.target.runtime
    packages = contract.needs | contract.imports & runtimes
    if spec.image:
        image = images.named(context.images(), spec.image, platform)
        if image is not None and image.on_demand and spec.image not in context.without:
            return image
        is_optional = any(one.name == spec.image and one.optional for one in context.images())
        if image is None and not is_optional:
            known = sorted({one.name for one in context.images() if one.platform == platform})
            raise UserError(
                "image",
                f"there is no image '{spec.image}' for {platform}",
                did_you_mean(spec.image, known),
            )
        if image is not None and not is_optional:
            return image
        if image is not None and not image.on_demand:
            is_enough = not images.lacking(image, packages, runtime)
            if is_enough and _is_there(connect, image.full_name):
                return image
    return images.serving(context.images(), platform, packages, runtime)


def lacking(context: ExecutorContext, platform: str, spec: StageSpec) -> str:
    """Return the note on the environment that the stage names and that it does not get.

    Empty if it gets it, or names none.
    """
    if not spec.image or not definition.is_environment(context.roots, spec.image):
        return ""
    if why := context.without.get(spec.image):
        return definition.lacking(spec.image, why)
    if images.named(context.images(), spec.image, platform):
        return ""
    return definition.lacking(spec.image, f"there is no such image for {platform}")


def _own(
    context: ExecutorContext, platform: str, full_name: str, connect: Callable[[], Any]
) -> Image:
    """Return the image that the stage itself names: one of containers/, or one that the engine has."""
    built = [image for image in context.images() if image.platform == platform]
    for image in built:
        if image.full_name == full_name:
            return image
    name = images.name_in(full_name)
    if now := next((image.full_name for image in built if image.name == name), None):
        what = f"nobody builds the image {full_name}: containers/{name} has changed since"
        raise UserError("image", what, f"write {now}")
    found = _get(connect(), full_name)
    if found is None:
        what = f"the container engine has no image '{full_name}', and nothing here builds it"
        raise UserError("image", what, f"docker pull {full_name}; or correct the name")
    return Image("", platform, "", frozenset(), False, "", full_name, found.id)


def missing(client: Any, jobs: Iterable[Planned]) -> list[str]:
    """Return the images of these jobs that the engine does not have."""
    return [
        full_name
        for full_name in sorted(
            {one.job.placement.image for one in jobs if one.job.placement.image}
        )
        if _get(client, full_name) is None
    ]


def checked(client: Any, store: Path, full_name: str, platform: str) -> Any:
    """Return the engine's image.

    Raise UserError if it is missing, differs from its pin, or contains programs of another platform.
    """
    image, is_ours = _get(client, full_name), full_name.startswith(f"{images.REPOSITORY}/")
    if image is None:
        fix = "python run.py images build" if is_ours else f"docker pull {full_name}"
        raise UserError(full_name, "the container engine has no such image", fix)
    if is_ours:
        pins.refuse_another(store, client, full_name, image)
    found = _machine_of(client, image)
    if found is not None and found != PLATFORMS[platform].elf_machine:
        raise UserError(
            full_name,
            f"its Python is for another processor than {platform} (ELF machine {found}), "
            "whatever its label says",
            f"docker rmi {full_name}, then python run.py images build",
        )
    return image


def _is_there(connect: Callable[[], Any], full_name: str) -> bool:
    try:
        return _get(connect(), full_name) is not None
    except UserError:
        return False


def _get(client: Any, full_name: str | None) -> Any:
    from docker.errors import ImageNotFound

    try:
        with answers.sense():
            image = client.images.get(full_name)
            if not re.fullmatch("sha256:[0-9a-f]{64}", image.id):
                raise answers.Nonsense("its answer is invalid: an image without an id")
            return image
    except ImageNotFound:
        return None


def _machine_of(client: Any, image: Any) -> int | None:
    """Return the ELF machine of the image's Python, because an image's declared architecture may be wrong."""
    folders = answers.environment(image).get("PATH", _PATH).split(":")
    with _created(client, image) as container:
        heads = (_program(container, f"{folder}/python3") for folder in folders)
        head = next(filter(None, heads), b"")
        return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else None


def _program(container: Any, path: str) -> bytes:
    """Return the first bytes of a program; empty if it does not exist."""
    for _ in range(8):  # follow links such as python3 -> python3.11
        head, facts = _head(container, path)
        if not facts.linkTarget:
            return head
        path = facts.linkTarget
    return b""


@contextmanager
def _created(client: Any, image: Any) -> Iterator[Any]:
    container = client.containers.create(
        image.id, command=["true"], network_mode="none", labels={f"{LABEL}.check": "1"}
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def _head(container: Any, path: str) -> tuple[bytes, answers.PathStat]:
    """Return the first bytes of a file in the container, and the engine's description of it."""
    with answers.archived(container, path) as found:
        if found is None:
            return b"", answers.PathStat(size=0, mode=0)
        facts, chunks = found
        data = b""
        while len(data) < 1024 and (chunk := next(chunks, b"")):
            data += chunk
        return data[512:1024], facts  # after the tar header
