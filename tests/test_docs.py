"""The documentation keeps up: made pages are fresh, every key is named, links lead somewhere, schemas fit the
files.
"""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine import yamlfile

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("usecases/*.md"),
        *ROOT.glob("containers/**/*.md"),
    ]
)
COMMANDS = {path.stem for path in (ROOT / "engine" / "commands").glob("[a-z]*.py")}


@pytest.fixture(scope="module")
def made() -> ModuleType:
    """The script docs/reference.py."""
    place = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert place and place.loader
    module = importlib.util.module_from_spec(place)
    path = list(sys.path)
    try:
        place.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


def _keys(config: dict[str, object], prefix: str = "") -> list[str]:
    found = []
    for key, value in config.items():
        if key not in ("defaults", "hydra"):
            found += (
                _keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
            )
    return found


def test_the_reference_and_the_schemas_are_fresh(made):
    assert made.stale() == [], "run: make docs"


def test_the_reference_names_each_key_of_the_command_line():
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    keys = _keys(yamlfile.load(ROOT / "conf" / "config.yaml"))
    assert keys and [key for key in keys if f"| `{key}` |" not in page] == []


def _linked(page: Path) -> list[str]:
    """Return the paths that the page links to."""
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    own = [link for link in links if "://" not in link and not link.startswith(("#", "mailto:"))]
    return [link.partition("#")[0] for link in own]


def test_relative_links_resolve():
    links = [(page, link) for page in PAGES for link in _linked(page)]
    assert (
        links
        and [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
    )


def test_the_commands_that_pages_show_exist():
    shown = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"python run\.py ([a-z]+)(?=[\s`]|$)", text, re.MULTILINE)
        added = re.findall(r"`engine/commands/(\w+)\.py`", text)  # by who follows the page
        shown |= {(page.name, command) for command in found if command not in added}
    assert shown and sorted(one for one in shown if one[1] not in COMMANDS) == []


def test_every_use_case_names_its_schema_at_its_head():
    files = sorted((ROOT / "usecases").glob("*.yaml"))
    first = {path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in files}
    assert set(first.values()) == {"# yaml-language-server: $schema=../conf/schema/usecase.json"}, (
        first
    )


@pytest.mark.parametrize("kind", ["usecase", "target", "asset"])
def test_the_schema_knows_each_top_level_key_of_the_files(made, kind):
    folder = ROOT / "usecases" if kind == "usecase" else ROOT / "conf" / kind
    known = made.schema(kind)["properties"].keys()
    assert [
        (path.name, key)
        for path in sorted(folder.glob("*.yaml"))
        for key in yamlfile.load(path)
        if key not in known
    ] == []


def test_the_schema_takes_what_a_writer_types_for_durations_sizes_and_references(made):
    stage = made.schema("usecase")["$defs"]["StageSpec"]["properties"]
    assert "string" in str(stage["timeout"]) and made.REFERENCE in stage["retries"]["anyOf"]
