"""`init`: what it creates. tests/test_how_to.py follows its README."""

import pytest

from engine.commands.init import SKELETON


@pytest.mark.parametrize("exists", [False, True], ids=["new", "empty"])
def test_a_new_project_has_the_files_of_the_skeleton(give, project, exists):
    folder = project.path / "sub" / "mine"
    if exists:
        folder.mkdir(parents=True)
    assert give("init", "sub/mine").status == 0
    wanted = {
        path.relative_to(SKELETON)
        for path in SKELETON.rglob("*")
        if "__pycache__" not in path.parts
    }
    assert {path.relative_to(folder) for path in folder.rglob("*")} == wanted


def test_its_readme_has_the_name_of_the_folder(give, project):
    give("init", "folder=mine")
    assert (project.path / "mine" / "README.md").read_text().startswith("# mine\n")


def test_a_folder_with_files_is_left_as_it_is(give, project):
    (project.path / "mine").mkdir()
    (project.path / "mine" / "notes").write_text("x")
    assert give("init", "mine").status == 2
    assert [path.name for path in (project.path / "mine").iterdir()] == ["notes"]
