"""Pushes an image with the code of stages in it to a registry."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stages.containers._registry import Reference


class PushMetrics(TypedDict):
    """The compressed size of the image in bytes, and how many of its blobs the registry lacked."""

    size_bytes: float
    uploaded: float


def push(
    layout: In,
    code: In,
    report: Annotated[Out, Suffix(".json")],
    *,
    name: str,
    tag: str,
    registry: str,
) -> PushMetrics:
    """Add the code to the image as one more layer, as the stage `bake` does, and push it.

    layout: OCI layout of one platform's image, from the stage `compress`
    code:   folder with one numbered folder for each folder that Python searches, in order
    report: JSON: the reference with the manifest's digest, the tag, the digest of the configuration
            (Docker's image id), and the digests of all blobs
    name, tag: of the image; the tag contains the digests of what the image is made from
    registry: host:port/path, without the image's name. User and password come from REGISTRY_USER and
              REGISTRY_PASSWORD, or from `docker login`
    The tag is written last, read back, and never moved: if the registry has the same image under it
    with other compressed bytes, that one is used. StageError: the tag belongs to another image, or
    the registry cannot be reached or refuses.
    """
    import json
    import tempfile
    from pathlib import Path

    from stages.containers import _registry
    from stages.containers._pushing import Pushing, assemble

    goal = _registry.parse(f"{registry}/{name}:{tag}")  # checked before anything is done
    with tempfile.TemporaryDirectory(dir=report.parent) as folder:
        image = assemble(layout, code, Path(folder))
        repository = Pushing(goal)
        known = repository.under(tag)
        if known is not None:
            _refuse_another(known, image.config_digest, goal)
        manifest, uploaded = known or image.manifest, 0
        if known is None or not repository.is_complete(known):
            manifest, uploaded = image.manifest, _upload(repository, image.blobs, goal)
            repository.put_manifest(_registry.digest_of(manifest), manifest, _registry.OCI_MANIFEST)
            repository.put_manifest(tag, manifest, _registry.OCI_MANIFEST)
    described = json.loads(manifest)
    parts = [described["config"], *described["layers"]]
    digest = _registry.digest_of(manifest)
    note(f"{goal} is {digest[:19]}...: {uploaded} of {len(parts)} blobs were new")
    facts = {
        "v": 1,
        "reference": f"{goal.host}/{goal.name}@{digest}",
        "tag": tag,
        "config": image.config_digest,
        "blobs": [part["digest"] for part in parts],
    }
    report.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return PushMetrics(
        size_bytes=float(sum(part["size"] for part in parts)), uploaded=float(uploaded)
    )


def _refuse_another(manifest: bytes, config_digest: str, goal: "Reference") -> None:
    """Raise StageError if the registry has another image under the tag."""
    import json

    try:
        found: Any = json.loads(manifest)["config"]["digest"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if found != config_digest:
        raise StageError(
            f"{goal} is another image: somebody else pushed it under this tag. Delete the tag in the "
            "registry, or push to another path"
        )


def _upload(repository: Any, blobs: "Mapping[str, Path]", goal: "Reference") -> int:
    """Upload what the registry lacks; return how many blobs that were."""
    uploaded = 0
    for done, (digest, path) in enumerate(blobs.items()):
        progress(done, len(blobs), f"to {goal.host}")
        uploaded += repository.upload(path, digest)
        if repository.size(digest) != path.stat().st_size:
            raise StageError(
                f"{goal.host} reports a different size for {digest[:19]}... than was sent"
            )
    return uploaded
