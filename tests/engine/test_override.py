"""Which override sets a key, and that a mistake is reported there."""

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


ODD = [
    "/my/vidéos",
    "/a(1)/b",
    "~/v",
    "a=b",
    "a'b",
    "#1",
    "a[b",
    '/a"b',
    "/a{b}",
    "/ä\\",
    'a\\"ä',
    "größe",
]


@pytest.mark.parametrize("value", ODD)
def test_text_that_the_grammar_does_not_take_is_quoted_and_shown_as_it_was_typed(value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    word = override.quoted(f"assets.x={value}")
    assert OverridesParser.create().parse_override(word).value() == value
    assert override.as_typed(word) == f"assets.x={value}" or value.endswith("\\") or '\\"' in value


@pytest.mark.parametrize(
    "word",
    ["n=1e-3", "n=5,10", "n=range(3)", "n=[1", 'n="q"', "n=${a}ü", "n=my videos", "~n", "--help"],
)
def test_what_the_grammar_takes_stays(word):
    assert override.quoted(word) == override.as_typed(word) == word


@pytest.mark.parametrize("word", ["params.net.depth=2", "params.net={depth: 2}"])
def test_a_plus_that_may_be_left_out_is_not_shown(word):
    assert override.as_typed(f"++{word}") == word
    mistake = UserError("u.yaml: params.net.depth", "what", "fix")
    assert override.located(mistake, [f"++{word}"]).where == word


def test_the_values_of_a_sweep_are_quoted_one_by_one_unless_they_are_one_path(tmp_path):
    assert override.quoted("x=/ä,/b") == 'x="/ä",/b'
    assert override.as_typed('x="/ä",/b') == "x=/ä,/b"
    (tmp_path / "a,b").touch()
    assert override.quoted(f"x={tmp_path}/a,b") == f'x="{tmp_path}/a,b"'


@pytest.mark.parametrize("value", ["x" * 5000, "~nobody-of-this-name/x"])
def test_the_values_of_a_sweep_may_be_impossible_paths(value):
    assert override.quoted(f"x={value},ä").replace('"', "") == f"x={value},ä"
