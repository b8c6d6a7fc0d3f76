"""A progress bar for assets on their way, and a line each where the output is no terminal."""

import sys


def say(file: str, done: int, total: int) -> None:
    """Show how much of a file is here; `total` may turn out wrong, the check comes after."""
    if sys.stderr.isatty():
        width = 30
        filled = min(width, width * done // max(total, 1))
        print(
            f"\r{file[-40:]:40} [{'#' * filled}{'.' * (width - filled)}] {done / 1e6:.1f} MB",
            end="\n" if done >= total else "",
            file=sys.stderr,
        )
    elif done >= total:
        print(f"downloaded {file} ({done:,} bytes)", file=sys.stderr)
