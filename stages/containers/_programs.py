"""The programs of Python packages in an image, as an installer would create them.

Format: packaging.python.org, entry points specification.
"""

import configparser
import re

from engine.stage import StageError
from stages.containers._tree import Tree, file, link
from stages.containers._wheels import SITE

FOLDER = "usr/local/bin"
_METADATA = re.compile(rf"{SITE}/([^/]+)\.dist-info/entry_points\.txt")
_FUNCTION = re.compile(r"([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)\s*(?:\[[^]]*\])?", re.ASCII)
_NAME = re.compile(r"[\w][\w.+-]*", re.ASCII)
_JAVA = re.compile(r"usr/lib/jvm/[^/]+/bin/java")
_SCRIPT = """\
#!/usr/bin/python3
import sys
from {module} import {first}
sys.exit({function}())
"""


def add(tree: Tree) -> int:
    """Add the programs of the tree's packages, and return their number.

    A package's own file of the same name is kept.
    """
    found: dict[str, str] = {}
    for path in sorted(tree.entries):
        if match := _METADATA.fullmatch(path):
            text = tree.entries[path].read().decode("utf-8", "replace")
            found |= _scripts(text, match[1])
    for name, text in found.items():
        if tree.get(f"{FOLDER}/{name}") is None:
            tree.add(f"{FOLDER}/{name}", file(text.encode(), 0o755))
    for path in sorted(path for path in tree.entries if _JAVA.fullmatch(path))[:1]:
        tree.add("usr/bin/java", link(f"/{path}"))  # what its package's script would do
    return len(found)


def _scripts(text: str, package: str) -> dict[str, str]:
    """Return the programs that entry_points.txt declares, with their text."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their case
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise StageError(f"the programs of {package} cannot be read: {error}") from None
    section = parser["console_scripts"] if parser.has_section("console_scripts") else {}
    return {name: _script(name, where, package) for name, where in section.items()}


def _script(name: str, where: str, package: str) -> str:
    match = _FUNCTION.fullmatch(where.strip())
    if not match or not _NAME.fullmatch(name):
        raise StageError(f"{package} declares a program that cannot be made: {name} = {where}")
    first = match[2].partition(".")[0]
    return _SCRIPT.format(module=match[1], first=first, function=match[2])
