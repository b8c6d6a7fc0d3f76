"""CSV with a row for each sentence."""

import pytest

from engine.stage import StageError


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_and_the_names_of_columns_are_found(read, delimiter):
    lines = (("ID", "Utterance", "LABEL"), ("1", "hello", "greet"), ("2", "a table", "book"))
    found = read(**{"a.csv": "\n".join(map(delimiter.join, lines))})
    assert found.sentences == [("hello", "greet"), ("a table", "book")]


def test_quoted_commas_and_line_breaks_belong_to_the_sentence(read):
    found = read(
        **{"a.csv": 'text,intent\r\n"hello,\r\nthere",greet\r\n"a ""nice"" table",book\r\n'}
    )
    assert found.sentences == [("hello, there", "greet"), ('a "nice" table', "book")]
    assert found.corpus.sentences[1].source == "a.csv, line 4"


def test_a_column_may_say_the_split(read):
    found = read(**{"a.csv": "text,intent,split\na,x,Train\nb,x,validation\nc,x,TEST\n"})
    assert found.splits == ["train", "val", "test"]


def test_the_name_of_a_file_may_say_the_split(read):
    found = read(**{"train.csv": "text,intent\na,x\n", "my_test.csv": "text,intent\nb,x\n"})
    assert sorted(found.splits) == ["test", "train"]


def test_responses_may_stand_beside_the_sentences(read):
    found = read(**{"a.csv": "question,answer,intent\nhi,Hello!,greet\nhey,Hello!,greet\n"})
    assert dict(found.corpus.responses) == {"greet": ["Hello!"]}


def test_rows_that_cannot_be_used_are_counted(read):
    text = "text,intent,split\na,x,train\nb,,train\n,x,train\nc,x,never\n\n"
    found = read(**{"a.csv": text})
    assert found.sentences == [("a", "x")]
    assert found.counts == {"broken_rows": 2, "blank": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "hello,greet\n",
            "'hello,greet', without the column text and intent; write text,intent there",
        ),
        ("text,response\n", "without the column intent"),
        ("", "has no sentences"),
        (
            'text,intent\na,x\n"b,x\nc,x\n',
            r"a.csv: line \d: the quoted .* in line 3 never ends: close",
        ),
        ('text,intent\n"a" b,x\n', "line 2: .*: write a quote inside a quoted text twice"),
        ("text,intent\n" + '"' + "x" * 200_000 + '",a\n', "a.csv: line .*field larger"),
    ],
)
def test_what_is_no_such_table_is_named(read, text, said):
    with pytest.raises(StageError, match=said):
        read(**{"a.csv": text})
