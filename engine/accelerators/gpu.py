"""A GPU of the target: only a name, which stages read as `${target.accelerator}`. Target stages do not get
access to a GPU, so models run on the CPU, and their results say so.

Stages of the build machine ask for its GPUs with `resources: {gpu: 1}`: engine/gpus.py.
"""

from engine.accelerator import NO_ACCESS, Access
from engine.finding import Finding

TITLE = "GPU"
BUSES: tuple[str, ...] = ()
RUNTIME = None
MEMORY = 0


def seen() -> str:
    """Return an empty string: no figure depends on a GPU."""
    return ""


def is_usable(bus: str | None) -> bool:
    """Return False: stages have no access to a GPU."""
    return False


def access(bus: str | None) -> Access:
    """Return no access: target stages do not get a GPU."""
    return NO_ACCESS


def findings() -> list[Finding]:
    """Return nothing: `doctor` does not check for GPUs."""
    return []
