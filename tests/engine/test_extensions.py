"""Extensions, found by file name."""

import subprocess
import sys

import pytest

from engine import extensions


def test_a_files_name_is_its_registration():
    assert "scheduler" in extensions.names("drivers")
    assert extensions.module("drivers", "scheduler").driver


def test_an_extension_that_there_is_not_is_not_found():
    with pytest.raises(ModuleNotFoundError):
        extensions.module("drivers", "none")


def test_to_know_their_names_imports_none_of_them():
    code = "import sys; from engine import extensions; extensions.names('sinks')\n"
    code += "sys.exit('engine.sinks' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
