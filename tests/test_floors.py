"""What import-linter cannot express: sibling files are independent, and stages share only helpers."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = (  # who imports them: import-linter
    "stages.accelerator",
    "stages.accelerators",
    "stages.coral",
    "stages.estimators",
    "stages.evaluation",
    "stages.media",
    "stages.serving",
    "stages.tasks",
    "stages.tflite",
    "stages.training",
)
STAGES = sorted(
    path
    for path in (ROOT / "stages").rglob("*.py")
    if path.name != "__init__.py"
    and f"stages.{path.relative_to(ROOT / 'stages').with_suffix('').parts[0]}" not in LIBRARIES
)
SINKS = sorted((ROOT / "engine" / "sinks").glob("[a-z]*.py"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _imported(path: Path) -> Iterator[str]:
    """Yield every module of the project that the file imports, even inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                path = ROOT.joinpath(*name.split("."))
                is_module = path.with_suffix(".py").is_file() or path.is_dir()
                yield name if is_module else node.module


def test_a_stage_imports_only_the_helpers_of_its_own_domain_and_the_libraries():
    wrong = []
    for path in STAGES:
        domain = ".".join(_module(path).split(".")[:2])
        own = re.compile(
            rf"{re.escape(domain)}(\.[a-z]\w*)?(\._\w+)+(\.\w+)?"
        )  # or of a package in it
        others = [
            name
            for name in _imported(path)
            if name.startswith("stages") and not (name.startswith(LIBRARIES) or own.fullmatch(name))
        ]
        wrong += [(_module(path), name) for name in others]
    assert STAGES and wrong == []


def test_a_sink_imports_no_other_sink():
    modules = {_module(path): set(_imported(path)) for path in SINKS}
    wrong = {sink: imported & (modules.keys() - {sink}) for sink, imported in modules.items()}
    assert modules and not any(wrong.values()), wrong
