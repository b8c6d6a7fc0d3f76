"""The drawing of the DAG: the order of rows, and escaping of names."""

import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from engine.drawing import picture
from engine.drawing.geometry import Box, Edge, Node, arrange, layers
from engine.errors import UserError
from engine.events import replay
from tests.run_events import EventBuilder, job

SVG = "{http://www.w3.org/2000/svg}"


def nodes(*names: str) -> list[Node]:
    return [Node(name) for name in names]


@pytest.fixture
def diamond() -> tuple[list[Node], list[Edge]]:
    edges = [
        Edge("top", "left"),
        Edge("top", "right"),
        Edge("left", "bottom"),
        Edge("right", "bottom"),
    ]
    return nodes("top", "left", "right", "bottom"), edges


@pytest.fixture
def forty_stages() -> tuple[list[Node], list[Edge]]:
    names = [f"s{i}" for i in range(40)]
    edges = [Edge(names[i // 2], names[i], "out") for i in range(1, 40)]
    return nodes(*names), [*edges, Edge("s0", "s39", "model"), Edge("s5", "s38", "model")]


def overlap(a: Box, b: Box) -> bool:
    return (
        a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    )


def test_a_stage_stands_below_all_that_it_reads(diamond):
    assert layers(*diamond) == [["top"], ["left", "right"], ["bottom"]]


def test_an_asset_stands_just_above_its_first_reader():
    edges = [Edge("a", "b"), Edge("b", "c"), Edge("asset:x", "c")]
    assert [sorted(row) for row in layers(nodes("a", "b", "c", "asset:x"), edges)] == [
        ["a"],
        ["asset:x", "b"],
        ["c"],
    ]


def test_crossed_edges_are_uncrossed():
    edges = [Edge("a", "z"), Edge("b", "y"), Edge("c", "x")]
    rows = layers(nodes("a", "b", "c", "x", "y", "z"), edges)
    partner = {"a": "z", "b": "y", "c": "x"}
    assert [partner[name] for name in rows[0]] == rows[1]


def test_no_two_boxes_touch(forty_stages):
    boxes = list(arrange(*forty_stages).boxes.values())
    assert not [1 for i, a in enumerate(boxes) for b in boxes[i + 1 :] if overlap(a, b)]


def test_every_box_and_line_is_inside_the_picture(forty_stages):
    plan = arrange(*forty_stages)
    ends = [point for route in plan.routes for point in route.points]
    ends += [(box.x + box.width, box.y + box.height) for box in plan.boxes.values()]
    assert all(0 <= x <= plan.width and 0 <= y <= plan.height for x, y in ends)


def test_a_line_only_ever_goes_down(forty_stages):
    for route in arrange(*forty_stages).routes:
        assert all(upper[1] < lower[1] for upper, lower in pairwise(route.points))


def test_a_graph_without_nodes_is_an_empty_picture():
    assert ElementTree.fromstring(picture.svg([], [])).tag == f"{SVG}svg"
    assert picture.text([], []) == ""


def test_the_svg_is_well_formed_and_names_every_stage(forty_stages):
    root = ElementTree.fromstring(picture.svg(*forty_stages))
    words = {text.text for text in root.iter(f"{SVG}text")}
    assert {f"s{i}" for i in range(40)} <= words


def test_a_name_cannot_write_markup():
    evil = "<script>a&b"
    root = ElementTree.fromstring(
        picture.svg([Node(evil), Node("z", ("<b>",))], [Edge(evil, "z", "<i>")])
    )
    assert not [tag for tag in ("script", "b", "i") if list(root.iter(f"{SVG}{tag}"))]


def test_the_svg_needs_nothing_from_elsewhere(diamond):
    drawn = picture.svg(*diamond).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in drawn and "@import" not in drawn and "<script" not in drawn


def test_the_svg_has_dark_colours_too(diamond):
    assert "prefers-color-scheme:dark" in picture.svg(*diamond)


def test_parallel_edges_become_one_with_both_labels():
    plan = arrange(
        nodes("split", "train"),
        [Edge("split", "train", "images"), Edge("split", "train", "labels")],
    )
    assert [route.edge.label for route in plan.routes] == ["images, labels"]


def test_the_png_is_a_png(diamond):
    pytest.importorskip("PIL", reason="the extra 'runtime' is not installed")
    assert picture.png(*diamond).startswith(b"\x89PNG\r\n")


def test_without_pillow_the_extra_is_named(diamond, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UserError, match="install the extra 'runtime'"):
        picture.png(*diamond)


def test_the_text_joins_rails(diamond):
    assert picture.text(*diamond).splitlines() == [
        "○    top",
        "├─●  left    ← top",
        "● │  right   ← top",
        "●─╯  bottom  ← left, right",
    ]


def test_the_text_has_a_line_for_each_node(forty_stages):
    drawn = picture.text(*forty_stages).splitlines()
    assert len(drawn) == 40
    assert max(map(len, drawn)) < 100


def test_a_run_is_drawn_with_the_assets_that_it_reads():
    jobs = [
        {"stage": "train", "inputs": {"data": "asset:images"}},
        {"stage": "test", "inputs": {"m": "train.model"}},
    ]
    assets = [{"key": "images", "name": "flowers"}, {"key": "unread", "name": "unread"}]
    state = replay([{"event": "run_started", "time": 0.0, "jobs": jobs, "assets": assets}])
    state.stages["train"].cached = True
    drawn, edges = picture.of_run(state)
    assert [(node.name, node.is_asset, node.cached) for node in drawn] == [
        ("asset:images", True, False),
        ("train", False, True),
        ("test", False, False),
    ]
    assert edges == [Edge("asset:images", "train"), Edge("train", "test", "model")]


def _drawn(inputs: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    """The edges of a run whose stages read these references."""
    jobs = [{"stage": name, "inputs": read} for name, read in inputs.items()]
    state = replay([{"event": "run_started", "time": 0.0, "jobs": jobs}])
    return [(edge.source, edge.target) for edge in picture.of_run(state)[1]]


def test_a_reference_to_all_values_is_an_edge_from_each():
    inputs = {"fit@a": {}, "fit@b": {}, "fitter": {}, "compare": {"models": "fit@*.model"}}
    assert _drawn(inputs) == [("fit@a", "compare"), ("fit@b", "compare")]


def test_a_value_with_a_dot_is_one_name():
    assert _drawn({"tidy@2.5": {}, "fit": {"data": "tidy@2.5.kept"}}) == [("tidy@2.5", "fit")]


def test_a_long_description_is_written_whole_in_several_lines(events_of_one):
    doc = "Compile each role's int8 model with `edgetpu_compiler` from PATH, for x86-64 Linux only."
    drawn = picture.svg(*picture.of_run(events_of_one(doc)))
    words = " ".join(one.text or "" for one in ElementTree.fromstring(drawn).iter(f"{SVG}text"))
    assert doc.replace("`", "") in words


@pytest.fixture
def events_of_one():
    """Make a run of one stage with this description."""
    return lambda doc: replay(EventBuilder().start([job("compile", doc=doc)]).events)
