"""Where a project is: a folder of this machine, or a folder of a Git repository at one commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine.errors import UserError, did_you_mean
from engine.projects import files, git, spec
from engine.projects.spec import Project

CACHE = "projects"  # a folder of the store


@dataclass(frozen=True, slots=True)
class Source:
    """A project, ready to be read."""

    folder: Path
    digests: dict[str, str]  # of its files, by their paths
    project: Project
    commit: str | None
    note: str = ""


def resolve(uri: str, version: str | None, roots: Sequence[Path], store: Path | None) -> Source:
    """Return the project; raise all mistakes that are found together.

    Mistakes in the use case are located at `.uri` or `.version`, below the key of the stage; those in
    the project have its own path.
    """
    found = _found(uri, version, roots, store)
    digests = files.digests(found.folder, uri)
    return Source(found.folder, digests, spec.read(found.folder, uri), found.commit, found.note)


def _found(uri: str, version: str | None, roots: Sequence[Path], store: Path | None) -> git.Fetched:
    place, _, inner = uri.partition("#")
    local = _local(place, roots)
    if local is None or version is not None or _is_bare(local):
        url = uri if local is None else f"{_as_url(local, place)}#{inner}"
        if store is None:
            fix = "name a folder with the project"
            raise UserError(".uri", "this command does not fetch projects", fix)
        return git.fetch(url, version, store / CACHE)
    folder = local / inner
    if ".." in inner.split("/") or not folder.is_dir():
        what = f"{place} has no folder '{inner}'"
        raise UserError(".uri", what, "write FOLDER#folder/of/the/project")
    return git.Fetched(folder, None)


def _local(place: str, roots: Sequence[Path]) -> Path | None:
    """Return the folder on this machine; None for a repository elsewhere."""
    if place.startswith("file://"):
        path = Path(unquote(urlsplit(place).path))
        if not path.is_dir():  # Git says what is wrong, or the cache has it
            return None
    elif git.is_remote(place):
        return None
    else:
        path = next((root / place for root in roots if (root / place).is_dir()), Path(place))
        path = path.expanduser()
    if path.is_dir():
        return path
    near = [
        one.relative_to(root).as_posix()
        for root in roots
        for one in (root / place).parent.glob("*")
        if one.is_dir() and root in one.parents
    ]
    fix = f"write a path from {roots[0]}, an absolute path, or a Git URL"
    raise UserError(".uri", f"there is no folder '{place}'", did_you_mean(place, near, fix))


def _is_bare(folder: Path) -> bool:
    """Return whether the folder is a Git repository without a work tree."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def _as_url(folder: Path, place: str) -> str:
    """Return the URL of a repository on this machine."""
    if not (_is_bare(folder) or (folder / ".git").exists()):
        what = f"'{place}' is not a Git repository, so it has no versions"
        raise UserError(".version", what, "remove the key, or name a repository")
    return folder.resolve().as_uri()
