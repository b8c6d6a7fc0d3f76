"""The how-to pages, followed literally: the files on a page are written, and the commands of its proof run.
The same for the README of a project that `init` creates, with an engine that pip has installed.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALONE = {
    **os.environ,
    "PYTEST_XDIST_AUTO_NUM_WORKERS": "0",
}  # workers for one test would only take time
pytestmark = pytest.mark.slow  # a page takes ten seconds or more
PAGES = sorted((ROOT / "docs" / "how-to").glob("add-*.md"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A fresh copy of the project's files, in the environment of the tests."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_who_follows_the_page_has_what_it_promises(copy, page):
    text = page.read_text(encoding="utf-8")
    files = re.findall(
        r"`([\w/.-]+\.(?:py|yaml))`[^`]*?```(?:python|yaml)\n(.*?)```", text, re.DOTALL
    )
    commands = re.search(r"## The proof\n+```\n(.*?)```", text, re.DOTALL)
    assert files and commands
    whole = set(re.findall(r'```(?:python|yaml)\n((?:"""|# yaml).*?)```', text, re.DOTALL))
    assert whole <= {content for _, content in files}, "a file's name must directly precede it"
    for name, content in files:
        assert not (copy / name).exists(), f"{name} is there already"
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(content, encoding="utf-8")
    for command in commands[1].splitlines():
        result = subprocess.run(
            shlex.split(command), cwd=copy, env=ALONE, capture_output=True, text=True
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"


@pytest.fixture
def installed(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment in which pip has installed the engine, on the tests' requirements."""
    made = tmp_path_factory.mktemp("environment")
    venv.create(made, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(made), "platbase": str(made)}))
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    argv = [
        made / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-build-isolation",
        "-e",
        copy,
    ]
    result = subprocess.run(argv, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return made / "bin"


def test_the_readme_of_a_new_project_tells_how_to_run_it(
    copy, installed, tmp_path_factory, monkeypatch
):
    monkeypatch.setenv("PATH", f"{installed}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path_factory.mktemp("work") / "weather"
    made = subprocess.run(
        [sys.executable, copy / "run.py", "init", folder], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    text = (folder / "README.md").read_text(encoding="utf-8")
    install, *commands = re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    assert (
        text.startswith("# weather\n") and install == f"pip install -e {copy}" and len(commands) > 5
    )
    for command in commands:
        result = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, text=True)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    assert (folder / "outputs" / "trend" / "x86_64" / "latest" / "report.html").is_file()


def test_what_an_installed_engine_says_names_its_command(installed):
    result = subprocess.run(
        [installed / "rpi-mlops", "plan", "follow=true"], capture_output=True, text=True
    )
    assert result.stderr.splitlines()[-1] == "  write: rpi-mlops logs follow=true"


def test_an_engine_that_was_copied_without_its_configuration_says_so(copy):
    (copy / "conf" / "config.yaml").unlink()
    result = subprocess.run(
        [sys.executable, copy / "run.py", "plan"], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[1:] == [
        "  the engine is installed without its configuration",
        "  install it in editable mode from its checkout: pip install -e FOLDER",
    ]
