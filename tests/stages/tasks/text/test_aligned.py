"""Folded text keeps the places of the original."""

import pytest

from stages.tasks.text.aligned import align, is_edge


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Straße\t", "strasse"),
        ("e\u0301 É", "é é"),
        ("ﬁ  ＡＢ", "fi ab"),
        ("a\u200bb\u200dc", "abc"),
        ("👍🏽 ok", "👍🏽 ok"),
        ("ΟΔΟΣ", "οδοσ"),
        ("", ""),
    ],
)
def test_case_width_accents_and_spaces_are_folded(text, folded):
    assert align(text).text == folded


def test_each_character_has_its_place():
    text = " ﬁ  e\u0301ß!"
    found = align(text)
    pieces = [text[start:end] for start, end in zip(found.starts, found.ends, strict=True)]
    assert found.text == "fi éss!"
    assert pieces == ["ﬁ", "ﬁ", " ", "e\u0301", "ß", "ß", "!"]


def test_a_word_may_begin_anywhere_in_a_script_without_spaces():
    assert [is_edge("ab c", at) for at in range(5)] == [True, False, True, True, True]
    assert all(is_edge("去罗马", at) for at in range(4))
