"""The code of jobs as a folder: what belongs to it, and what its digest covers."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import job_code
from engine.catalogue import ROOT
from engine.errors import UserError


@pytest.fixture
def project(tmp_path) -> Path:
    """A user's project with its own package."""
    for name in ("mine/__init__.py", "mine/data.json", "mine/deep/a.py", "other/b.py", "run.py"):
        (tmp_path / "user" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "user" / name).write_text("")
    return tmp_path / "user"


def _names(project: Path) -> list[str]:
    return [name for name, _ in job_code.find((project,), ("mine",)).files]


def test_it_has_the_listed_packages_and_their_data(project):
    assert _names(project) == ["0/mine/__init__.py", "0/mine/data.json", "0/mine/deep/a.py"]


def test_tests_caches_and_hidden_files_are_left_out(project):
    before = job_code.find((project,), ("mine",))
    for name in ("tests/t.py", "__pycache__/a.pyc", ".git/x", "deep/.a.swp", "a.pyc", "a.py~"):
        (project / "mine" / name).parent.mkdir(exist_ok=True)
        (project / "mine" / name).write_text("x")
    assert job_code.find((project,), ("mine",)) == before


def test_the_engines_own_part_is_that_of_every_job():
    names = [name for name, _ in job_code.find((ROOT,), ("stages",)).files]
    engine = [name for name in names if name.startswith("0/engine/")]
    assert "0/engine/__init__.py" in engine and "0/stages/pose/train.py" in names
    assert {name.split("/")[2] for name in engine} == {"__init__.py", "stage"}


def test_the_users_folder_precedes_the_projects(project, tmp_path):
    code = job_code.find((project, ROOT), ("stages", "mine"))
    assert {name.partition("/")[0] for name, _ in code.files} == {"0", "1"}
    folder = job_code.lay_out(code, tmp_path / "store")
    words = [
        sys.executable,
        "-S",
        "-c",
        "import mine, engine.stage, stages.pose; print(mine.__file__)",
    ]
    env = {"PYTHONPATH": f"{folder / '0'}:{folder / '1'}"}
    done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(folder / "0" / "mine" / "__init__.py")


@pytest.mark.parametrize("change", ["content", "name", "mode", "package"])
def test_any_change_is_another_digest(project, change):
    before = job_code.find((project,), ("mine",)).digest
    path, packages = project / "mine" / "data.json", ("mine",)
    if change == "content":
        path.write_text("{}")
    elif change == "name":
        path.rename(path.with_name("other.json"))
    elif change == "mode":
        path.chmod(0o755)
    else:
        packages = ("mine", "other")
    assert job_code.find((project,), packages).digest != before


def test_a_copy_elsewhere_has_the_same_digest(project, tmp_path):
    subprocess.run(["cp", "-r", project, tmp_path / "copy"], check=True)
    found = [job_code.find((one,), ("mine",)).digest for one in (project, tmp_path / "copy")]
    assert found[0] == found[1]


def test_it_is_laid_out_whole_and_a_damaged_folder_is_replaced(project, tmp_path):
    code = job_code.find((project,), ("mine",))
    folder = job_code.lay_out(code, tmp_path / "store")
    (folder / "0" / "mine" / "data.json").write_text("damaged")
    assert job_code.lay_out(code, tmp_path / "store") == folder
    assert job_code.find((folder / "0",), ("mine",)).digest == code.digest


def test_folders_of_earlier_versions_are_removed_after_a_day(project, tmp_path):
    first = job_code.lay_out(job_code.find((project,), ("mine",)), tmp_path / "store")
    (project / "mine" / "data.json").write_text("{}")
    second = job_code.lay_out(job_code.find((project,), ("mine",)), tmp_path / "store")
    assert first.exists() and second.exists()
    os.utime(first, (time.time() - 1e6, time.time() - 1e6))
    job_code.lay_out(job_code.find((project,), ("mine",)), tmp_path / "store")
    assert not first.exists() and second.exists()


def test_a_loop_of_links_is_refused(project):
    (project / "mine" / "loop").symlink_to(".")
    with pytest.raises(UserError, match="leads back"):
        job_code.find((project,), ("mine",))


def test_code_that_changes_while_it_is_copied_is_refused(project, tmp_path):
    code = job_code.find((project,), ("mine",))
    (project / "mine" / "data.json").write_text("{}")
    with pytest.raises(UserError, match="changed while it was copied"):
        job_code.lay_out(code, tmp_path / "store")
    assert list((tmp_path / "store" / "code").iterdir()) == []
