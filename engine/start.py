"""The entry point of the command line: `python run.py` in a checkout, `rpi-mlops` if installed."""

import gc
import os
import sys
from pathlib import Path

from engine import interrupts
from engine.errors import UserError

_STDERR = 2  # its file descriptor


def main(program: str = "rpi-mlops") -> int:
    """Run the command line of this process, and return its exit status.

    program: the command's name, as the user types it.
    """
    interrupts.end_at_once()
    _open_standard_files()
    # until a command begins: imports create little garbage, and collecting it costs a tenth of the start-up
    # time
    gc.disable()
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = (
        "__all__"  # there are none, and searching for them takes 13 ms
    )
    os.environ["HYDRA_FULL_ERROR"] = (
        "1"  # we get errors as exceptions, and print each in three lines
    )
    try:
        from engine.cli import cli  # imports Hydra, which takes half of the start-up time

        return cli(sys.argv[1:], program)
    except ModuleNotFoundError as error:  # the command line itself cannot start
        if (error.name or "engine").partition(".")[0] == "engine":
            raise
        sys.stderr.write(f"{_not_installed(str(error.name), program)}\n")
        return 2


def _open_standard_files() -> None:
    """Open the null device as each of the files 0 to 2 that the caller closed (`<&-`).

    Otherwise a later socket or file gets such a number, and a child takes it for its standard input.
    """
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= _STDERR:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)


def _not_installed(package: str, program: str) -> UserError:
    """Return the mistake for a Python that is not the environment's."""
    activate = "source .venv/bin/activate"
    is_set_up = (Path(__file__).resolve().parents[1] / ".venv/bin/python").exists()
    return UserError(
        program,
        f"the package '{package}' is not installed for {sys.executable}",
        f"activate the environment: {activate}"
        if is_set_up
        else f"create the environment and activate it: make setup && {activate}",
    )
