"""Runs one command in this process: its streams, its interrupts, and its exit status."""

import gc
import importlib
import io
import os
import sys
from pathlib import Path

from engine import interrupts, layout
from engine.options import CommandOptions
from engine.request import Request

INTERRUPTED = 130


def run(command: str, request: Request[CommandOptions]) -> tuple[int, float | None]:
    """Run the command; return its exit status and the objective."""
    module = importlib.import_module(f"engine.commands.{command}")
    gc.freeze()
    gc.enable()
    with interrupts.interruptible(), layout.unobstructed(request.outputs):
        status, objective = module.main(request)
        sys.stdout.flush()
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return status, None if objective is None else float(objective)


def make_printable() -> None:
    """Keep printing from ending a command: a character that the terminal lacks becomes '?', and
    output to a closed stream is discarded.
    """
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
