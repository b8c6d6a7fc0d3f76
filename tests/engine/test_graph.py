"""The DAG: references, cycles spelt out, order, priorities."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import graph as graphs
from engine.errors import UserError
from engine.graph import Reference


@pytest.fixture
def diamond():
    """a -> b, c -> d."""
    return graphs.build(
        "abcd", [("a", "b", "x"), ("a", "c", "x"), ("b", "d", "x"), ("c", "d", "y")]
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("train.model", Reference("train", "model")),
        ("asset:data", Reference(None, "data")),
        ("train", None),
        (".model", None),
        ("train.", None),
        ("a.b.c", None),
        ("", None),
    ],
)
def test_a_reference_is_stage_dot_output_or_an_asset(text, found):
    assert graphs.reference(text) == found


def test_a_cycle_is_named_stage_by_stage():
    cycle = graphs.build("abc", [("a", "b", "x"), ("b", "c", "x"), ("c", "a", "x")])
    [mistake] = graphs.cycles(cycle, "f.yaml")
    assert mistake.what == "these stages depend on one another: a -> b -> c -> a"
    assert mistake.where == "f.yaml: stages.a.inputs.x"


def test_a_stage_that_waits_for_itself_is_a_cycle():
    [mistake] = graphs.cycles(graphs.build("a", [("a", "a", "x")]), "f.yaml")
    assert mistake.what == "these stages depend on one another: a -> a"


def test_each_of_two_cycles_is_named():
    assert (
        len(
            graphs.cycles(
                graphs.build(
                    "abcd", [("a", "b", "x"), ("b", "a", "x"), ("c", "d", "x"), ("d", "c", "x")]
                ),
                "f",
            )
        )
        == 2
    )


def test_the_order_keeps_to_the_file_where_it_is_free(diamond):
    assert graphs.order(diamond) == ["a", "b", "c", "d"]


def test_the_longest_way_to_the_end_comes_first(diamond):
    assert graphs.priorities(diamond, {"b": 10.0}) == {"a": 12.0, "b": 11.0, "c": 2.0, "d": 1.0}


def test_until_keeps_what_is_needed(diamond):
    assert graphs.until(diamond, ["b"], "until") == {"a", "b"}


def test_until_an_unknown_stage_names_the_nearest():
    with pytest.raises(UserError, match=r"there is no stage 'trian'\n  did you mean 'train'\?"):
        graphs.until(graphs.build(["train"], []), ["trian"], "until")


def test_a_chain_of_a_thousand_stages_is_ordered():
    names = [f"s{at}" for at in range(1000)]
    chain = graphs.build(names, [(a, b, "x") for a, b in pairwise(names)])
    assert graphs.order(chain) == names and graphs.cycles(chain, "f") == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda e: e[0] < e[1])))
def test_every_stage_comes_after_what_it_needs(edges):
    graph = graphs.build(map(str, range(10)), [(str(a), str(b), "x") for a, b in edges])
    order = graphs.order(graph)
    assert all(order.index(str(a)) < order.index(str(b)) for a, b in edges)
