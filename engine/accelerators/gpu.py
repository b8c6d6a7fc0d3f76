"""A GPU: a name that stages read as `${target.accelerator}`. The engine passes no GPU to a stage, so
models run on the CPU and say so.
"""

from engine.accelerator import NO_ACCESS, Access
from engine.finding import Finding

TITLE = "GPU"
BUSES: tuple[str, ...] = ()
RUNTIME = None


def seen() -> str:
    """Return nothing: no figure depends on a GPU."""
    return ""


def is_usable(bus: str | None) -> bool:
    """Return False: stages see no GPU."""
    return False


def access(bus: str | None) -> Access:
    """Return no access: containers get no GPU."""
    return NO_ACCESS


def findings() -> list[Finding]:
    """Return nothing: `doctor` looks for no GPU."""
    return []
