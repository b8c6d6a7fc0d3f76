"""A folder with a text file for each intent, in mixed encodings."""

import pytest

from engine.stage import StageError


def test_the_name_of_a_file_is_the_intent(read):
    found = read(**{"greet.txt": "hello\n\n  hi \r\nhey", "book table.TXT": "a table"})
    assert found.sentences == [
        ("a table", "book table"),
        ("hello", "greet"),
        ("hi", "greet"),
        ("hey", "greet"),
    ]
    assert found.corpus.sentences[2].source == "greet.txt, line 3"


def test_folders_may_be_the_split(read):
    found = read(**{"Train/greet.txt": "hello", "TEST/greet.txt": "hi", "train/book.txt": "x"})
    assert sorted(zip(found.sentences, found.splits, strict=True)) == [
        (("hello", "greet"), "train"),
        (("hi", "greet"), "test"),
        (("x", "book"), "train"),
    ]


def test_notes_and_hidden_files_are_no_intents(read):
    found = read(
        **{"greet.txt": "a", "README.txt": "b", "LICENSE": "c", ".x.txt": "d", "labels.txt": "e"}
    )
    assert found.sentences == [("a", "greet")]
    assert found.counts == {"ignored_files": 3}


def test_responses_stand_in_a_file_of_their_own(read):
    text = "responses:\n  greet: [Hello!, Hi.]\ncontexts:\n  greet: {sets: talking}\nentities:\n  city: [Rome]\n"
    found = read(**{"greet.txt": "a", "responses.yml": text})
    assert dict(found.corpus.responses) == {"greet": ["Hello!", "Hi."]}
    assert found.corpus.contexts["greet"].sets == ["talking"]
    assert found.corpus.lookups == {"city": {"Rome": []}}
    assert found.counts == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("responses: [a]", r"responses.yml: responses is .*: write \{greet"),
        ("responses: {greet: {a: b}}", "responses: greet is"),
        ("contexts: {greet: talking}", "contexts: greet is 'talking': write"),
        ("entities: city", "entities is 'city': write"),
        ("responses: {greet: Hello: you}", "line 1, column .*quotes"),
    ],
)
def test_responses_that_cannot_be_used_are_named(read, text, said):
    with pytest.raises(StageError, match=said):
        read(**{"greet.txt": "a", "responses.yml": text})


def test_files_in_several_encodings_are_read_and_named(read):
    found = read(
        **{
            "a.txt": "Grüß Gott",
            "b.txt": "\ufeffhello 👋".encode(),
            "c.txt": "Öffne die Tür\nfür zwei Personen".encode("cp1252"),
            "d.txt": "Καλημέρα\nΘέλω ένα τραπέζι".encode("cp1253"),
            "e.txt": "我想订一张桌子\n明天晚上七点".encode("gb18030"),
            "f.txt": "ciao 👋".encode("utf-16"),
            "g.txt": "Άνοιξε την πόρτα\nΆκυρο".encode("iso8859_7"),
        }
    )
    assert [text for text, _ in found.sentences] == [
        "Grüß Gott",
        "hello 👋",
        "Öffne die Tür",
        "für zwei Personen",
        "Καλημέρα",
        "Θέλω ένα τραπέζι",
        "我想订一张桌子",
        "明天晚上七点",
        "ciao 👋",
        "Άνοιξε την πόρτα",
        "Άκυρο",
    ]
    assert found.counts == {"recoded": 5}
    said = found.findings.sentence("recoded")
    assert all(word in said for word in ("cp1252", "cp1253", "gb18030", "UTF-16", "iso8859_7"))


def test_a_nul_character_does_not_change_the_encoding(read):
    found = read(**{"a.txt": "Gr\0üß Gott", "b.txt": "hello"})
    assert found.sentences[0] == ("Grüß Gott", "a") and found.counts == {}


def test_a_single_text_file_is_no_data_set(read):
    with pytest.raises(StageError, match=r"a\.txt has no sentences with their intents"):
        read(only="a.txt", **{"a.txt": "hello"})


def test_an_empty_folder_says_what_to_put_there(read):
    with pytest.raises(StageError, match="CSV with the columns text,intent"):
        read(**{"x/.keep": ""})
