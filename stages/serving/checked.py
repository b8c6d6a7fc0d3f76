"""Checks everything that the user decides, before any process starts: package, sources, rules, broker,
what is stored. The web server's own checks are in stages.serving.web.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, List, Optional, Tuple, TypeVar

from engine.stage import StageError
from stages.serving.events import captures, rules_file
from stages.serving.events.broker import Broker, broker_of
from stages.serving.events.capped import safe
from stages.serving.events.counters import HIDDEN
from stages.serving.events.mqtt import require_paho
from stages.serving.events.rule import Rule
from stages.serving.limited import read_text
from stages.serving.mistakes import Mistake, Mistakes
from stages.serving.options import Options
from stages.serving.paths import absolute
from stages.serving.reading import naming, opening

SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
RUNTIMES = ("ai_edge_litert", "tflite_runtime")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Packaged:
    """What the manifest of a package says without opening its models."""

    name: str
    task: str
    labels: Tuple[str, ...]
    can_see: bool = True  # pictures; an activity model that learned from keypoints cannot


@dataclass(frozen=True)
class Checked:
    """A valid request."""

    package: Path
    packaged: Packaged
    options: Options
    rules: Tuple[Rule, ...]
    broker: Optional[Broker]
    state: Path


def check(package: Path, options: Options) -> Checked:
    """Return what can be started; raise Mistakes with everything that is wrong."""
    found: List[Mistake] = []
    _check_installed(found)
    packaged = _attempt(found, lambda: read_package(package))
    names = _sources(options, found)
    _attempt(found, lambda: size_of(options))
    _check_certificate(options, found)
    if packaged is None:
        raise Mistakes(found)
    if not packaged.can_see:
        found.append(blind(package))
    _check_state(options, packaged.name, found)
    _refuse_storing(packaged.task, options, found)
    address = _attempt(found, lambda: _broker(options, packaged.name)) if options.mqtt else None
    setting = rules_file.Setting(
        packaged.task,
        packaged.labels,
        names,
        tuple(host.lower() for host in options.webhook_hosts),
        bool(options.mqtt),
        options.snapshots_mb > 0,
        options.clips_mb > 0,
    )
    rules = _attempt(found, lambda: _rules(options, setting)) or []
    if found:
        raise Mistakes(found)
    return Checked(
        package, packaged, options, tuple(rules), address, state_of(options, packaged.name)
    )


def read_package(package: Path) -> Packaged:
    """Return what the manifest says; the models are checked when they are opened."""
    try:
        manifest = json.loads(read_text(package / "manifest.json"))
        task = manifest["task"] if manifest.get("v", 1) != 1 else "activity"
        name = str(manifest.get("name") or task)
        labels = _lines(package / "labels.txt")
        can_see = task != "activity" or "pose" in manifest.get("models", {"pose": {}})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        what = "this is not a packaged model: it has no readable manifest.json"
        fix = "give the folder of a package; python run.py usecase=NAME makes one"
        raise Mistakes([Mistake(str(package), what, fix)]) from None
    return Packaged(name, str(task), labels, can_see)


def blind(package: Path) -> Mistake:
    """Return the mistake of a package that cannot see anything."""
    what = "it has no pose model: it was trained on keypoints, so it cannot watch pictures"
    fix = "train it on videos: python run.py usecase=pose_activity assets.recordings=FOLDER"
    return Mistake(str(package), what, fix)


def state_of(options: Options, name: str) -> Path:
    """Return the folder for everything that is stored; name: of the package, which anybody may have made."""
    if options.state:
        return absolute(options.state)
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return absolute(home) / "raspberrypi-mlops" / safe(name)


def size_of(options: Options) -> Optional[Tuple[int, int]]:
    """Return the height and width wanted of cameras; raise Mistakes."""
    if not options.camera_size:
        return None
    match = SIZE.fullmatch(options.camera_size)
    if not match:
        where = f"camera_size={options.camera_size}"
        raise Mistakes([Mistake(where, "this is no size", "write WIDTHxHEIGHT: 1280x720")])
    return int(match[2]), int(match[1])


def cameras() -> List[str]:
    """Return the numbers of the video devices of this machine."""
    names = (path.name[len("video") :] for path in Path("/dev").glob("video*"))
    return sorted((name for name in names if name.isdecimal()), key=int)


def nothing_to_watch() -> Mistakes:
    """Return the mistake of a server without a source."""
    found = [f"source={number}" for number in cameras()[:3]]
    here = f" (here: {', '.join(found)})" if found else ""
    fix = f"add source= with a camera{here}, a video, a folder of pictures, or rtsp://ADDRESS"
    return Mistakes([Mistake("source", "there is nothing to watch", fix)])


def _check_certificate(options: Options, found: List[Mistake]) -> None:
    """Refuse half a pair: the server would silently use its own certificate."""
    if bool(options.certificate) != bool(options.key):
        given, absent = ("certificate", "key") if options.certificate else ("key", "certificate")
        what = f"there is a {given}, but no {absent}"
        where = f"{given}={getattr(options, given)}"
        fix = f"add {absent}=FILE; one file may have both: give it twice"
        found.append(Mistake(where, what, fix))


def _check_installed(found: List[Mistake]) -> None:
    """Report what the processes of the pipeline could not import."""
    if not find_spec("numpy"):
        fix = "install it: sudo apt install python3-numpy, or pip install numpy"
        found.append(Mistake("numpy", "it is not installed", fix))
    if not any(map(find_spec, RUNTIMES)):
        fix = "install one: pip install ai-edge-litert, or on armv7 pip install tflite-runtime"
        found.append(Mistake("runtime", "no TFLite runtime is installed", fix))


def _check_state(options: Options, name: str, found: List[Mistake]) -> None:
    """Report a state folder that cannot be made or written."""
    state = state_of(options, name)
    nearest = next(path for path in (state, *state.parents) if os.path.lexists(path))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        what = f"no folder can be made there: {nearest} is " + (
            "not writable" if nearest.is_dir() else "not a folder"
        )
        found.append(Mistake(f"state={state}", what, "give state= a folder that you can write"))


def _attempt(found: List[Mistake], read: Callable[[], Found]) -> Optional[Found]:
    """Return what `read` returns; collect its mistakes."""
    try:
        return read()
    except Mistakes as error:
        found.extend(error.mistakes)
        return None


def _lines(path: Path) -> Tuple[str, ...]:
    if not path.is_file():
        return ()
    return tuple(filter(None, read_text(path).splitlines()))


def _sources(options: Options, found: List[Mistake]) -> Tuple[str, ...]:
    """Return the names of the sources; report those that are of no kind."""
    sources = _attempt(found, lambda: naming.named(options.source)) or []
    for one in sources if find_spec("numpy") else ():  # which some kinds import
        try:
            opening.type_of(one.text)
        except Mistakes as error:
            found.extend(error.mistakes)
        except StageError as error:
            found.append(Mistake(f"source={one.name}", str(error), opening.FIX))
    return tuple(one.name for one in sources)


def _broker(options: Options, name: str) -> Broker:
    require_paho()
    return broker_of(options, name)


def _rules(options: Options, setting: rules_file.Setting) -> List[Rule]:
    if not options.rules:
        return []
    return rules_file.read(absolute(options.rules), setting)


def _refuse_storing(task: str, options: Options, found: List[Mistake]) -> None:
    if options.captures_mb:
        try:
            captures.refuse_task(task)
        except StageError as error:
            found.append(Mistake("captures_mb", str(error), "remove captures_mb"))
    if options.samples_mb and task in HIDDEN:
        what = "pictures of faces are never stored as samples"
        found.append(Mistake("samples_mb", what, "remove samples_mb"))
