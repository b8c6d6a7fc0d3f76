"""Shows downloads of assets: a progress bar on a terminal, otherwise one line per file."""

import sys


def say(file: str, done: int, total: int) -> None:
    """Show how much of a file has arrived; `total` may be wrong, since the file is checked later."""
    if sys.stderr.isatty():
        width = 30
        filled = min(width, width * done // max(total, 1))
        bar = "#" * filled + "." * (width - filled)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{file[-40:]:40} [{bar}] {done / 1e6:.1f} MB{end}")
        sys.stderr.flush()
    elif done >= total:
        sys.stderr.write(f"downloaded {file} ({done:,} bytes)\n")
