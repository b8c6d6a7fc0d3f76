"""Publishes an image: an archive for each platform, one layout for all, and a registry's manifest
list.
"""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.containers._layout import Image
    from stages.containers._release import Release


class PublishMetrics(TypedDict):
    """The numbers of platforms and blobs of the image, and its compressed size in bytes.

    Also whether it was pushed (1 or 0), and how many blobs the registry lacked.
    """

    platforms: float
    blobs: float
    size_bytes: float
    pushed: float
    uploaded: float


def publish(
    archives: Out,
    layout: Out,
    report: Annotated[Out, Suffix(".json")],
    images: In,
    smoke: In | None = None,
    scan: In | None = None,
    *,
    name: str,
    tag: str = "latest",
    registry: str | None = None,
    compression: Annotated[int, Range(ge=0, le=9)] = 4,
) -> PublishMetrics:
    """Write the image for all platforms with compressed layers, and push it to the registry.

    All platforms get the same tag.
    images:   folder with archives named amd64, arm64 and armv7, as the stage `build` writes them; at
              least one
    smoke, scan: folders with the results of these stages under the same names; results for another
              image are refused, so that what is published is what was tested
    archives: folder with <name>-<arch>.tar, each an OCI layout that `docker load` also accepts
    layout:   OCI layout of all platforms; index.json names the tag's manifest list and each platform's
              manifest
    report:   JSON: digest of each platform's manifest and of the list; under `tested`, the digest of the
              uncompressed image that was tested, listed and scanned; and where it was pushed
    registry: host:port/path, without the image's name; null: nothing is pushed. User and password
              come from REGISTRY_USER and REGISTRY_PASSWORD, or from `docker login`
    name:        the image's name, without registry and tag
    tag:         the tag of the manifest list
    compression: of the layers: 0 is none, 9 the smallest and slowest
    Manifests are read back and compared. The same archives give the same bytes, because the
    compressed data contain neither time nor name. StageError: an input is invalid, or the registry
    cannot be reached or refuses.
    """
    import json

    from stages.containers import _layout, _registry, _release

    goal = _registry.parse(
        f"{registry or 'localhost'}/{name}:{tag}"
    )  # checked before anything is done
    found = {path.name: _layout.read(path) for path in sorted(images.iterdir())}
    if not found:
        raise StageError("there is no archive to publish: give amd64, arm64 or armv7")
    for arch, image in found.items():
        _check(arch, image, smoke and smoke / arch, scan and scan / arch)
    release = _release.write(layout, name, tag, list(found.values()), compression)
    _release.write_archives(archives, layout, name, tag, release)
    uploaded = _push(release, layout, goal) if registry else 0
    if not registry:
        note(
            "nothing was pushed because no registry is set; to set one: "
            "params.registry=HOST:PORT/PATH"
        )
    digests = {
        image.platform: manifest.digest
        for image, manifest in zip(found.values(), release.manifests, strict=True)
    }
    facts = {
        "v": 1,
        "name": name,
        "tag": tag,
        "index": release.index.digest,
        "platforms": digests,
        "tested": {image.platform: image.digest for image in found.values()},
        "pushed": str(goal) if registry else None,
    }
    report.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    blobs = list((layout / "blobs" / "sha256").iterdir())
    return PublishMetrics(
        platforms=float(len(found)),
        blobs=float(len(blobs)),
        size_bytes=float(sum(blob.stat().st_size for blob in blobs)),
        pushed=float(registry is not None),
        uploaded=float(uploaded),
    )


def _check(arch: str, image: "Image", smoke: "Path | None", scan: "Path | None") -> None:
    """Refuse an archive of another platform than its name, and one that is not the tested image."""
    if image.arch != arch:
        raise StageError(f"the archive given as {arch} is for {image.platform}")
    for what, path in (("smoke test", smoke), ("scan", scan)):
        if path and path.exists() and _image_of(path, what) != image.digest:
            raise StageError(
                f"the {what} given as {arch} belongs to a different image than the archive"
            )


def _image_of(path: "Path", what: str) -> Any:
    import json

    try:
        return json.loads(path.read_bytes())["image"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StageError(f"the input given as {what} is not an output of that stage") from None


def _push(release: "Release", layout: "Path", goal: Any) -> int:
    """Push everything to the registry, the list last, so that the tag never refers to missing parts.

    Return how many blobs the registry lacked.
    """
    from stages.containers import _registry

    repository, uploaded = _registry.Repository(goal), 0
    for done, blob in enumerate(release.blobs):
        progress(done, len(release.blobs), f"to {goal.host}")
        uploaded += repository.upload(layout / "blobs" / "sha256" / blob.digest[7:], blob.digest)
        if repository.size(blob.digest) != blob.size:
            raise StageError(
                f"{goal.host} reports a different size for {blob.digest[:19]}... than was sent"
            )
    for part in (*release.manifests, release.index):
        content = (layout / "blobs" / "sha256" / part.digest[7:]).read_bytes()
        repository.put_manifest(part.digest, content, part.kind)
    repository.put_manifest(goal.tag, content, release.index.kind)
    note(
        f"pushed {goal} ({release.index.digest[:19]}...): {uploaded} of {len(release.blobs)} blobs were new"
    )
    return uploaded
