"""The entry point of the command line: `python run.py` in a checkout, `rpi-mlops` if installed."""

import gc
import os
import sys

from engine import interrupts


def main(program: str = "rpi-mlops") -> int:
    """Run the command line of this process, and return its exit status.

    program: the command's name, as the user types it.
    """
    interrupts.end_at_once()
    # until a command begins: imports create little garbage, and collecting it costs a tenth of the start-up
    # time
    gc.disable()
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = (
        "__all__"  # there are none, and searching for them takes 13 ms
    )
    os.environ["HYDRA_FULL_ERROR"] = (
        "1"  # we get errors as exceptions, and print each in three lines
    )
    from engine.cli import cli  # imports Hydra, which takes half of the start-up time

    return cli(sys.argv[1:], program)
