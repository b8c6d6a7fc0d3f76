"""The programs of packages in the image of an environment."""

import pytest

from engine.stage import StageError
from stages.containers import _programs
from stages.containers._tree import Tree, file
from stages.containers._wheels import SITE


def _tree(text: str, path: str = "etc/x", content: bytes = b"") -> Tree:
    tree = Tree()
    tree.add(f"{SITE}/tool-1.0.dist-info/entry_points.txt", file(text.encode()))
    tree.add(path, file(content, 0o755))
    return tree


def test_each_console_script_is_a_program_that_calls_its_function() -> None:
    tree = _tree("[console_scripts]\nTool-x = tool.cli:App.main [extra]\n[other]\na = b:c\n")
    assert _programs.add(tree) == 1
    entry = tree.get("usr/local/bin/Tool-x")
    assert entry and entry.mode == 0o755
    text = entry.read().decode()
    assert text.startswith("#!/usr/bin/python3\n")
    assert "from tool.cli import App\nsys.exit(App.main())" in text


def test_a_file_of_the_package_itself_is_kept() -> None:
    tree = _tree("[console_scripts]\ntool = tool:main\n", "usr/local/bin/tool", b"own")
    _programs.add(tree)
    assert tree.read("usr/local/bin/tool") == b"own"


def test_java_is_where_programs_look_for_it() -> None:
    tree = _tree("", "usr/lib/jvm/java-17/bin/java", b"elf")
    assert _programs.add(tree) == 0
    assert tree.read("usr/bin/java") == b"elf"


@pytest.mark.parametrize(
    "text", ["[console_scripts]\n../x = a:b\n", "[console_scripts]\nx = a; b\n", "no section"]
)
def test_a_declaration_that_is_no_program_is_refused(text: str) -> None:
    with pytest.raises(StageError, match=r"tool-1\.0"):
        _programs.add(_tree(text))
