"""A font for each character, and the fallback if none has it."""

from collections.abc import Iterator

import pytest

from stages.media import fonts


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pillow's own font is the only one."""
    fonts._index_of.cache_clear()
    fonts._font.cache_clear()
    monkeypatch.setattr(fonts, "_files", lambda: ())
    yield
    fonts._index_of.cache_clear()
    fonts._font.cache_clear()


def drawn(text: str) -> str:
    return "".join(piece for _, piece in fonts.runs(text, 20))


needs_a_font = pytest.mark.skipif(not fonts._files(), reason="no font is installed")


@needs_a_font
def test_alphabets_of_europe_have_a_font() -> None:
    assert fonts.lacking("Übung żółw Ελληνικά Кириллица") == ""
    assert drawn("Übung Ελληνικά") == "Übung Ελληνικά"


@needs_a_font
def test_a_decomposed_letter_is_drawn_as_one() -> None:
    assert drawn("U\u0308bung") == "Übung"


@needs_a_font
def test_text_of_one_alphabet_is_one_piece() -> None:
    assert len(list(fonts.runs("Übung 98 %", 20))) == 1


def test_without_fonts_a_letter_stands_without_its_accent(no_fonts: None) -> None:
    assert drawn("Übung é") == "Ubung e"
    assert fonts.lacking("Übung é") == "Üé"


def test_a_script_without_a_font_is_named_and_never_a_question_mark(no_fonts: None) -> None:
    assert fonts.lacking("squat 中文") == "中文"
    assert "?" not in drawn("squat 中文")
