"""`tag`: sets and removes tags of a run."""

import pytest

from engine import run_annotations


def test_tags_are_set_replaced_and_removed(ran, give):
    give("tag", "chain", "owner=ann", "q=a=b", "note=x")
    said = give("tag", "chain", "owner=bob", "q=")
    assert said.lines[1:] == ["tags: owner=bob, note=x"]
    assert run_annotations.read(ran.last).tags == {"owner": "bob", "note": "x"}


def test_a_key_of_the_command_line_is_no_tag(ran, give):
    give("tag", "chain", "owner=ann", f"outputs={ran.outputs}")
    assert run_annotations.read(ran.last).tags == {"owner": "ann"}


def test_a_word_without_a_value_is_refused(ran, give):
    said = give("tag", "chain", "good")
    assert (said.status, said.err.splitlines()[-1]) == (
        2,
        "  write good=VALUE; good= removes the tag",
    )


def test_without_a_run_it_says_how_to_write_one(ran, give):
    said = give("tag", "owner=ann")
    assert said.status == 2 and "write: python run.py tag RUN key=value" in said.err


@pytest.mark.parametrize("word", ["params.n=4", "name=four"])
def test_a_key_of_a_run_that_is_no_tag_is_refused(ran, give, word):
    said = give("tag", "chain", "owner=ann", word)
    assert said.status == 2 and said.err.startswith(word) and f"my.{word}" in said.err
    assert run_annotations.read(ran.last).tags == {}
