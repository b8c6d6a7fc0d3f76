"""The files of a user's folder: finds the picture that an annotation describes; opens no file."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from stages.media import kinds, splits


class Files:
    """All files below a folder, in natural order, without hidden ones."""

    def __init__(self, root: Path, only: "Path | None" = None) -> None:
        """List the folder; only: the one file with annotations that is used."""
        self.root = root
        found = list(kinds.below(root))
        self.pictures = [path for path in found if kinds.may_be_picture(path)]
        self.others = [path for path in found if not kinds.may_be_picture(path)]
        if only:
            self.others = [only]
        self.used: set[Path] = set()  # annotations that were read, and pictures that have one
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in self.pictures:
            self._by_name[path.name.casefold()].append(path)
            self._by_stem[path.stem.casefold()].append(path)

    def ending(self, *suffixes: str) -> list[Path]:
        """Return the files with one of these suffixes that are not pictures."""
        return [path for path in self.others if path.suffix.lower() in suffixes]

    def name(self, path: Path) -> str:
        """Return a path relative to the folder, with slashes."""
        return path.relative_to(self.root).as_posix()

    def pictures_of(self, annotation: Path) -> list[Path]:
        """Return the pictures for a.txt: a.jpg, or any other suffix; or for a.jpg.txt."""
        key = annotation.stem.casefold()
        return self._by_stem.get(key) or self._by_name.get(key, [])

    def picture_of(self, annotation: Path, name: str = "") -> "Path | None":
        """Return the nearest of these pictures; of several, those that have the name if there is one."""
        found = self.pictures_of(annotation)
        named = [path for path in found if path.name == name]
        return self._nearest(named or found, annotation, annotation.stem)

    def picture_named(self, name: str, annotation: Path) -> "Path | None":
        """Return the picture that an annotation names: a file name, or a path on any system.

        The folders of the path decide if several pictures have that name. A name without the suffix
        of a picture matches any suffix.
        """
        path = PurePosixPath(PureWindowsPath(name.strip()).as_posix())
        found = self._by_name.get(path.name.casefold(), [])
        if not found and not kinds.is_picture(Path(path.name)):
            found = self._by_stem.get(path.name.casefold(), [])
        return self._nearest(found, annotation, path.stem, path.parent.parts)

    def split(self, path: Path) -> "str | None":
        """Return the part that one of a file's folders names: train, val or test."""
        for folder in path.relative_to(self.root).parts[:-1]:
            if part := splits.named(re.sub(r"[_-]?\d+$", "", folder)):  # train2017
                return part
        return None

    def _nearest(
        self,
        pictures: Iterable[Path],
        annotation: Path,
        stem: str,
        folders: tuple[str, ...] = (),
    ) -> "Path | None":
        """Return the picture whose folders have most in common with the annotation's."""
        part = part_in_name(annotation) or self.split(annotation)
        near = {*annotation.relative_to(self.root).parts[:-1], *folders}

        def nearness(picture: Path) -> tuple[int, bool, int, bool, bool]:
            own = picture.relative_to(self.root).parts[:-1]
            shared = _shared_ending(own, folders)
            return (
                shared,
                picture.parent == annotation.parent,
                len(near & set(own)),
                part is not None and self.split(picture) == part,
                picture.stem == stem,
            )

        return max(pictures, key=nearness, default=None)


def _shared_ending(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return how many of the last folders are equal."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


def part_in_name(path: Path) -> "str | None":
    """Return the part that a word of a file's name names: instances_train2017, test_labels."""
    parts = map(splits.named, re.findall(r"[a-z]+", path.stem.lower()))
    return next((part for part in parts if part), None)
