"""A cache of composed requests: for the same words and files, it saves Hydra, half of the start-up time.

An entry is named by the digest of everything that composition reads: the words, the configuration
files, the variables that YAML may name, the versions of Hydra and OmegaConf, and the code that
composes. Other facts, such as whether a folder exists, are in the entry and are checked again. An
entry is JSON, validated like any request; if it cannot be read, the request is composed again.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from engine import composed, extensions, fingerprint, handles, layout, ordinary, overlays
from engine.catalogue import PROJECT_FILE, ROOT
from engine.composed import Composed
from engine.durable import write_whole
from engine.environment import READABLE
from engine.options import CommandOptions
from engine.registration import GROUPS, CommandLine
from engine.request import Request

RECORD = "request/1"
MOST_ENTRIES = 100
_OUTPUTS = re.compile(r"outputs=([\w./-]+)")
_DEFAULT = re.compile(rb"^outputs: (\S+)", re.MULTILINE)
# Resolvers whose values change with each run, also if written with a YAML escape; additional configuration.
_CHANGING = re.compile(rb"\$\{\s*(?:now|hydra)|\\x24|\\u0024|searchpath")
_PLAIN_URI = re.compile(r"[\w.:/\[\]-]*")  # no user, no password, no query
_MOST_BYTES = 10_000_000
_CODE = (
    "compose",
    "asset_choice",
    "interpolation",
    "main_config",
    "composed",
    "registration",
    "overlays",
    "yamlfile",
    "catalogue",
    "plain",
    "override",
    "spelling",
    "asset",
    "target",
    "accelerator",
    *(f"accelerators/{name}" for name in extensions.names("accelerators")),
    "foreach",
)
_LIBRARIES = ("hydra_core", "omegaconf", "pyyaml")


def entry_of(line: CommandLine) -> Path | None:
    """Return the path of this line's entry, or None if the line cannot be cached.

    Call it before composing the line: files that change later belong to another entry.
    """
    try:
        return _entry(line)
    except Exception:  # composing reports what is wrong with the files, with its location
        return None


def recall(path: Path | None, line: CommandLine) -> Request | None:
    """Return the cached request of this line, or None if it must be composed."""
    try:
        return _recalled(path, line) if path else None
    except Exception:  # if the entry cannot be read, the request is composed again
        return None


def remember(path: Path | None, line: CommandLine, entry: Composed, made: Request) -> None:
    """Cache the configuration, if it leads to the same request the next time.

    A configuration that may contain a password is not cached.
    """
    uri = made.settings.tracking.uri or ""
    try:
        if path is None or not _PLAIN_URI.fullmatch(uri):
            return
        text = json.dumps(asdict(entry), allow_nan=False)
        again = composed.request(Composed(**json.loads(text)), line)
        if again == made and _is_of(path, made) and path.parents[1].is_dir():
            whole = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}
            write_whole(path, json.dumps(whole).encode(), durable=False)
            _forget(path.parent)
    except Exception:  # a request that cannot be cached is composed each time
        return


def _recalled(path: Path, line: CommandLine) -> Request | None:
    whole = json.loads(handles.read(path, _MOST_BYTES))
    if hashlib.sha256(whole["text"].encode()).hexdigest() != whole["sha256"]:
        return None
    entry = Composed(**json.loads(whole["text"]))
    if any(composed.kind_of(Path(seen)) != kind for seen, kind in entry.path_kinds.items()):
        return None
    made = composed.request(entry, line)
    return made if _is_of(path, made) else None


def _is_of(path: Path, made: Request) -> bool:
    """Return whether the entry is in the outputs folder of its own request."""
    return path.parents[1] == layout.store_dir(made.outputs)


def _entry(line: CommandLine) -> Path | None:
    """Return the path of this line's entry, or None if the line cannot be cached."""
    if any(word.lstrip("+~").startswith("hydra") for word in line.words):
        return None  # it may add configuration from anywhere
    if not line.options.IS_CACHED:
        return None
    files = {path: ordinary.read(path, _MOST_BYTES) for path in _files(line)}
    words = "\0".join(line.words).encode("utf-8", "surrogateescape")
    if any(_CHANGING.search(text) for text in (*files.values(), words)):
        return None
    outputs = _outputs(line, files)
    digest = hashlib.sha256(json.dumps([RECORD, _facts(line)], sort_keys=True).encode())
    for path, text in files.items():
        digest.update(f"\0{path}\0{len(text)}\0".encode("utf-8", "surrogateescape") + text)
    return outputs and layout.store_dir(outputs) / "requests" / f"{digest.hexdigest()}.json"


def _facts(line: CommandLine) -> list[object]:
    """Return what a composition depends on in addition to files, as JSON data."""
    code = [*(ROOT / "engine" / f"{name}.py" for name in _CODE), _source(line.options)]
    stats = [path.stat() for path in code if path.exists()]
    installed = fingerprint.installed()
    return [
        list(line.words),
        list(map(str, line.dirs)),
        str(line.folder.absolute()),
        str(line.project),
        dict(line.following),
        line.program,
        line.options.__module__,
        {name: value for name, value in os.environ.items() if READABLE.match(name)},
        [installed.get(name) for name in _LIBRARIES],
        [[facts.st_mtime_ns, facts.st_size] for facts in stats],
    ]


def _source(options: type[CommandOptions]) -> Path:
    return Path(str(sys.modules[options.__module__].__file__))


def _files(line: CommandLine) -> Iterator[Path]:
    """Yield every file that may be composed, in a fixed order."""
    yield from sorted((ROOT / "conf").glob("**/*.yaml"))
    for folder in line.dirs:
        for group in (".", "asset", overlays.GROUP, *GROUPS):
            yield from sorted((folder / group).glob("*.yaml"))
    yield from sorted(line.usecases.values())


def _outputs(line: CommandLine, files: dict[Path, bytes]) -> Path | None:
    """Return the outputs folder if it can be determined without composing."""
    given = [word for word in line.words if word.partition("=")[0].lstrip("+") == "outputs"]
    if given:
        found = _OUTPUTS.fullmatch(given[-1])
        return Path(found[1]).absolute() if found else None
    for path in (*(folder / PROJECT_FILE for folder in line.dirs), ROOT / "conf" / "config.yaml"):
        if default := _DEFAULT.search(files.get(path, b"")):
            return (line.project / os.fsdecode(default[1])).absolute()
    return None


def _forget(folder: Path) -> None:
    """Remove all but the newest entries."""
    entries = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in entries[:-MOST_ENTRIES]:
        path.unlink(missing_ok=True)
