"""The natural order of names, and hidden files."""

import pytest

from engine.stage.names import is_hidden, natural_order


def test_numbers_sort_by_their_value_whatever_the_case():
    names = ["frame10.png", "Frame9.png", "frame1.png", "a.png", "7.png"]
    assert sorted(names, key=natural_order) == [
        "7.png",
        "a.png",
        "frame1.png",
        "Frame9.png",
        "frame10.png",
    ]


@pytest.mark.parametrize(
    "name", [".DS_Store", "__MACOSX", "Thumbs.db", "THUMBS.DB", "desktop.ini", "@eaDir"]
)
def test_what_systems_add_is_hidden(name):
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["a.jpg", "_a.jpg", "thumbs", "cat"])
def test_the_users_own_files_are_not(name):
    assert not is_hidden(name)
