"""Errors that the user can fix, and the nearest valid word."""

import pytest

from engine.errors import UserError, did_you_mean, raise_all


def test_a_mistake_is_reported_in_three_lines():
    assert str(UserError("u.yaml: stages.a", "there is no such stage", "did you mean 'b'?")) == (
        "u.yaml: stages.a\n  there is no such stage\n  did you mean 'b'?"
    )


def test_a_line_stays_a_line_and_a_terminal_obeys_nothing_in_it():
    assert (
        str(UserError("u.yaml", "'a\nb\x1b[2J' is not a size", "write é"))
        == "u.yaml\n  'a\\nb\\x1b[2J' is not a size\n  write é"
    )


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("trian", ["train", "test"], "did you mean 'train'?"),
        ("train", iter(["train"]), "did you mean 'train'?"),
        ("x", ["train", "test"], "choose one of: test, train"),
        ("x", [], "there are none"),
        (
            "x",
            [f"stage{n:02d}" for n in range(20)],
            "choose one of: " + ", ".join(f"stage{n:02d}" for n in range(12)) + ", ...",
        ),
        ("", ["a"], "choose one of: a"),
    ],
    ids=["near", "same", "far", "none", "many", "empty"],
)
def test_the_nearest_word_is_named_or_all(word, known, said):
    assert did_you_mean(word, known) == said


def test_another_way_out_may_stand_in_for_the_list():
    assert did_you_mean("x", ["train"], "write stage.output") == "write stage.output"
    assert did_you_mean("trin", ["train"], "write stage.output") == "did you mean 'train'?"


def test_all_mistakes_are_raised_together_in_their_order():
    mistakes = [UserError(name, "", "") for name in "ba"]
    with pytest.raises(ExceptionGroup) as caught:
        raise_all(mistakes)
    assert list(caught.value.exceptions) == mistakes


def test_without_a_mistake_nothing_is_raised():
    assert raise_all([]) is None
