"""The stage libraries also run on devices, with Python 3.9 and few installed packages."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    ROOT / "stages" / "accelerator.py",
    *sorted(
        path
        for library in (
            "accelerators",
            "coral",
            "tflite",
            "media",
            "tasks",
            "estimators",
            "serving",
        )
        for path in (ROOT / "stages" / library).rglob("*.py")
    ),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_it_has_no_newer_syntax_than_python_3_9(source):
    tree = ast.parse(source.read_text(), feature_version=(3, 9))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    newer = {
        f"{ast.unparse(call.func)}({keyword.arg}=)"
        for call in calls
        for keyword in call.keywords
        if (ast.unparse(call.func), keyword.arg)
        in {("dataclass", "slots"), ("dataclass", "kw_only"), ("zip", "strict")}
    }
    assert newer == set()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_its_annotations_are_read_by_python_3_9(source):
    tree = ast.parse(source.read_text())
    is_postponed = any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
    )
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    bodies = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    read = [
        node.annotation for body in bodies for node in body.body if isinstance(node, ast.AnnAssign)
    ]
    for function in functions:  # annotations inside a function are never evaluated
        arguments = [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]
        read += [function.returns, *(argument.annotation for argument in arguments)]
    annotated = [
        ast.unparse(one)
        for one in read
        if one and any(isinstance(piece, ast.BitOr) for piece in ast.walk(one))
    ]
    assert is_postponed or annotated == []


def test_a_model_opens_without_more_than_numpy_and_a_runtime():
    code = (
        "import sys, stages.tflite.model, stages.tflite.part\n"
        "heavy = {'tensorflow', 'keras', 'cv2', 'PIL', 'pydantic', 'yaml', 'networkx'}\n"
        "sys.exit(f'imported: {heavy & sys.modules.keys()}' if heavy & sys.modules.keys() else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
