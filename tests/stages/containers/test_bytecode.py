"""Modules compiled in advance: the same bytes with any number of processes."""

import os
import sys

import pytest

from stages.containers import _bytecode
from stages.containers._tree import Tree, file

PLACE = "usr/lib/python3/dist-packages"
BEFORE = b"kind = 'channels_first'\n"
SHARES = b"""
def f(x):
    return x == 'channels_first' or x in {'channels_first', 'channels_last'}
def g(x):
    return x == 'channels_last' or x in {'channels_first', 'channels_last'}
"""

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != _bytecode.PYTHON, reason="only the images' own Python compiles for them"
)


def test_a_module_compiles_to_the_same_bytes_alone_and_after_another(tmp_path, monkeypatch):
    found = set()
    for cores in (1, 2):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        tree = Tree()
        tree.add(
            f"{PLACE}/a.py", file(BEFORE)
        )  # its constants still exist when the same process compiles b
        tree.add(f"{PLACE}/b.py", file(SHARES))
        assert _bytecode.add_bytecode(tree, tmp_path) == 2
        found.add(tree.read(f"{PLACE}/__pycache__/b.cpython-311.pyc"))
    assert len(found) == 1


def test_what_cannot_be_compiled_is_left_out(tmp_path):
    tree = Tree()
    tree.add(f"{PLACE}/template.py", file(b"{{ name }} = ;\n"))
    assert _bytecode.add_bytecode(tree, tmp_path) == 0
