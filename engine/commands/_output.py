"""Where `output=` says to write: what is in the way there is the user's to mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import ordinary
from engine.errors import UserError


@contextmanager
def writing(output: str | None) -> Iterator[None]:
    """Tell in three lines what the machine refuses to write."""
    place = Path(output or "")
    try:
        if place.exists():
            ordinary.check(f"output={output}", place.stat())
        yield
    except OSError as error:
        raise UserError(
            f"output={output}",
            f"it cannot be written: {error.strerror}",
            "name a file in a folder that is yours",
        ) from None
