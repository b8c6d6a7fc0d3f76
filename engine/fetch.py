"""Fetches declared assets: from the store, or else the mirror folder, or else their public source.

Their digests are always checked.
"""

import errno
import os
import uuid
from pathlib import Path

from engine import digest as digests
from engine import handles, npm, ordinary
from engine.asset import Asset, AssetFile, NpmFile
from engine.errors import UserError
from engine.interfaces import Say
from engine.store import Store

TIMEOUT_S = 20
_CHUNK = 1 << 18


def path_of(asset: Asset, store: Store) -> Path:
    """Return where the asset's file or folder is, or will be once it is fetched."""
    return (
        _folder(asset, store) / asset.every_file[0].path
        if len(asset.every_file) == 1
        else _folder(asset, store)
    )


def digest(asset: Asset) -> str:
    """Return the asset's digest, using only its declaration."""
    if len(asset.every_file) == 1:
        return f"file:{asset.every_file[0].sha256}"
    return digests.declared({file.path: file.sha256 for file in asset.every_file})


def fetch(asset: Asset, store: Store, mirror: Path | None, say: Say) -> None:
    """Fetch and verify the asset unless it is already there; raise UserError if it is unavailable."""
    folder = _folder(asset, store)
    if not _is_whole(asset, folder, store):
        _assemble(asset, folder, mirror, say)


def _folder(asset: Asset, store: Store) -> Path:
    return store.root / "assets" / f"{asset.name}-{digest(asset)[-12:]}"


def _is_whole(asset: Asset, folder: Path, store: Store) -> bool:
    if not folder.is_dir():
        return False
    return store.assets.of_files({folder / file.path: file.sha256 for file in asset.every_file})


def _assemble(asset: Asset, folder: Path, mirror: Path | None, say: Say) -> None:
    """Make the folder next to its destination, and move it there when it is complete."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}-{uuid.uuid4().hex[:6]}")
    try:
        for file in asset.every_file:
            destination = partial / file.path
            destination.parent.mkdir(parents=True, exist_ok=True)
            if not (mirror and _from_mirror(file, mirror / file.mirror, destination)):
                _download(asset, file, destination, mirror, say)
        handles.remove(folder)
        partial.rename(folder)
    finally:
        handles.remove(partial)


def _from_mirror(file: AssetFile, source: Path, destination: Path) -> bool:
    """Copy the file if the mirror has it.

    A file with another digest is an error, not a missing file.
    """
    if not source.is_file():
        return False
    with ordinary.opened(source) as data, destination.open("wb") as out:
        left = file.bytes + 1
        while left and (chunk := data.read(min(left, _CHUNK))):
            out.write(chunk)
            left -= len(chunk)
    found = digests.sha256_of(destination)
    if found != file.sha256:
        raise UserError(
            str(source),
            f"its sha256 is {found[:12]}..., but the asset's is {file.sha256[:12]}...",
            f"remove it, or replace it with {file.source}",
        )
    return True


def _download(
    asset: Asset, file: AssetFile, destination: Path, mirror: Path | None, say: Say
) -> None:
    """Download the file from its URL, or else with npm, and check its digest."""
    where, failures = f"asset {asset.name}: {file.path}", []
    sources: list[str | NpmFile] = [source for source in (file.url, file.npm) if source]
    for source in sources:
        try:
            if isinstance(source, str):
                _from_url(source, file, destination, say)
            else:
                npm.fetch(source, destination, file.bytes)
        except (OSError, npm.NpmError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise  # not the source's fault
            failures.append(
                f"{source} cannot be reached ({getattr(error, 'reason', None) or error})"
            )
            continue
        _check(where, file, str(source), destination)
        return
    path = (mirror or Path("MIRROR")) / file.mirror
    raise UserError(
        where,
        f"it is not on this machine, and {'; '.join(failures)}",
        f"put the file at {path} and add mirror={mirror or 'MIRROR'}"
        + (", or install npm" if file.npm and not npm.is_installed() else ""),
    )


def _from_url(url: str, file: AssetFile, destination: Path, say: Say) -> None:
    """Write what the URL sends, at most one chunk more than the file's declared size."""
    import urllib.request  # imports TLS, which few runs need

    size = 0
    with (
        urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer,
        destination.open("wb") as out,
    ):
        while size <= file.bytes and (chunk := answer.read(_CHUNK)):
            out.write(chunk)
            size += len(chunk)
            say(file.path, size, file.bytes)


def _check(where: str, file: AssetFile, source: str, fetched: Path) -> None:
    found = digests.sha256_of(fetched)
    if found != file.sha256:
        raise UserError(
            where,
            f"{source} sent a different file (sha256 {found[:12]}..., {fetched.stat().st_size:,} bytes)",
            "try again, or put the right file into a folder and set mirror=FOLDER",
        )
