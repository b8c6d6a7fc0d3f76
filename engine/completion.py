"""The completion script of a shell: `python run.py --completion bash`.

engine/shells/NAME is the script for the shell NAME. Each one asks the program for candidates.
"""

from collections.abc import Sequence
from pathlib import Path

from engine.errors import UserError, did_you_mean

FLAG = "--completion"
_FOLDER = Path(__file__).resolve().parent / "shells"
SHELLS = tuple(sorted(path.name for path in _FOLDER.iterdir()))


def shell(argv: Sequence[str]) -> str | None:
    """Return the requested shell; None if completion is not requested, empty if no shell is named."""
    for at, word in enumerate(argv):
        if word.partition("=")[0] == FLAG:
            return word.partition("=")[2] or "".join(argv[at + 1 : at + 2])
    return None


def script(name: str) -> str:
    """Return the script for the shell; raise UserError if there is none."""
    if name not in SHELLS:
        what = (
            f"there is no completion for '{name}'" if name else "the name of the shell is missing"
        )
        raise UserError(f"{FLAG} {name}".strip(), what, did_you_mean(name, SHELLS))
    return (_FOLDER / name).read_text(encoding="utf-8")
