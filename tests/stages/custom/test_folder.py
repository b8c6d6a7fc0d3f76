"""The user's code runs in its folder, and its exceptions are explained with its lines."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.custom import _folder


@pytest.fixture
def call(tmp_path):
    """Write files; call `f` of data.py with these arguments."""

    def called(files, offered=None, **arguments):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        with _folder.inside(tmp_path, 3):
            return _folder.called(tmp_path, "data.py", "f", arguments, offered or {})

    return called


def test_modules_and_files_beside_it_can_be_used(call, tmp_path):
    files = {
        "data.py": "import other\nfrom pathlib import Path\ndef f(): return other.read(), __file__",
        "other.py": "from pathlib import Path\ndef read(): return Path('x.txt').read_text()",
        "x.txt": "text",
    }
    before = Path.cwd()
    assert call(files) == ("text", str(tmp_path / "data.py"))
    assert Path.cwd() == before and str(tmp_path) not in sys.path and "other" not in sys.modules
    assert not (tmp_path / "__pycache__").exists()  # the folder is an input, which must not change


def test_each_call_has_the_same_random_numbers(call):
    source = {
        "data.py": "import random, numpy\ndef f(): return random.random(), numpy.random.rand()"
    }
    random.seed(3)
    np.random.seed(3)
    expected = (random.random(), np.random.rand())
    assert call(source) == call(source) == expected


def test_an_offered_argument_is_passed_if_the_function_names_it(call):
    offered = {"classes": 3, "seed": 0}
    assert call({"data.py": "def f(a, classes): return a, classes"}, offered, a=1) == (1, 3)
    assert call({"data.py": "def f(**others): return others"}, offered, a=1) == {"a": 1}
    assert call({"data.py": "f = dict"}, offered) == {}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"data.py": "import other\ndef f():\n    other.g()", "other.py": "def g():\n    1 / 0"},
            ["data.py raised ZeroDivisionError", "other.py, line 2: 1 / 0", "data.py, line 3"],
        ),
        ({"data.py": "def f(): open('gone.csv')"}, ["gone.csv", "folder of data.py"]),
        ({"data.py": "import nowhere.deep"}, ["ModuleNotFoundError", "Install 'nowhere'"]),
        ({"data.py": "import other", "other.py": "x = (\n"}, ["SyntaxError", "other.py, line 1"]),
        ({"data.py": "def f(): exit(3)"}, ["SystemExit", "ended the program", "line 1"]),
        (
            {"data.py": "def f(): raise ValueError('X contains NaN.\\nmore')"},
            ["contains NaN (data.py", "SimpleImputer"],
        ),
        ({"data.py": "f = 3"}, ["no function 'f'"]),
    ],
)
def test_an_exception_is_explained_in_one_line(call, files, words):
    with pytest.raises(StageError) as caught:
        call(files)
    said = str(caught.value)
    assert all(word in said for word in words) and "\n" not in said and "_folder.py" not in said


def test_code_that_removes_its_own_folder_is_named(call, tmp_path):
    call({"data.py": "import shutil\ndef f(): shutil.rmtree('.', ignore_errors=True)"})
    tmp_path.rmdir()
    with pytest.raises(StageError, match="no longer exists"), _folder.inside(tmp_path, 3):
        pass


def test_the_log_has_the_traceback_without_our_own_lines(call, capsys):
    with pytest.raises(StageError):
        call({"data.py": "def f():\n    raise KeyError('k')"})
    log = capsys.readouterr().err
    assert 'data.py", line 2, in f' in log and "_folder.py" not in log
