"""Rules applied to updates: labels, zones, counts, hysteresis, absence, sources, text."""

from dataclasses import replace

import pytest

from stages.serving.events.rule import Rule, When, Zone, matching, written
from stages.serving.events.rules import Rules
from stages.serving.interfaces import Detection
from tests.stages.serving.fakes import detection, update

LEFT = Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
PERSON = When(frozenset({"person"}), forgive_s=0.0)


def states(rules: Rules, *frames: list[Detection], source: str = "door") -> list[tuple[int, str]]:
    """Return what happens at one frame per second, with the frame's number."""
    return [
        (n, one.state)
        for n, found in enumerate(frames)
        for one in rules.take(update(*found, source=source, frame=n), float(n))
    ]


def applied(
    when: When, *frames: list[Detection], cool_down_s: float = 0.0
) -> list[tuple[int, str]]:
    return states(Rules([Rule("r", when, cool_down_s=cool_down_s)]), *frames)


@pytest.mark.parametrize(
    ("wanted", "label", "is_found"),
    [
        ("person", "person", True),
        ("person", "cat", False),
        ("any", "cat", True),
        ("any", "unknown", False),
        ("unknown", "unknown", True),
    ],
)
def test_labels_are_matched(wanted: str, label: str, is_found: bool) -> None:
    found = matching(When(frozenset({wanted})), update(detection(label)), 0.0)
    assert bool(found) is is_found


def test_the_middle_of_the_lower_edge_decides_about_the_zone() -> None:
    when = replace(PERSON, zone=LEFT)
    feet_left = detection(box=[0, 0, 480, 600])  # x = 300 of 640
    feet_right = detection(box=[0, 100, 480, 640])
    assert matching(when, update(feet_left, feet_right), 0.0) == [feet_left]


def test_a_person_at_the_lower_edge_is_in_a_zone_that_reaches_it() -> None:
    assert matching(replace(PERSON, zone=LEFT), update(detection(box=[0, 0, 480, 10])), 0.0)


def test_what_has_no_box_is_in_no_zone() -> None:
    assert matching(replace(PERSON, zone=LEFT), update(detection(box=None)), 0.0) == []


def test_a_concave_zone_leaves_out_its_notch() -> None:
    zone = Zone("u", ((0, 0), (1, 0), (1, 1), (0.6, 1), (0.6, 0.4), (0.4, 0.4), (0.4, 1), (0, 1)))
    assert [zone.contains(x, 0.8) for x in (0.2, 0.5, 0.8)] == [True, False, True]


def test_while_an_event_lasts_a_lower_score_is_enough() -> None:
    when = replace(PERSON, min_score=0.6, leave_score=0.4)
    scores = [0.5, 0.7, 0.5, 0.3, 0.5]
    frames = [[detection(score=score)] for score in scores]
    assert applied(when, *frames) == [(1, "began"), (3, "ended")]


def test_several_things_can_be_required() -> None:
    two = [detection(), detection()]
    assert applied(replace(PERSON, count=2), [detection()], two, [detection()]) == [
        (1, "began"),
        (2, "ended"),
    ]


def test_absence_begins_after_its_duration_and_ends_with_presence() -> None:
    when = replace(PERSON, is_absence=True, for_s=2)
    assert applied(when, [detection()], [], [], [], [detection()]) == [(3, "began"), (4, "ended")]


def test_a_weak_detection_does_not_begin_absence_but_does_not_end_it() -> None:
    when = replace(PERSON, is_absence=True, min_score=0.6, leave_score=0.4)
    weak, strong = [detection(score=0.5)], [detection(score=0.7)]
    assert applied(when, weak, [], weak, strong) == [(1, "began"), (3, "ended")]


def test_sources_have_states_of_their_own() -> None:
    rules = Rules([Rule("r", PERSON, cool_down_s=100)])
    assert states(rules, [detection()], source="door") == [(0, "began")]
    assert states(rules, [detection()], source="garden") == [(0, "began")]


def test_a_rule_of_another_source_is_not_applied() -> None:
    rules = Rules([Rule("r", replace(PERSON, source="garden"))])
    assert states(rules, [detection()], source="door") == []


def test_a_zone_of_another_source_is_not_applied() -> None:
    rules = Rules([Rule("r", replace(PERSON, zone=replace(LEFT, source="garden")))])
    assert states(rules, [detection(box=[0, 0, 9, 9])], source="door") == []


def test_an_end_repeats_what_began() -> None:
    rules = Rules([Rule("r", PERSON, text="{label} {score}")])
    (began,) = rules.take(update(detection(score=0.9)), 0.0)
    (ended,) = rules.take(update(), 1.0)
    assert (ended.state, ended.text, ended.detection) == ("ended", "person 90%", began.detection)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "person in left for 5 s"),
        ("{label} at {source}: {score}", "person at door: 90%"),
        ("{count} x {rule} {state} {seconds} {zone}", "2 x r began 5 left"),
        ("{label.__class__} {0} {}", "{label.__class__} {0} {}"),  # refused by the file's checks
    ],
)
def test_a_text_is_a_template_without_code(text: str, expected: str) -> None:
    when = When(frozenset({"person"}), LEFT, for_s=5)
    assert written(Rule("r", when, text=text), "door", detection(), "began", 2) == expected
