"""Parsing a module's source. Complete stages are tested in test_signature.py."""

import ast
from pathlib import Path

import pytest

from engine import syntax
from engine.contract import REQUIRED

HERE = Path("here.py")


def _function(text: str) -> ast.FunctionDef:
    return next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import numpy", [("numpy", False)]),
        ("def f():\n    import numpy", [("numpy", False)]),
        (
            "from ._frames import read",
            [("stages.pose._frames", False), ("stages.pose._frames.read", False)],
        ),
        ("try:\n    import cv2\nexcept ImportError:\n    cv2 = None", [("cv2", True)]),
        ("try:\n    import cv2\nexcept ValueError:\n    cv2 = None", [("cv2", False)]),
    ],
)
def test_an_import_is_found_wherever_it_stands(text, found):
    assert list(syntax.imports(ast.parse(text), "stages.pose.train")) == found


def test_a_parameter_has_its_type_and_its_default():
    found = syntax.parameters(_function("def f(*, a: int = 3, b: float, c=[1]): ..."), HERE)
    assert [(one.annotation, one.default) for one in found.values()] == [
        ("int", 3),
        ("float", REQUIRED),
        ("str", [1]),
    ]


def test_a_path_is_an_input_or_an_output():
    inputs, outputs = syntax.paths(_function("def f(a: In, b: In | None, c: Out): ..."), HERE)
    assert (inputs, outputs) == ({"a": True, "b": False}, ("c",))


def test_the_suffix_of_an_output_is_what_its_annotation_says():
    function = _function("def f(a: In, b: Annotated[Out, Suffix('.tar.gz')], c: Out): ...")
    assert syntax.paths(function, HERE) == ({"a": True}, ("b", "c"))
    assert syntax.suffixes(function, HERE) == {"b": ".tar.gz"}
