"""The rows of predictions.jsonl: complete, and while they are written."""

from pathlib import Path

import pytest

from engine import predictions
from engine.predictions import FILE, Following, rows, shown

FIRST, SECOND = '{"word": "a", "score": 0.5}\n', '{"word": "longer than that", "score": 1}\n'


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """The folder of a stage's output `said`, below its out/."""
    (tmp_path / "said").mkdir()
    return tmp_path / "said"


@pytest.mark.parametrize("text", ["[1]\n", "{", "\xff"])
def test_a_file_with_anything_else_than_objects_has_no_rows(result: Path, text: str) -> None:
    (result / FILE).write_bytes(text.encode("latin-1"))
    assert rows(result) is None


def test_a_table_has_the_keys_of_the_first_row() -> None:
    text = shown([{"word": "a", "score": 0.5}, {"word": "bc"}], "table")
    assert [line.split() for line in text.splitlines()] == [
        ["word", "score"],
        ["a", "0.500"],
        ["bc"],
    ]


def test_lines_are_returned_once_and_only_when_they_are_whole(result: Path) -> None:
    following = Following("said", "jsonl")
    assert (following.more(result.parent), following.has_begun) == ([], False)
    seen = []
    for text in (FIRST + SECOND[:9], SECOND[9:], ""):
        with (result / FILE).open("a") as file:
            file.write(text)
        seen.append(following.more(result.parent))
    assert seen == [[FIRST.strip()], [SECOND.strip()], []]
    assert following.has_begun


def test_a_table_that_grows_has_one_head_and_widens(result: Path) -> None:
    following = Following("said", "table")
    (result / FILE).write_text(FIRST + SECOND + FIRST)
    assert following.more(result.parent) == [
        "word  score",
        "a     0.500",
        "longer than that  1",
        "a                 0.500",
    ]


def test_more_than_is_read_at_once_comes_in_one_call(
    result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "_MOST_BYTES", len(FIRST) + 1)
    (result / FILE).write_text(3 * FIRST)
    assert Following("said", "jsonl").more(result.parent) == 3 * [FIRST.strip()]


def test_lines_that_are_no_rows_are_passed_over(result: Path) -> None:
    (result / FILE).write_text("[1]\nnothing\n" + FIRST)
    assert Following("said", "json").more(result.parent) == [FIRST.strip()]


def test_a_link_in_place_of_the_file_is_not_followed(result: Path, tmp_path: Path) -> None:
    (tmp_path / "private").write_text(FIRST)
    (result / FILE).symlink_to(tmp_path / "private")
    assert Following("said", "json").more(result.parent) == []


def test_a_name_with_line_ends_or_escape_sequences_stays_in_its_cell() -> None:
    names = [{"source": "two\nlines"}, {"source": "\x1b[31mred"}, {"source": "caf\udce9"}]
    assert len(shown(names, "table").splitlines()) == 4
    assert "\x1b" not in shown(names, "table") and "\udce9" not in shown(names, "table")
