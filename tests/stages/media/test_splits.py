"""Which folders of a data set are its own split."""

from pathlib import Path

import pytest

from engine.stage import StageError
from stages.media import splits


def _of(*names: str) -> dict[str, str]:
    found = splits.of_folders([Path(name) for name in names], "the pictures")
    return {folder.name: split for folder, split in found.items()}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("cat", "dog"), {}),
        (("train", "dog"), {}),  # a class may be called so
        (("Test", "TRAIN"), {"TRAIN": "train", "Test": "test"}),
        (("train", "val"), {"train": "train", "val": "test"}),
        (("test", "train", "valid"), {"train": "train", "test": "test", "valid": "val"}),
    ],
)
def test_the_parts_are_known_by_their_names(names, found):
    assert _of(*names) == found


def test_another_folder_beside_the_parts_is_refused():
    with pytest.raises(StageError, match="the pictures contain cat in addition to test and train"):
        _of("train", "test", "cat")
