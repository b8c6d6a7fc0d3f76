"""The entry point of the command line: `python run.py` in a checkout, `rpi-mlops` if installed."""

import gc
import os
import sys

from engine import interrupts


def main(program: str = "rpi-mlops") -> int:
    """Run the command line of this process, and return its exit status.

    `program` is how the user calls it.
    """
    interrupts.end_at_once()
    # until a command begins: imports make much that lives and little garbage, and looking for it costs a
    # tenth of the start
    gc.disable()
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = (
        "__all__"  # we have none, and looking for them takes 13 ms
    )
    os.environ["HYDRA_FULL_ERROR"] = (
        "1"  # errors reach us as exceptions; we print three lines of each
    )
    from engine.cli import cli  # Hydra, which takes half of the start, is imported only now

    return cli(sys.argv[1:], program)
