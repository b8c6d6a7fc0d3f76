"""A progress bar for assets on their way, and a line each where the output is no terminal."""

import sys


def say(file: str, done: int, total: int) -> None:
    """Show how much of a file is here; `total` may turn out wrong, the check comes after."""
    if sys.stderr.isatty():
        width = 30
        filled = min(width, width * done // max(total, 1))
        bar = "#" * filled + "." * (width - filled)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{file[-40:]:40} [{bar}] {done / 1e6:.1f} MB{end}")
        sys.stderr.flush()
    elif done >= total:
        sys.stderr.write(f"downloaded {file} ({done:,} bytes)\n")
