"""Finds the existing split of a data set: train/ with test/, val/ or both, in any letter case."""

from pathlib import Path

from engine.stage import StageError

_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def named(word: str) -> "str | None":
    """Return the part that a word names: train, val or test; None if it names none."""
    return _NAMES.get(word.strip().casefold())


def of_folders(folders: "list[Path]", what: str) -> "dict[Path, str]":
    """Return the split of each folder, training first; empty if the folders are not splits.

    Without a test part, the validation part is used as the test part. StageError: there are other
    folders in addition to the splits; what: the data's name for the message, such as "the recordings".
    """
    found = {folder: named(folder.name) for folder in folders}
    kinds = {split for split in found.values() if split}
    if "train" not in kinds or len(kinds) == 1:
        return {}
    if others := [folder.name for folder, split in found.items() if split is None]:
        raise StageError(
            f"{what} contain {', '.join(others)} in addition to "
            f"{' and '.join(sorted(kinds))}: move or remove it"
        )
    splits = {folder: split for folder, split in found.items() if split}
    if "test" not in kinds:
        splits = {f: "test" if split == "val" else split for f, split in splits.items()}
    return dict(sorted(splits.items(), key=lambda item: (item[1] != "train", item[0].name)))
