"""The files of a data set: their names, their text in any encoding, and the part that their name says."""

import re
from pathlib import Path

from engine.stage import StageError
from stages.media import kinds, splits
from stages.tasks.text import reading
from stages.text.formats._encoding import decoded, whole
from stages.text.formats._findings import Findings


class Files:
    """The visible files of a folder and its subfolders in natural order, or a single file."""

    def __init__(self, root: Path, findings: Findings) -> None:
        self.root, self._findings = root, findings
        self.is_single = root.is_file()
        self._base = root.parent if self.is_single else root
        self.paths = [root] if self.is_single else list(kinds.below(root))
        self.used: set[Path] = set()
        self.foreign: dict[Path, StageError] = {}  # what is wrong, if nothing else is usable

    def ending(self, *suffixes: str) -> list[Path]:
        """Return the files with one of these suffixes, in any letter case."""
        return [path for path in self.paths if path.suffix.lower() in suffixes]

    def name(self, path: Path) -> str:
        """Return the path below the user's folder."""
        return whole(path.relative_to(self._base).as_posix())

    def text(self, path: Path) -> str:
        """Return the file's text, with line feeds only; StageError: it is too large, or no text."""
        self.used.add(path)
        if path.stat().st_size > reading.MOST_BYTES:
            size = f"{reading.MOST_BYTES // 1_000_000} MB"
            raise StageError(
                f"{self.name(path)} is larger than {size}: split it into several files"
            )
        text = decoded(path.read_bytes(), self.name(path), self._findings)
        return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")

    def contains(self, path: Path, pattern: "re.Pattern[bytes]") -> bool:
        """Return whether the first megabyte of a file has this."""
        with path.open("rb") as file:
            return bool(pattern.search(file.read(1_000_000)))

    def split(self, path: Path) -> str | None:
        """Return the part that the file's name or its folder says: train.csv, test/greet.txt."""
        words = re.split(r"[^a-z]+", path.stem.casefold())
        folders = [one.casefold() for one in path.relative_to(self._base).parts[:-1]]
        return next(filter(None, map(splits.named, [*reversed(folders), *words])), None)
