"""The images that a request may use: the definitions in containers/, and their Debian base."""

import socket
from collections.abc import Callable, Sequence
from functools import cache

from engine import images, layout
from engine.durable import write_whole
from engine.images import Image
from engine.request import Request
from engine.signature import Library

REGISTRY, PROBE_S = (
    "registry-1.docker.io",
    2.0,
)  # the registry of the pinned Debian in containers/base/registry.txt
BUILDERS = (
    "stages.containers.base",
    "stages.containers.build",
)  # the code that builds images: it is part of their tags
ENVIRONMENTS = "stages.containers.environment"  # the code that builds environments


def of(request: Request) -> Callable[[], Sequence[Image]]:
    """Return a function that reads the images of containers/ on its first call, the user's before the
    project's.
    """

    @cache
    def read() -> tuple[Image, ...]:
        library = Library(("stages",), request.roots)
        base = base_of(request)
        sources: dict[str, str] = {}
        for name in BUILDERS:
            sources |= library.signature(name, name).sources
        more = library.signature(ENVIRONMENTS, ENVIRONMENTS).sources
        found: dict[tuple[str, str], Image] = {}
        for root in reversed(request.roots):
            for image in images.read(root / "containers", sources, base, more):
                found[image.name, image.platform] = image
        return tuple(found.values())

    return read


def base_of(request: Request) -> str:
    """Return the source of the images' Debian: `bootstrap` or `registry`.

    `auto` is resolved once per outputs folder, because a different base gives different images.
    """
    if request.settings.base != "auto":
        return request.settings.base
    resolved = layout.store_dir(request.outputs) / "base"
    if not resolved.is_file():
        layout.make_outputs(request.outputs)
        write_whole(resolved, b"registry" if _answers(REGISTRY) else b"bootstrap")
    return resolved.read_text(encoding="ascii")


def _answers(host: str) -> bool:
    try:
        with socket.create_connection((host, 443), timeout=PROBE_S):
            return True
    except OSError:
        return False
