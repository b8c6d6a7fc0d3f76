"""Only one server stores files in a state folder."""

from pathlib import Path

import pytest

from stages.serving.lock import storing
from stages.serving.mistakes import Mistakes


def test_a_folder_is_held_by_one_server_at_a_time(tmp_path: Path) -> None:
    held = storing(tmp_path)
    held.__enter__()
    with pytest.raises(Mistakes, match="another server stores pictures"), storing(tmp_path):
        pass
    held.__exit__(None, None, None)
    with storing(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_what_is_no_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistakes, match="cannot be read"), storing(tmp_path / "absent"):
        pass
