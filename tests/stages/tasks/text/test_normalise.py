"""Text in one form: what people type differently is equal, and nothing that they mean is lost."""

import pytest

from stages.tasks.text.normalise import normalised, words


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("  Wie  SPÄT\tist es?\n", "wie spät ist es?"),
        ("Straße", "strasse"),
        ("ΚΑΛΗΜΕΡΑ ΣΑΣ", "καλημερα σασ"),  # a final sigma becomes an ordinary one
        ("perche\u0301", "perché"),
        ("ｆｕｌｌ　ｗｉｄｔｈ１２", "full width12"),
        ("what’s up", "what's up"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07", "bell"),
        ("❤️", "❤"),
        ("\U0001fbff new", "\U0001fbff new"),  # unassigned: an emoji of a later Unicode
        ("你好，世界", "你好,世界"),
        ("", ""),
    ],
)
def test_text_is_brought_into_one_form(typed, expected):
    assert normalised(typed) == expected


@pytest.mark.parametrize("text", ["ὈΔΥΣΣΕΎΣ", "İstanbul", "ǅ", "ﬁn", "㎏", "e\u0301\u0345"])
def test_a_normalised_text_stays_as_it_is(text):
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what's the time?", ["what's", "the", "time", "?"]),
        ("播放音乐 now", ["播", "放", "音", "乐", "now"]),
        ("pizza 🍕🍕!", ["pizza", "🍕", "🍕", "!"]),
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs belong to their word
        ("room 101", ["room", "101"]),
        ("", []),
    ],
)
def test_words_are_cut_at_spaces_and_marks(text, expected):
    assert words(text) == expected
