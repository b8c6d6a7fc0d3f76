"""Formats figures: durations, times, and whether they were measured on the device.

The console, the report and the web page share this wording. Plain text only: colours and layout are
up to them.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from engine.events import RunState, StageState

PROGRAM = "python run.py"  # in a checkout; `rpi-mlops` if installed
_OUR_NAME = re.compile(r"(?<![\w/.-])(?:python )?run\.py\b")
SYMBOLS = {
    "waiting": "·",
    "running": "▸",
    "finished": "✓",
    "failed": "✗",
    "skipped": "–",
    "rejected": "✗",
}
CHANGES = ("params.", "assets.", "stages.")  # keys that change a use case
_LONG_FRACTION = re.compile(r"-?(?=[\d.]{8})\d+\.\d+(e-?\d+)?")
_LONGEST_VALUE = 40
_UNCHANGING = re.compile(
    r"-|\+*(usecase|target|outputs|data|mirror|sinks|stage_packages|ssh_config|tracking(\.\w+)?"
    r"|hydra[./]?\S*)="
)
# an ssh login contains no password: engine/target.py refuses one
_LOGIN = re.compile(r"(?<!ssh)://[^/\s\"']*@")
_QUERY = re.compile(r"([?&]\w*(?:pass|pwd|token|secret|key)\w*=)[^&\s\"']+", re.IGNORECASE)


def redact(text: str) -> str:
    """Return the text without user and password of any URI in it, and without secret values in its
    query.
    """
    return _QUERY.sub(r"\1***", _LOGIN.sub("://***@", text))


def duration(seconds: float | None) -> str:
    """Return a duration as text, in at most two units."""
    if seconds is None:
        return ""
    if seconds < 9.95:  # larger values would round to 10.0
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(time: float) -> str:
    """Return a time in UTC, to the second."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def plural(count: int, noun: str) -> str:
    """Return the count with the noun in the right number."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return the words as a list in prose: a, b and c."""
    *others, final = words
    return f"{', '.join(others)} {last} {final}" if others else final


def grouped(reasons: Mapping[str, str]) -> list[str]:
    """Return, for each reason why stages are not in a plan, their names and the reason."""
    by_reason: dict[str, list[str]] = {}
    for stage, reason in reasons.items():
        by_reason.setdefault(reason, []).append(stage)
    return [f"{listed(stages)} ({why})" for why, stages in by_reason.items()]


def as_typed(path: Path) -> str:
    """Return the path as the user would type it: relative if it is below the current folder, otherwise
    absolute.
    """
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def printable(line: str) -> str:
    """Return the line without control characters: escape sequences in a log must not reach the terminal."""
    kept = "\t\N{ZERO WIDTH JOINER}"  # which joins the parts of an emoji
    return "".join(c if c.isprintable() or c in kept else "\N{REPLACEMENT CHARACTER}" for c in line)


def as_called(text: str, program: str) -> str:
    """Return the text with this program's name as the user types it."""
    return text if program == PROGRAM else _OUR_NAME.sub(program, text)


def command_line(state: RunState) -> str:
    """Return the command that repeats the run, or resumes it if it did not finish."""
    return command_line_of(state.start.get("command", ()))


def command_line_of(words: Iterable[str]) -> str:
    """Return the words of a recorded command as the user would type them."""
    command = list(words)
    return shlex.join(["python", *command] if command and command[0].endswith(".py") else command)


def in_short(changes: Iterable[str]) -> str:
    """Return overrides in short: `learning_rate=1e-3 epochs=10`."""
    pairs = (change.partition("=") for change in changes)
    return " ".join(f"{short_key(key)}={short_value(value)}" for key, _, value in pairs)


def short_value(value: str) -> str:
    """Return the value of an override; round a fraction with many digits to five, and cut a long text."""
    if _LONG_FRACTION.fullmatch(value):
        return f"{float(value):.5g}"
    return value if len(value) <= _LONGEST_VALUE else f"{value[: _LONGEST_VALUE - 3]}..."


def short_key(key: str) -> str:
    """Return a key in short: `lr` for `stages.train.params.lr`, `epochs` for `params.epochs`."""
    if ".params." in key:
        return key.rpartition(".params.")[2]
    return key.partition(".")[2] if key.startswith(CHANGES) else key


def is_stand_in(stage: StageState) -> bool:
    """Return whether the stage's figures describe the device but were not measured on it."""
    return stage.emulated or (stage.measured_on or "").startswith(("simulated", "emulated"))


def stand_ins(state: RunState) -> dict[str, list[str]]:
    """Return where figures were measured instead of on the device, each with its stages."""
    found: dict[str, list[str]] = {}
    for stage in state.stages.values():
        if is_stand_in(stage) and (stage.metrics or stage.points or stage.figures):
            found.setdefault(stage.measured_on or "emulated", []).append(stage.name)
    return found


def changes(state: RunState) -> list[str]:
    """Return the overrides that changed the run: parameters, assets and the like, but not use case,
    target, or storage locations.
    """
    words = [word for word in state.start.get("command", ()) if "=" in word[1:]]
    return [word for word in words if not _UNCHANGING.match(word)]


def figure_name(stage: StageState, name: str) -> str:
    """Return a metric's name for a column without room for a label: it says if a speed was not measured
    on the device.
    """
    is_of_speed = "latency" in name or name.endswith(("_s", "_ms", "_us"))
    return (
        f"{name} ({stage.measured_on or 'emulated'})"
        if is_of_speed and is_stand_in(stage)
        else name
    )


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return the rows as text with their columns aligned."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)
