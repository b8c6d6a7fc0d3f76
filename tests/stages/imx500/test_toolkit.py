"""Sony's tools: without them models pass through, but an environment that has lost them is damaged."""

import sys

import pytest

from engine.stage import StageError
from stages.imx500 import _toolkit

MISSING = [
    (_toolkit.without_toolkit, "Toolkit is not installed here"),
    (_toolkit.without_converter, "imxconv-tf is not installed here"),
]


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An empty virtual environment, in which this process seems to run."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(_toolkit, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.mark.parametrize(("without", "says"), MISSING)
def test_where_they_never_were_a_sentence_says_so(environment, without, says):
    assert says in without()


@pytest.mark.parametrize(("without", "says"), MISSING)
def test_in_their_own_environment_their_absence_is_an_error(environment, without, says):
    (environment / "ready.json").write_text("{}")
    with pytest.raises(StageError, match="is missing in its environment, which is damaged"):
        without()
