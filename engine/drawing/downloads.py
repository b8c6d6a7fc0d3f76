"""Shows downloads and uploads: a progress bar on a terminal, otherwise one line per file."""

import sys


def say(file: str, done: int, total: int, verb: str = "downloaded") -> None:
    """Show how much of a file has arrived; `total` may be wrong, since the file is checked later.

    verb: what happened to the file, for the line at its end.
    """
    if sys.stderr.isatty():
        width = 30
        filled = min(width, width * done // max(total, 1))
        bar = "#" * filled + "." * (width - filled)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{file[-40:]:40} [{bar}] {done / 1e6:.1f} MB{end}")
        sys.stderr.flush()
    elif done >= total:
        sys.stderr.write(f"{verb} {file} ({done:,} bytes)\n")
