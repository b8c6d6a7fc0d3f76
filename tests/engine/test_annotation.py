"""What a parameter's annotation accepts, and how it is described."""

import math

import pytest

from engine import annotation

EPOCHS = "Annotated[int, Range(ge=1)]"
RATE = "Annotated[float, Range(gt=0, lt=1)]"


@pytest.mark.parametrize(
    ("written", "value", "taken"),
    [
        ("int", 1, True),
        ("int", True, False),
        ("int", 1.5, False),
        ("int", "1", False),
        ("float", 1, True),
        ("float", 1.5, True),
        ("float", True, False),
        ("str", "x", True),
        ("str", 1, False),
        ("bool", True, True),
        ("bool", 1, False),
        ("int | None", None, True),
        ("int | None", "x", False),
        ("Literal['a', 'b']", "a", True),
        ("Literal['a', 'b']", "c", False),
        ("Literal[0, 1]", True, False),
        ("list[int]", [1, 2], True),
        ("list[int]", ["a"], False),
        ("tuple[int, str]", [1, "a"], True),
        ("tuple[int, str]", [1], False),
        ("dict[str, int]", {}, True),
        ("dict[str, int]", [], False),
    ],
)
def test_a_value_of_a_type(written, value, taken):
    assert (annotation.refusal(written, value) is None) is taken


@pytest.mark.parametrize(
    ("written", "value", "why"),
    [
        (EPOCHS, 1, None),
        (EPOCHS, 0, "is not >= 1"),
        (EPOCHS, 1.5, "is not of type int"),
        (RATE, 0.5, None),
        (RATE, 0, "is not > 0"),
        (RATE, 1.0, "is not < 1"),
        (RATE, math.nan, "is not > 0"),
        (f"{RATE} | None", None, None),
        (RATE.replace("float", "float | None"), None, None),
        (f"{RATE} | None", 2.0, "is not < 1"),
        (f"list[{EPOCHS}]", [1, 0], "is not of type list[int >= 1]"),
        ("Literal['a', 'b']", "c", "is not one of the choices"),
    ],
)
def test_a_value_beyond_its_bounds_is_refused_with_the_bound(written, value, why):
    assert annotation.refusal(written, value) == why


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (EPOCHS, "int >= 1"),
        (f"{RATE} | None", "float > 0 and < 1 or None"),
        ("Literal['a', 'b']", "'a' or 'b'"),
        ("list[int]", "list[int]"),
        (f"dict[str, {EPOCHS}]", "dict[str, int >= 1]"),
    ],
)
def test_an_annotation_is_described_with_its_bounds_and_choices(written, said):
    assert annotation.described(written) == said


def test_a_choice_is_wanted_by_its_values_and_a_number_by_its_type():
    assert annotation.wanted("Literal['a', 'b']") == "'a' or 'b'"
    assert annotation.wanted(EPOCHS) == "a value of type int >= 1"


def test_the_type_of_a_bounded_number_is_the_numbers():
    assert annotation.type_of(RATE) == "float"


@pytest.mark.parametrize(
    ("written", "schema"),
    [
        (EPOCHS, {"type": "integer", "minimum": 1}),
        (RATE, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        ("Annotated[int, Range(le=9)]", {"type": "integer", "maximum": 9}),
        ("str | None", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("Literal['a', 'b']", {"enum": ["a", "b"]}),
        (
            f"list[{EPOCHS}]",
            {"type": "array", "items": {"type": "integer", "minimum": 1}},
        ),
        ("tuple[int, int]", {"type": "array"}),
        ("dict[str, int]", {"type": "object"}),
        ("Any", {}),
    ],
)
def test_an_annotation_as_json_schema(written, schema):
    assert annotation.schema(written) == schema
