"""Which override set a key, and a mistake is told there."""

import pytest

from engine import override
from engine.errors import UserError

WORDS = (
    "params.n=1",
    "+params.n=2",
    "stages.a.params={n: 3}",
    "target.platform=x",
    "target=rpi4",
    "executor.memory=9",
    "-m",
    "~params.m",
)


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("params.n", "+params.n=2"),
        ("params.n.0", "+params.n=2"),
        ("stages.a.params.n", "stages.a.params={n: 3}"),
        ("stages.a", None),
        ("params.m", None),
        ("params.nn", None),
    ],
)
def test_the_last_override_of_a_key_or_of_what_it_is_in(key, word):
    assert override.of(key, WORDS) == word


def test_the_value_of_a_key_is_that_of_its_own_override():
    assert override.value_of("params.n", WORDS) == "2"
    assert override.value_of("params.n.0", WORDS) is None


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("u.yaml: params.n", "+params.n=2"),
        ("u.yaml: params.other", "u.yaml: params.other"),
        ("conf/target/rpi4.yaml: platform", "target.platform=x"),
        ("executor=docker: memory", "executor.memory=9"),
        ("executor=docker: pids", "executor=docker: pids"),
        ("conf/target/rpi4.yaml: cpus", "conf/target/rpi4.yaml: cpus"),
        ("conf/usecases/u.yaml: platform", "conf/usecases/u.yaml: platform"),
        ("params.n", "params.n"),
    ],
)
def test_a_mistake_is_at_the_override_that_made_it(where, told):
    assert override.located(UserError(where, "what", "fix"), WORDS).where == told


def test_a_long_value_is_cut():
    word = "params.n=" + "9" * 500
    assert override.located(UserError("u.yaml: params.n", "what", "fix"), [word]).where == word[:89]


def test_text_is_quoted_for_the_shell_too():
    told = override.located(
        UserError("u.yaml: params.n", "w", 'or in quotes: "nan"'), ["params.n=nan"]
    )
    assert told.fix == "or in quotes: 'params.n=\"nan\"'"
    assert override.as_text("k", 'a"b') == '\'k="a\\"b"\''
