"""The search space: Hydra's sweep syntax as distributions."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from engine.errors import UserError
from engine.search import space


def read(*words: str) -> space.Space:
    return space.of(OverridesParser.create().parse_overrides(list(words)))


@pytest.mark.parametrize(
    ("value", "distribution"),
    [
        ("interval(0,1)", FloatDistribution(0, 1)),
        ("tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("int(interval(1,9))", IntDistribution(1, 9)),
        ("tag(log,int(interval(1,9)))", IntDistribution(1, 9, log=True)),
        ("range(5,30)", IntDistribution(5, 29)),  # as for Hydra, without its end
        ("range(1,10,4)", IntDistribution(1, 9, step=4)),
        ("range(10,1,-3)", IntDistribution(4, 10, step=3)),
        ("range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("tag(log,range(1,9))", IntDistribution(1, 8, log=True)),
        ("choice(64,128)", CategoricalDistribution(["64", "128"])),
        ("relu,tanh", CategoricalDistribution(["relu", "tanh"])),
        ("'a b',null", CategoricalDistribution(["'a b'", "null"])),
    ],
)
def test_each_sweep_is_a_distribution(value, distribution):
    assert read(f"params.x={value}").parameters == {"params.x": distribution}


def test_other_words_are_shared_by_all_jobs():
    found = read("usecase=one", "params.n=1,2", "~params.k", "+params.m=3")
    assert found.fixed == ("usecase=one", "~params.k", "+params.m=3")
    assert found.words({"params.n": "2"}) == [*found.fixed, "params.n=2"]


def test_the_last_word_for_a_key_counts():
    assert read("params.n=1,2", "params.k=1,2", "params.n=3").fixed == ("params.n=3",)
    assert read("params.n=3", "params.n=1,2").fixed == ()


def test_an_example_is_a_possible_job():
    example = read("a=1", "b=interval(2,3)", "c=range(4,9)", "d=x,y").example()
    assert example == ["a=1", "b=2.0", "c=4", "d=x"]


def test_a_grid_has_all_values():
    assert read("a=range(1,10,4)", "b=x,y").grid() == {"a": [1, 5, 9], "b": ("x", "y")}


@pytest.mark.parametrize(
    ("words", "where", "what"),
    [
        (["a=1"], "the command line", "nothing to search"),
        (["a=interval(2,1)"], "a=interval(2,1)", "low"),
        (["a=tag(log,interval(0,1))"], "a=tag(log,interval(0,1))", "log"),
        (["a=range(3,3)"], "a=range(3,3)", "empty"),
        (["a=tag(log,range(0.5,3,0.5))"], "a=tag(log,range(0.5,3,0.5))", "logarithmic"),
    ],
)
def test_an_impossible_space_is_refused(words, where, what):
    with pytest.raises(UserError) as caught:
        read(*words)
    assert caught.value.where == where and what in caught.value.what and caught.value.fix


def test_a_grid_of_an_interval_is_refused():
    with pytest.raises(UserError, match="grid"):
        read("a=interval(0,1)").grid()
