"""The order of a report's figures."""

from engine import figure_kinds
from engine.events import replay
from engine.report import charts


def test_pictures_curves_and_matrices_come_first_and_operators_last(events, make_job):
    events.start([make_job("score")]).started("score")
    for kind in ("op_graph", "table", "confusion_matrix", "picture_grid", "curves"):
        events.add("figure", stage="score", kind=kind, name="x", **figure_kinds.of(kind).EXAMPLE)
    found = charts.sections(replay(events.finished("score").done().events))
    assert [section.kind for section in found] == [
        "picture_grid",
        "curves",
        "confusion_matrix",
        "table",
        "op_graph",
    ]
    assert charts.kinds(found) == sorted(section.kind for section in found)


def test_a_curve_has_the_unit_of_its_metric(events, make_job):
    events.start([make_job("train")]).started("train")
    events.add("metric", stage="train", name="epoch_s", value=1.5, step=0)
    (section,) = charts.sections(replay(events.finished("train").done().events))
    assert "epoch_s (s)" in section.figures[0][1]
