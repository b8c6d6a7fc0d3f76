"""`doctor`'s checks of the environments that executor=local makes from the locks of images."""

from collections.abc import Sequence
from pathlib import Path

from engine.finding import Finding
from engine.tools import definition
from engine.tools.definition import Environment
from engine.wording import as_typed


def environments(roots: Sequence[Path], store: Path) -> list[Finding]:
    """Return for each environment whether it is made, or else what makes it or prevents that."""
    return [_finding(name, found, store) for name, found in definition.here(roots)]


def _finding(name: str, found: Environment | None, store: Path) -> Finding:
    if found is None:
        what = f"environment {name}: it does not exist for this machine's processor"
        return Finding(False, what, "not needed: stages that name it run without it")
    if found.is_made(store):
        where = as_typed(found.folder(store))
        return Finding(True, f"environment {name}, Python {found.python} ({where})")
    if why := found.obstacle(store):
        fix = "stages that name it run without it until then"
        return Finding(False, f"environment {name}: {why}", fix)
    if failure := found.failure(store):
        return Finding(False, f"environment {name}: not made: {failure[0]}", failure[1])
    what = f"environment {name}: not made ({found.size_bytes / 1e9:.1f} GB on the disk)"
    return Finding(False, what, "not needed: the first run whose stages name it makes it")
