"""Keypoint CSVs: the messages for damaged rows and foreign headers."""

from pathlib import Path

import numpy as np
import pytest

from stages.media.unreadable import Unreadable
from stages.tasks.keypoints.table import read_clip, write_clip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A CSV of three frames whose joints all have a score of 0.5."""
    write_clip(tmp_path / "clip.csv", np.full((3, 17, 3), 0.5), "coco17")
    return tmp_path / "clip.csv"


def replace(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (",0.500\n1,", "\n1,", "line 2: the row is truncated after 51 of 52 values"),
        (",0.500\n1,", ",0.500,7\n1,", "line 2: 53 values in 52 columns"),
        ("0.500", "1.0000001", "line 2, nose_score: 1.0000001 is not between 0 and 1"),
        ("\n1,", "\n5_882,", "line 3, frame: '5_882' is not a number"),
        ("\n2,", "\n\n,,\n0,", "line 6: frame 0 does not come after 1"),
        ("nose_x", "beak_x", "its columns lack nose_x of coco17; it needs"),
    ],
    ids=["cut off", "too long", "score", "underscore", "after empty lines", "column"],
)
def test_a_damaged_row_is_named_with_its_line_and_cause(
    old: str, new: str, reason: str, path: Path
) -> None:
    replace(path, old, new)
    with pytest.raises(Unreadable) as caught:
        read_clip(path)
    assert str(caught.value).startswith(reason)


def test_empty_values_after_the_last_column_are_ignored(path: Path) -> None:
    replace(path, ",0.500\n", ",0.500,,\n", count=3)
    assert read_clip(path)[1].shape == (3, 17, 3)


def test_a_foreign_header_is_told_what_was_found_and_expected(path: Path) -> None:
    path.write_text("time,ax,ay,az,gx\n1,2,3,4,5\n")
    with pytest.raises(Unreadable) as caught:
        read_clip(path)
    assert str(caught.value) == (
        "its columns are time, ax, ay, az and 1 more; it needs <joint>_x, <joint>_y and "
        "<joint>_score for the joints of coco17 or jhmdb15, see docs/data.md"
    )
