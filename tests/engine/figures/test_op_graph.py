"""The picture of a model's operators, parsed as XML."""

import re
import xml.etree.ElementTree as ET

import pytest

from engine.figures.op_graph import CELL_WIDTH, MOST_ABREAST, ROWS, Op, check, draw

EVIL = '<script>alert("1")</script>&'


def op(type: str, mapped: bool, reason: str | None = None) -> Op:
    return {"type": type, "mapped": mapped, "reason": reason}


def svg(ops: list[Op], edges: list[tuple[int, int]]) -> str:
    return draw({"nodes": ops, "edges": [list(edge) for edge in edges], "accelerator": "Edge TPU"})


def drawn(ops: list[Op], edges: list[tuple[int, int]]) -> ET.Element:
    return ET.fromstring(svg(ops, edges))[0]


def cells(tree: ET.Element) -> list[tuple[float, float]]:
    return [
        (float(group[1].attrib["x"]), float(group[1].attrib["y"])) for group in tree.findall("g")
    ]


def chain(count: int) -> tuple[list[Op], list[tuple[int, int]]]:
    return [op("CONV_2D", True)] * count, [(at, at + 1) for at in range(count - 1)]


def test_each_operator_says_where_it_runs_and_why():
    tree = drawn(
        [op("CONV_2D", True), op("CAST", False, "Operation not supported"), op("ABS", False)], []
    )
    assert [group[0].text for group in tree.findall("g")] == [
        "0 CONV_2D: Mapped to Edge TPU",
        "1 CAST: Operation not supported",
        "2 ABS: left to the CPU",
    ]
    assert [group[1].attrib["class"] for group in tree.findall("g")] == [
        "op-mapped",
        "op-left",
        "op-left",
    ]


def test_the_legend_counts():
    tree = drawn([op("A", True), op("B", True), op("C", False)], [])
    assert [text.text for text in tree.findall("text")] == ["Edge TPU: 2", "CPU: 1"]


def test_a_graph_of_an_earlier_version_does_not_name_the_accelerator():
    tree = ET.fromstring(draw({"nodes": [op("A", True)], "edges": []}))[0]
    assert [text.text for text in tree.findall("text")] == ["accelerator: 1", "CPU: 0"]
    assert tree.findall("g")[0][0].text == "0 A: Mapped to accelerator"


def test_an_operator_stands_below_what_it_reads():
    places = cells(drawn([op("A", True)] * 4, [(0, 1), (0, 2), (1, 3), (2, 3)]))
    assert [y for _, y in places] == sorted(y for _, y in places)
    assert places[1][1] == places[2][1]
    assert abs(places[1][0] - places[2][0]) >= CELL_WIDTH


@pytest.mark.parametrize("count", [1, ROWS, ROWS + 1, 267])
def test_no_two_operators_stand_on_one_another_however_many(count):
    places = cells(drawn(*chain(count)))
    assert len(set(places)) == count
    assert len({x for x, _ in places}) == -(-count // ROWS)


def test_a_wide_graph_goes_on_in_the_next_row():
    places = cells(drawn([op("A", True)] * 10, []))
    assert len({y for _, y in places}) == -(-10 // MOST_ABREAST)


def test_all_is_inside_the_drawing():
    tree = drawn(*chain(100))
    width, height = float(tree.attrib["width"]), float(tree.attrib["height"])
    assert all(0 <= x <= width - CELL_WIDTH and 0 <= y < height for x, y in cells(tree))


def test_an_edge_is_a_line_in_a_row_a_bow_past_rows_and_a_bend_between_columns():
    ops, edges = chain(ROWS + 1)
    paths = [path.attrib["d"] for path in drawn(ops, [*edges, (0, 5)]).findall("path")]
    assert len(paths) == ROWS + 1
    assert sum("C" in path for path in paths) == 2  # past rows 1 to 4, and into the second column


def test_edges_that_lead_back_are_left_out():
    assert drawn([op("A", True)] * 2, [(1, 0), (1, 1)]).findall("path") == []


@pytest.mark.parametrize("edge", [[0, 7], [-1, 0]])
def test_an_edge_to_an_operator_that_is_not_there_is_refused(edge):
    with pytest.raises(ValueError, match=r"^an edge refers to a node that does not exist"):
        check({"nodes": [op("A", True)] * 2, "edges": [edge]})


def test_nothing_that_a_model_says_is_markup():
    page = svg([op(EVIL, False, EVIL)], [])
    assert "<script" not in page
    assert ET.fromstring(page)[0].find("g")[0].text == f"0 {EVIL}: {EVIL}"


def test_a_long_name_is_cut_in_its_cell_only():
    page = svg([op("UNIDIRECTIONAL_SEQUENCE_LSTM", True)], [])
    assert re.search(r">0 UNIDIRECTIONAL_SEQUE<", page)
    assert "<title>0 UNIDIRECTIONAL_SEQUENCE_LSTM:" in page


def test_a_model_without_operators_is_drawn_as_its_legend():
    assert cells(drawn([], [])) == []
