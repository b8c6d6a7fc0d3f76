"""Sends a run's files to MLflow: as references in a folder on this machine, as copies to a server.

The copies exist because the store's files are read-only (MLflow could not overwrite them when it
sends them again), and because neither symbolic links nor credentials in text may be sent. A
reference is a reflink, or a hard link to a file without write permission. MLflow never writes to a
reference: it is created beside the artifacts and then renamed. Root can write to any file, so the
store checks its digests before it uses one.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from engine import figure_kinds, figure_page, handles
from engine.durable import clone
from engine.figure_kinds import Figure
from engine.mlflow.preview import unlinked
from engine.vocabulary import Event
from engine.wording import redact

REPORT, CARD = "report.html", "model_card.md"
_RUN_FILES = ("run.json", "metrics.json", "journal.jsonl")
_LONGEST_NAME = 200
_LONGEST_FIGURE = 80  # characters of a figure's name in its file name
_WRITABLE = 0o222
_MOST_FILES = 200  # of one output: a larger folder is data, and each file costs a request


def why_left_out(path: Path, max_bytes: int) -> str | None:
    """Return why only the digest of an output is recorded; None if the output is sent."""
    count = size_bytes = 0
    try:
        for file in _files(path):
            count, size_bytes = count + 1, size_bytes + file.stat().st_size
            if count > _MOST_FILES:
                return f"more than {_MOST_FILES} files"
            if size_bytes > max_bytes:
                return f"more than {max_bytes} bytes"
            if not os.access(file, os.R_OK):
                return "a file that cannot be read"
    except OSError as error:  # for example, the path is too long
        return f"cannot be read: {error.strerror}"
    return None


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder with ordinary permissions and without symbolic links."""
    _lay_out(source, target, shutil.copyfile)


def refer(source: Path, folder: Path) -> None:
    """Put a file or a folder into a folder of artifacts, and replace an entry of the same name.

    Unchanged files take no disk space.
    """
    partial = folder.parent / f".{source.name}.{os.getpid()}.part"
    handles.remove(partial)
    _lay_out(source, partial, _refer_one)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / _escaped(source.name)
    handles.remove(target)
    if partial.exists():  # an empty folder creates nothing
        partial.rename(target)


def share(copied: Path, source: Path) -> None:
    """Replace the files of a copied folder by references to their originals."""
    for file in _files(source):
        twin, partial = copied / file.relative_to(source), copied / f".{os.getpid()}.part"
        if twin.is_file() and not twin.is_symlink() and twin.stat().st_size == file.stat().st_size:
            _refer_one(file, partial)
            partial.replace(twin)


def _lay_out(source: Path, target: Path, lay: Callable[[Path, Path], object]) -> None:
    for file in _files(source):
        destination = (
            target.joinpath(*map(_escaped, file.relative_to(source).parts))
            if source.is_dir()
            else target
        )
        while destination.exists():  # two names have the same escaped form
            destination = destination.with_name(f"{destination.name}_")
        destination.parent.mkdir(parents=True, exist_ok=True)
        lay(file, destination)


def _refer_one(source: Path, target: Path) -> None:
    """Create a reflink, else a hard link if the file is read-only, else a copy."""
    source = source.resolve()
    if clone(source, target):
        return
    if not source.stat().st_mode & _WRITABLE:
        with suppress(OSError):  # another file system, too many links, or another user's file
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def copy_run_files(run_dir: Path, start: Event, target: Path) -> None:
    """Copy the run's own files: those for people, and those for programs into run/.

    They include the whole configuration, because MLflow may cut long parameters.
    """
    (target / "run").mkdir()
    copies = {REPORT: target, CARD: target, **dict.fromkeys(_RUN_FILES, target / "run")}
    for name, folder in copies.items():
        if (run_dir / name).exists():
            text = (run_dir / name).read_text(encoding="utf-8", errors="replace")
            _write(folder / name, unlinked(text, run_dir) if name == REPORT else text)
    config = {
        name: start.get(name)
        for name in ("usecase", "target", "params", "objective", "assets", "jobs")
    }
    _write(target / "run" / "config.json", json.dumps(config, indent=2, ensure_ascii=False))


def write_figures(figures: Iterable[Figure], folder: Path) -> None:
    """Write each figure as data, NAME.json, and as a page that draws it, NAME.html.

    A figure of an unknown kind is written as data only.
    """
    for figure in figures:
        name = _figure_name(figure)
        _write(folder / f"{name}.json", json.dumps(figure, indent=1, ensure_ascii=False))
        if figure["kind"] in figure_kinds.names():
            _write(folder / f"{name}.html", figure_page.page(figure))


def _figure_name(figure: Figure) -> str:
    """Return a file name that is unique to the figure's kind and name."""
    name, plain = str(figure["name"]), slug(str(figure["name"]))[:_LONGEST_FIGURE]
    mark = "" if plain == name else f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{slug(str(figure['kind']))[:_LONGEST_FIGURE]}-{plain}{mark}"


def slug(name: str) -> str:
    """Return the name without characters that are invalid in a path or in a model's name."""
    return re.sub(r"[^\w-]+", "_", name, flags=re.ASCII) or "_"


def _write(path: Path, text: str) -> None:
    path.write_text(redact(text), encoding="utf-8", errors="replace")


def _escaped(name: str) -> str:
    """Return a file name that is safe in MLflow's URLs, which do not quote it: `a_x3fb` for `a?b`."""
    words = re.sub(r"[%?#\\\x00-\x1f\x7f\ud800-\udfff]", lambda found: _hex(found[0]), name)
    if len(words.encode()) <= _LONGEST_NAME:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return words.encode()[:_LONGEST_NAME].decode(errors="ignore") + f"_{digest}"


def _hex(letter: str) -> str:
    return "".join(f"_x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def _files(path: Path) -> Iterator[Path]:
    """Return the regular files of an output, at any depth; the output may be a link into the store."""
    if not path.is_dir():
        yield from [path] if path.is_file() else []
        return
    with handles.folder(path.resolve()) as root:
        for entry in handles.walk(root):
            if stat.S_ISREG(entry.facts.st_mode):
                yield path / entry.path
