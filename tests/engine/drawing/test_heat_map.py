"""The heat map of two parameters."""

from xml.etree import ElementTree

from engine.drawing import heat_map

CELLS = {
    ("10", "0.1"): (0.5, "0.5"),
    ("20", "0.1"): (1.0, "1 (0.9 to 1)"),
    ("10", "0.2"): (0.0, "0"),
    ("20", "0.2"): (None, "failed"),
}


def drawn(cells=CELLS) -> ElementTree.Element:
    return ElementTree.fromstring(
        heat_map.draw(("epochs", "lr"), ["10", "20"], ["0.1", "0.2"], cells)
    )


def opacity(page: ElementTree.Element, title: str) -> float:
    group = next(one for one in page.iter("g") if one.findtext("title").startswith(title))
    return float(group.find("rect").get("style").partition(":")[2])


def test_the_shade_is_the_place_between_lowest_and_highest():
    page = drawn()
    shades = [
        opacity(page, f"epochs {a}, lr {b}")
        for a, b in (("10", "0.2"), ("10", "0.1"), ("20", "0.1"))
    ]
    assert shades == [0.08, 0.54, 1.0]


def test_a_cell_shows_its_number_and_on_pointing_all_that_is_known():
    titles = {one.findtext("title"): one.findtext("text") for one in drawn().iter("g")}
    assert titles["epochs 20, lr 0.1: 1 (0.9 to 1)"] == "1"
    assert titles["epochs 20, lr 0.2: failed"] == "failed"


def test_equal_or_no_values_are_drawn_too():
    assert opacity(drawn({("10", "0.1"): (3.0, "3")}), "epochs 10") == 0.54
    assert opacity(drawn({("10", "0.1"): (float("nan"), "nan")}), "epochs 10") == 0.08
    assert len(list(drawn({}).iter("g"))) == 0


def test_text_is_escaped():
    assert "<b>" not in heat_map.draw(
        ("<b>", "y"), ["<b>"], ["<b>"], {("<b>", "<b>"): (None, "<b>")}
    )
