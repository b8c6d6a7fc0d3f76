"""The first thing that a command line does: `python run.py` in a checkout, `rpi-mlops` if it is installed."""

import gc
import os
import sys

from engine import interrupts


def main() -> int:
    """Return the exit status of the command line that started this process."""
    interrupts.end_at_once()
    # until a command begins: imports make much that lives and little garbage, and looking for it costs a
    # tenth of the start
    gc.disable()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as exceptions; we print three lines of each
    from engine.cli import cli  # Hydra, which takes half of the start, is imported only now

    return cli(sys.argv[1:])
