"""Projects in Git repositories: resolved to a commit when planning, and fetched once per commit.

A bare repository per URL and a folder per tree are kept below the store. No hook and no submodule is
run or fetched. Credentials come from Git's own helpers or from ssh's agent, never from a URL.
"""

import hashlib
import os
import re
import subprocess
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from engine import handles
from engine.errors import UserError, did_you_mean

_URI, _VERSION_KEY = ".uri", ".version"  # where mistakes are
TIMEOUT_S = 600.0  # for one command, a fetch included
_REMOTE = re.compile(r"(?:https?|ssh|git|file)://|[\w.-]+@[\w.-]+:")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VERSION = re.compile(r"[A-Za-z0-9_][\w./+-]*")
_SUBMODULE = "160000"  # the mode of a submodule in a tree
_SAFELY = tuple(
    word
    for setting in ("hooksPath=/dev/null", "fsmonitor=false", "autocrlf=false")
    for word in ("-c", f"core.{setting}")
)
_OF_ANOTHER = frozenset(  # variables of a repository that the caller works in
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",  # ask nobody for a password
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",  # not ext::, which runs programs
    "GIT_LFS_SKIP_SMUDGE": "1",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A project's folder at one commit."""

    folder: Path
    commit: str | None  # None: a folder that is not at a commit
    note: str = ""  # if the commit could not be looked up again


def is_remote(uri: str) -> bool:
    """Return whether the URI is that of a repository, not a path."""
    return _REMOTE.match(uri) is not None


def fetch(uri: str, version: str | None, cache: Path) -> Fetched:
    """Return the project's folder, fetched unless the cache has it; raise UserError if that fails.

    uri: of the repository, with `#folder` for a project that is not at its root. version: a branch, a
    tag or a commit; the repository's default branch if None.
    """
    url, _, folder = uri.partition("#")
    _refuse_odd(url, folder, version)
    repository = _Repository(cache / f"{_name(url)}.git", url)
    commit, note = repository.commit(version)
    tree = repository.tree(commit, folder.strip("/"))
    return Fetched(repository.extracted(tree, cache / tree), commit, note)


def _refuse_odd(url: str, folder: str, version: str | None) -> None:
    parts = urlsplit(url)
    if parts.password or (parts.username and parts.scheme in ("http", "https")):
        what = "a URL with credentials would be written to the journal and to MLflow"
        fix = "remove them; Git asks its credential helper: git config credential.helper"
        raise UserError(_URI, what, fix)
    if ".." in folder.split("/") or folder.startswith("-"):
        what = f"'{folder}' is not a folder of the repository"
        raise UserError(_URI, what, "write URL#folder/of/the/project")
    if version is not None and (not _VERSION.fullmatch(version) or ".." in version):
        what = f"'{version}' is not the name of a branch, a tag or a commit"
        raise UserError(_VERSION_KEY, what, "write a branch, a tag, or 40 digits of a commit")


@dataclass(frozen=True, slots=True)
class _Repository:
    """The cache of one repository."""

    path: Path
    url: str

    def commit(self, version: str | None) -> tuple[str, str]:
        """Return the commit of a version, and a note if only the cache could be asked."""
        self._make()
        if version and _COMMIT.fullmatch(version) and self._resolved(version):
            return version, ""
        known = f"refs/versions/{_name(version or 'HEAD')}"
        try:
            found = self._listing(refs=_refs(version))
        except _GitError as error:
            if kept := self._resolved(known):
                note = f"{self.url} is unavailable; using its last known commit {kept[:12]}"
                return kept, note
            raise self._unavailable(error) from None
        wanted = _chosen(found, version)
        if wanted is None and not (version and _COMMIT.fullmatch(version)):
            what = f"the repository {self.url} has no branch or tag '{version}'"
            names = re.findall(r"refs/(?:heads|tags)/(\S+)", self._listing("--heads", "--tags"))
            fix = did_you_mean(str(version), {one for one in names if not one.endswith("^{}")})
            raise UserError(_VERSION_KEY, what, fix)
        source = wanted or str(version)
        if self._resolved(source) is None:
            self._fetch(source)
        commit = str(self._resolved(source))
        self._git("update-ref", known, commit)
        return commit, ""

    def tree(self, commit: str, folder: str) -> str:
        """Return the id of the project's tree; raise UserError if there is no such folder."""
        try:
            tree = self._git("rev-parse", "--verify", f"{commit}:{folder}").strip()
            entries = self._git("ls-tree", "-r", tree)
        except _GitError:
            what = f"the repository has no folder '{folder}' at commit {commit[:12]}"
            raise UserError(_URI, what, "write URL#folder/of/the/project") from None
        for line in entries.splitlines():
            if line.startswith(_SUBMODULE):
                what = f"the project has a submodule, {line.partition(chr(9))[2]}"
                fix = "use a copy of its files; submodules are not fetched"
                raise UserError(_URI, what, fix)
        return tree

    def extracted(self, tree: str, folder: Path) -> Path:
        """Return the folder with the tree's files; it appears under its name when it is complete."""
        if folder.is_dir():
            return folder
        partial = folder.with_name(f".{tree}.{uuid.uuid4().hex[:8]}")
        index = partial.with_name(f"{partial.name}.index")
        partial.mkdir(parents=True)
        try:
            own = {"GIT_INDEX_FILE": str(index)}
            self._git("read-tree", tree, environment=own)
            at = (f"--work-tree={partial}", "-c", "core.bare=false")
            self._git("checkout-index", "--all", before=at, environment=own)
            with suppress(OSError):  # another engine was faster
                partial.rename(folder)
        finally:
            handles.remove(partial)
            handles.remove(index)
        return folder

    def _listing(self, *options: str, refs: tuple[str, ...] = ()) -> str:
        return self._git("ls-remote", *options, "--", self.url, *refs)

    def _make(self) -> None:
        if not (self.path / "HEAD").is_file():
            self.path.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--bare", "--template=", str(self.path), at=False)

    def _fetch(self, source: str) -> None:
        """Fetch a commit: alone if the server allows it, or else with all branches and tags."""
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        everything = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        try:
            self._git("fetch", *options, "--depth=1", "--", self.url, source)
        except _GitError:
            try:
                self._git("fetch", *options, "--", self.url, *everything)
            except _GitError as error:
                raise self._unavailable(error) from None
        if self._resolved(source) is None:
            what = f"the repository {self.url} has no commit {source[:12]}"
            raise UserError(
                _VERSION_KEY, what, "write a branch, a tag or a commit of the repository"
            )

    def _resolved(self, name: str) -> str | None:
        """Return the commit of a branch, a tag or a commit id, if the cache has it."""
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
        except _GitError:
            return None

    def _unavailable(self, error: "_GitError") -> UserError:
        what = f"the repository cannot be fetched: {error}"
        return UserError(_URI, what, f"check it: git ls-remote {self.url}")

    def _git(
        self,
        *words: str,
        before: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        at: bool = True,
    ) -> str:
        place = (f"--git-dir={self.path}",) if at else ()
        argv = ["git", *_SAFELY, *place, *before, *words]
        own = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER}
        ssh = os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=20")
        env = {**own, **_ENVIRONMENT, "GIT_SSH_COMMAND": ssh, **(environment or {})}
        try:
            done = subprocess.run(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError:
            fix = "install git, or name a folder with the project"
            raise UserError(_URI, "the program git is not installed", fix) from None
        except subprocess.TimeoutExpired:
            raise _GitError(f"no answer within {TIMEOUT_S:g} s") from None
        if done.returncode:
            raise _GitError(_reason(done.stderr.decode(errors="replace")))
        return done.stdout.decode(errors="replace")


class _GitError(Exception):
    """Git failed; the message is its own."""


def _refs(version: str | None) -> tuple[str, ...]:
    if version is None:
        return ("HEAD",)
    return (f"refs/heads/{version}", f"refs/tags/{version}", f"refs/tags/{version}^{{}}")


def _chosen(listing: str, version: str | None) -> str | None:
    """Return the commit in ls-remote's answer: that of a branch before that of a tag, as in MLflow."""
    pairs = (line.partition("\t") for line in listing.splitlines())
    found = {ref: commit for commit, tab, ref in pairs if tab}
    if version is None:
        return found.get("HEAD")
    refs = _refs(version)
    return next((found[ref] for ref in (refs[0], refs[2], refs[1]) if ref in found), None)


def _reason(text: str) -> str:
    """Return the line of Git's messages that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    return (fatal or lines or ["it gave no reason"])[0][:300]


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
