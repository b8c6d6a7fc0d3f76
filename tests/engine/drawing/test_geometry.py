"""The positions of boxes and lines, for any DAG. The picture of a small one is in test_picture.py."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.drawing import geometry
from engine.drawing.geometry import Box, Edge, Node, arrange, bend, layers
from tests.strategies import dags


def _drawn(dag, labels: str = "") -> tuple[list[Node], list[Edge]]:
    nodes = [Node(name, ("a line",) * (at % 3)) for at, name in enumerate(dag)]
    return nodes, [Edge(need, name, labels) for name, needs in dag.items() for need in needs]


def _overlap(a: Box, b: Box) -> bool:
    return (
        a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    )


@given(dags(most=12))
def test_every_node_has_one_row_below_all_that_it_reads(dag):
    rows = layers(*_drawn(dag))
    row_of = {name: at for at, row in enumerate(rows) for name in row}
    assert sorted(name for row in rows for name in row) == sorted(dag)
    assert all(row_of[need] < row_of[name] for name, needs in dag.items() for need in needs)


@settings(max_examples=50)
@given(dags(most=12), st.sampled_from(["", "data"]))
def test_no_two_boxes_touch_and_all_is_inside_the_picture(dag, label):
    plan = arrange(*_drawn(dag, label))
    assert plan.boxes.keys() == dag.keys()
    assert not any(_overlap(a, b) for a, b in combinations(plan.boxes.values(), 2))
    corners = [(box.x + box.width, box.y + box.height) for box in plan.boxes.values()] + [
        (box.x, box.y) for box in plan.boxes.values()
    ]
    assert all(
        0 <= x <= plan.width and 0 <= y <= plan.height
        for x, y in corners + [p for route in plan.routes for p in route.points]
    )


@settings(max_examples=50)
@given(dags(most=12))
def test_a_line_leaves_below_its_source_and_enters_above_its_target(dag):
    plan = arrange(*_drawn(dag))
    for route in plan.routes:
        source, target = plan.boxes[route.edge.source], plan.boxes[route.edge.target]
        (x0, y0), (x1, y1) = route.points[0], route.points[-1]
        assert source.x < x0 < source.x + source.width and y0 == source.y + source.height
        assert target.x < x1 < target.x + target.width and y1 == target.y
        assert all(upper[1] < lower[1] for upper, lower in pairwise(route.points))


@settings(max_examples=50)
@given(dags(most=10))
def test_no_label_lies_on_a_box_or_on_another_label(dag):
    plan = arrange(*_drawn(dag, "data"))
    half = len("data") * 3 + 3
    labels = [
        Box(x - half, y - 6, 2 * half, 12)
        for x, y in filter(None, (route.label_at for route in plan.routes))
    ]
    assert not any(_overlap(label, box) for label in labels for box in plan.boxes.values())
    assert not any(_overlap(a, b) for a, b in combinations(labels, 2))


@given(dags(most=12))
def test_the_same_graph_is_laid_out_in_the_same_way(dag):
    assert arrange(*_drawn(dag)) == arrange(*_drawn(dag))


@pytest.mark.parametrize(("words", "width"), [(1, geometry.NARROWEST), (400, geometry.WIDEST)])
def test_a_box_is_neither_too_narrow_nor_too_wide(words, width):
    assert arrange([Node("x" * words)], []).boxes["x" * words].width == width


def test_a_row_is_as_high_as_its_most_talkative_box():
    boxes = arrange([Node("a", ("1", "2", "3")), Node("b")], []).boxes
    assert boxes["a"].height == boxes["b"].height > arrange([Node("b")], []).boxes["b"].height


def test_a_long_edge_passes_the_rows_between_on_a_straight_rail():
    dag = {"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]}
    plan = arrange(*_drawn(dag))
    [rail] = [
        route.points
        for route in plan.routes
        if (route.edge.source, route.edge.target) == ("a", "d")
    ]
    assert len(rail) == 6 and rail[1][0] == rail[2][0] and rail[3][0] == rail[4][0]
    assert not any(
        box.x < rail[1][0] < box.x + box.width for name, box in plan.boxes.items() if name == "b"
    )


def test_two_long_edges_from_one_source_share_a_rail():
    dag = {"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"], "e": ["c", "a"]}
    rails = [
        route.points[1:3]
        for route in arrange(*_drawn(dag)).routes
        if route.edge.source == "a" and len(route.points) > 2
    ]
    assert len(rails) == 2 and rails[0] == rails[1]


def test_an_edge_without_a_word_has_no_place_for_one():
    assert arrange([Node("a"), Node("b")], [Edge("a", "b")]).routes[0].label_at is None


@given(st.floats(0, 1))
def test_a_bend_goes_down_between_its_ends(t):
    x, y = bend((10.0, 0.0), (50.0, 100.0), t)
    assert 10 - 1e-9 <= x <= 50 + 1e-9 and -1e-9 <= y <= 100 + 1e-9


def test_a_bend_begins_and_ends_at_its_ends():
    assert (bend((10.0, 0.0), (50.0, 100.0), 0), bend((10.0, 0.0), (50.0, 100.0), 1)) == (
        (10.0, 0.0),
        (50.0, 100.0),
    )


def test_a_chain_of_two_hundred_is_laid_out():
    dag = {f"s{at}": [f"s{at - 1}"] if at else [] for at in range(200)}
    assert len(layers(*_drawn(dag))) == 200
