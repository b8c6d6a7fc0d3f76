"""A page's template is compiled once, and again if anything that it depends on has changed."""

from importlib.util import cache_from_source
from pathlib import Path

import jinja2
import pytest

from engine.drawing import page


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = tmp_path / "page.html.j2"
    path.write_text("{{ name | loud }}!")
    return path


def _kept(source: Path) -> Path:
    return Path(cache_from_source(str(source))).with_suffix(".j2c")


def _rendered(source: Path, name: str = "<b>") -> str:
    return page.template(source, {"loud": str.upper}).render(name=name)


def test_a_template_that_was_compiled_before_is_not_compiled_again(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _rendered(source) == "&lt;B&gt;!"
    monkeypatch.delattr(jinja2.Environment, "compile")
    assert _rendered(source) == "&lt;B&gt;!"


def test_a_changed_template_is_compiled_again(source: Path) -> None:
    _rendered(source)
    source.write_text("{{ name }}?")
    assert _rendered(source, "x") == "x?"


def test_another_jinja2_compiles_again(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _rendered(source)
    before = _kept(source).read_bytes()
    monkeypatch.setattr("engine.fingerprint.installed", lambda: {"jinja2": "99"})
    _rendered(source)
    assert _kept(source).read_bytes() != before


@pytest.mark.parametrize("kept_bytes", [0, 10, 30, 60, 200])
def test_damaged_byte_code_is_compiled_again(source: Path, kept_bytes: int) -> None:
    _rendered(source)
    whole = _kept(source).read_bytes()
    _kept(source).write_bytes(whole[:kept_bytes])
    assert _rendered(source, "x") == "X!"
    assert _kept(source).read_bytes() == whole


def test_byte_code_is_kept_only_if_python_keeps_its_own(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert _rendered(source, "x") == "X!"
    assert not _kept(source).exists()


def test_a_folder_where_nothing_can_be_written_is_no_fault(source: Path) -> None:
    (source.parent / "__pycache__").write_text("")
    assert _rendered(source, "x") == "X!"
