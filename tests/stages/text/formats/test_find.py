"""Files about something else, in a folder with a data set."""

import json

import pytest

from engine.stage import StageError

INTENTS = json.dumps({"intents": [{"tag": "greet", "patterns": ["hello"]}]})
TABLE = "text,intent\nhello,greet\n"
MENU = json.dumps([{"name": "Pizza", "text": "tomato"}, {"name": "Soup", "text": "hot"}])


@pytest.mark.parametrize(
    ("own", "other", "text", "said"),
    [
        (
            ("intents.json", INTENTS),
            "tsconfig.json",
            '{"files": [], // all\n}',
            r"tsconfig.json (line 1,",
        ),
        (("intents.json", INTENTS), "deploy.yml", "a: b: c\n", "deploy.yml (line 1, column 5"),
        (("intents.json", INTENTS), "empty.json", "", "empty.json (the file is empty)"),
        (("intents.json", INTENTS), "menu.json", MENU, "menu.json"),
        (
            ("nlu.yml", "nlu:\n- intent: greet\n  examples: |\n    - hello\n"),
            "a.json",
            "{",
            "a.json (line",
        ),
        (("a.csv", TABLE), "prices.csv", "dish,price\nsoup,3\n", "prices.csv (its first line is"),
        (("greet.txt", "hello"), "x.json", "[1,", "x.json (line 1"),
    ],
)
def test_a_file_about_something_else_is_named(read, own, other, text, said):
    found = read(**dict([own]), **{other: text})
    assert found.sentences == [("hello", "greet")]
    assert found.counts == {"ignored_files": 1}
    assert said in found.findings.sentence("ignored_files")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("more.json", '{"intents": [{"tag": "a",}]}'),
        ("responses.yml", "responses: {greet: Hello: you}\n"),
        ("domain.yml", '{"responses": {greet: [}}'),
        ("more.json", '{"intents": [{"tag": "a", "patterns": {}}]}'),
    ],
)
def test_a_faulty_file_of_the_data_set_is_an_error(read, name, text):
    with pytest.raises(StageError, match=name):
        read(**{"intents.json": INTENTS, name: text})


def test_a_faulty_table_beside_a_good_one_is_an_error(read):
    with pytest.raises(StageError, match=r"b\.csv: .*never ends"):
        read(**{"a.csv": TABLE, "b.csv": 'text,intent\n"hi,greet\n'})


def test_if_nothing_is_usable_the_first_fault_is_the_error(read):
    with pytest.raises(StageError, match=r"prices\.csv: its first line is"):
        read(**{"prices.csv": "dish,price\n"})
