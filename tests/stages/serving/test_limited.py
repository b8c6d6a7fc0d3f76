"""Small files: what is larger or never ends is refused."""

from pathlib import Path

import pytest

from stages.serving.limited import TooLarge, read_text


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("grün")
    assert read_text(file, 5) == "grün"
    with pytest.raises(TooLarge, match="more than 4 bytes"):
        read_text(file, 4)


def test_a_file_that_never_ends_is_refused() -> None:
    with pytest.raises(TooLarge):
        read_text(Path("/dev/zero"), 10_000)
