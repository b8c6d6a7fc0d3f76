"""The how-to pages, followed literally: the files that a page shows are written, and the commands of its
proof run.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALONE = {**os.environ, "PYTEST_XDIST_AUTO_NUM_WORKERS": "0"}  # workers for one test would only take time
PAGES = sorted((ROOT / "docs" / "how-to").glob("add-*.md"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's files, as a newcomer has them, in the environment of the tests."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
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
    files = re.findall(r"`([\w/.-]+\.(?:py|yaml))`[^`]*?```(?:python|yaml)\n(.*?)```", text, re.DOTALL)
    commands = re.search(r"## The proof\n+```\n(.*?)```", text, re.DOTALL)
    assert files and commands
    for name, content in files:
        assert not (copy / name).exists(), f"{name} is there already"
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(content, encoding="utf-8")
    for command in commands[1].splitlines():
        result = subprocess.run(shlex.split(command), cwd=copy, env=ALONE, capture_output=True, text=True)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
