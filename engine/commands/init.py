"""`init FOLDER`: create a project with a use case, stages and a README.

The files are those of skeleton/. Nothing that exists is changed.
"""

import shutil
from pathlib import Path

from pydantic import Field

from engine import ordinary
from engine.catalogue import ROOT
from engine.errors import UserError
from engine.options import CommandOptions
from engine.request import Request
from engine.wording import as_typed

SKELETON = ROOT / "skeleton"


class Options(CommandOptions):
    """The options of `init`."""

    WORD = "folder"

    folder: str | None = Field(
        None, description="the folder to create; may be written as a word: init my_project"
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Write the files, and print what to do next."""
    folder = _folder(request.options.folder)
    with ordinary.writing(str(folder)):
        shutil.copytree(
            SKELETON, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
        readme = folder / "README.md"
        text = (
            readme.read_text(encoding="utf-8")
            .replace("{name}", folder.name)
            .replace("{engine}", str(ROOT))
        )
        readme.write_text(text, encoding="utf-8")
    print(f"created {as_typed(folder)}; {as_typed(folder / 'README.md')} explains how to run it")
    return 0, None


def _folder(name: str | None) -> Path:
    if not name:
        raise UserError("init", "the folder is missing", "write: python run.py init FOLDER")
    folder = Path(name).expanduser().absolute()
    if folder.is_dir() and not any(folder.iterdir()):
        return folder
    if folder.exists() or folder.is_symlink():
        raise UserError(
            f"init {name}", "the folder is not empty", "choose a new or an empty folder"
        )
    return folder
