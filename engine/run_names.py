"""The names of runs: generated from what a command changed, or chosen with name=NAME, and unique in an
outputs folder.

A claimed name is a link in outputs/.engine/names to the folder of its run, so that two engines never get
the same one. A generated name is not given again, even if its run was removed.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePath

from engine import journal, layout, run_files
from engine.errors import UserError, did_you_mean
from engine.store import Store
from engine.wording import CHANGES, as_typed, redact, short_key, short_value

FOLDER = "names"  # in outputs/.engine
_NAME = re.compile(r"[^\W\d_][\w.+-]{0,63}")  # an id begins with a digit
_LONGEST_GENERATED = 48
_LONGEST_CHANGE = 40
_RESUMED = ("interrupted", "failed")  # the run that resumes such a run takes its name over


def changes(command: Sequence[str]) -> Iterator[str]:
    """Yield what a command changed, in short: `epochs=5` for `params.epochs=5`."""
    for word in command:
        key, separator, value = word.lstrip("+").partition("=")
        if separator and key.startswith(CHANGES):
            change = redact(f"{short_key(key)}={short_value(_last_part(key, value))}")
            is_long = len(change) > _LONGEST_CHANGE
            yield f"{change[: _LONGEST_CHANGE - 3]}..." if is_long else change


def generated(command: Sequence[str], usecase: str) -> str:
    """Return a name for a run of this command: `epochs-5`, or the use case if nothing was changed."""
    words = (re.sub(r"[^\w.+-]+", "-", change).rstrip("-") for change in changes(command))
    name = "-".join(words)[:_LONGEST_GENERATED].strip("-.")
    return name if is_valid(name) else usecase


def is_valid(name: str) -> bool:
    """Return whether a run may have this name."""
    return bool(_NAME.fullmatch(name)) and name != layout.LATEST


def check(outputs: Path, name: str) -> None:
    """Raise UserError if no new run can have this name."""
    if not is_valid(name):
        what = "a run cannot have this name"
        fix = "use letters, digits, and _ . + -, at most 64; begin with a letter; not 'latest'"
        raise UserError(f"name={name}", what, fix)
    holder = _holder(outputs, name)
    if holder and _is_kept(outputs, holder):
        what = f"the run {holder.name} of {holder.parent.parent.name} has this name"
        raise UserError(
            f"name={name}", what, "choose another name, or omit name= for a generated one"
        )


def claim(outputs: Path, run_dir: Path, name: str) -> None:
    """Give the run this name; raise UserError if another run has it."""
    link = _names(outputs) / name
    if _linked(link, outputs, run_dir):
        return
    check(outputs, name)
    partial = link.with_name(f".{name}.{run_dir.name}.part")
    partial.symlink_to(_relative(outputs, run_dir))
    partial.replace(link)


def claim_generated(outputs: Path, run_dir: Path, name: str) -> str:
    """Give the run this name, with a number if it was given before, and return it."""
    numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(one for one in numbered if _linked(_names(outputs) / one, outputs, run_dir))


def free(outputs: Path, name: str) -> str:
    """Return this name, with a number if it was given before; the name is not claimed."""
    numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(one for one in numbered if not (_names(outputs) / one).is_symlink())


def release(outputs: Path, name: str) -> None:
    """Forget that a run has this name."""
    (_names(outputs) / name).unlink(missing_ok=True)


def of(run_dir: Path) -> str:
    """Return the run's name; empty for a run of a version without names."""
    return str(run_files.first_event(run_dir).get("name") or "")


def label(run_dir: Path) -> str:
    """Return the run's id, with its name if it has one, for messages."""
    name = of(run_dir)
    return f"{run_dir.name} ({name})" if name else run_dir.name


def find(outputs: Path, word: str, usecase: str | None = None, target: str | None = None) -> Path:
    """Return the run with this name, or whose id is, or begins with, this word.

    `latest` is the newest run that the links `latest` of the use case and target (or of any) name.
    """
    if word == layout.LATEST:
        return _latest(outputs, usecase, target)
    if is_valid(word) and (found := _named(outputs, word)):
        return found
    every = layout.runs(outputs)
    matching = [path for path in every if path.name.startswith(word)]
    if len(matching) == 1:
        return matching[0]
    what = f"{len(matching)} runs begin with it" if matching else "there is no such run"
    none = "" if every else f"there are no runs in {as_typed(outputs)}: choose outputs=DIR"
    known = [*(path.name for path in every), *_existing(outputs)]
    raise UserError(f"run={word}", what, did_you_mean(word, known, none))


def _latest(outputs: Path, usecase: str | None, target: str | None) -> Path:
    links = outputs.glob(f"{usecase or '[!.]*'}/{target or '*'}/{layout.LATEST}")
    named = {link.resolve() for link in links}
    found = [path for path in layout.runs(outputs) if path.resolve() in named]
    if not found:
        what, fix = "no run is complete yet", "omit run= for the newest run"
        raise UserError(f"run={layout.LATEST}", what, fix)
    return found[-1]


def _named(outputs: Path, name: str) -> Path | None:
    """Return the newest run with this name; look at all runs if it has no link, as in copied outputs."""
    if found := _holder(outputs, name):
        return found
    newest = layout.newest_first(layout.runs(outputs))
    return next((path for path in newest if of(path) == name), None)


def _holder(outputs: Path, name: str) -> Path | None:
    """Return the existing run to which the name's link points."""
    try:
        words = (_names(outputs) / name).readlink().parts[-3:]
    except OSError:
        return None
    run_dir = outputs.joinpath(*words)
    return run_dir if (run_dir / journal.FILE_NAME).is_file() else None


def _is_kept(outputs: Path, run_dir: Path) -> bool:
    """Return whether the run keeps its name: it has ended by itself, or is running."""
    status = run_files.summary(run_dir).status
    if status == "running":
        return Store(layout.store_dir(outputs)).locks.is_at_work(run_dir.name)
    return status not in _RESUMED


def _existing(outputs: Path) -> list[str]:
    return [path.name for path in _names(outputs).glob("[!.]*") if _holder(outputs, path.name)]


def _linked(link: Path, outputs: Path, run_dir: Path) -> bool:
    """Make the link, and return whether nothing was there before."""
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(_relative(outputs, run_dir))
    except FileExistsError:
        return False
    return True


def _relative(outputs: Path, run_dir: Path) -> Path:
    return Path("..", "..", run_dir.relative_to(outputs))


def _names(outputs: Path) -> Path:
    return layout.store_dir(outputs) / FOLDER


def _last_part(key: str, value: str) -> str:
    """Return the last part of an asset's path, and any other value whole."""
    is_path = key.startswith("assets.") and "://" not in value
    return PurePath(value).name or value if is_path else value
