"""How each spelling of a value is parsed, in a use case's file and on the command line: as itself, or as an
error that says how it was read and what to write.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import planning, spelling
from engine.errors import UserError

TYPED = """
from typing import Annotated, Literal
from engine.stage import Out
from engine.stage.bounds import Range
def typed(
    data: Out,
    *,
    count: Annotated[int, Range(ge=1)] = 1,
    rate: Annotated[float, Range(gt=0)] = 0.5,
    text: str = "a",
    flag: bool = False,
    size: Literal["small", "large"] = "small",
    steps: list[int] | None = None,
) -> None: ...
"""
PARAMS = {"count": 1, "rate": 0.5, "text": "a", "flag": "false", "size": "small", "steps": "null"}
LINES = {name: line for line, name in enumerate(PARAMS, 2)}
FILE = "conf/usecases/typed.yaml"


@pytest.fixture
def planned(asks, project):
    """Return the value of a parameter with these values in the file and words on the command line."""

    def plan(key, values=None, *words):
        project.stage("typed", TYPED)
        values = "\n".join(f"  {name}: {v}" for name, v in (PARAMS | (values or {})).items())
        given = "\n".join(f"      {name}: ${{params.{name}}}" for name in PARAMS)
        text = f"params:\n{values}\nstages:\n  s:\n    uses: mystages.typed\n    params:\n{given}\n"
        (project.path / FILE).write_text(text)
        request = asks("usecase=typed", "executor=local", "tracking=none", *words)
        return planning.plan(request).plan.jobs["s"].job.params[key]

    return plan


def _told(planned, *given) -> list[str]:
    """Return the three lines of the only mistake that this causes."""
    with pytest.raises((UserError, ExceptionGroup)) as caught:
        planned(*given)
    leaves = getattr(caught.value, "exceptions", [caught.value])
    return [line.strip() for leaf in leaves for line in str(leaf).splitlines()]


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("count", "5", 5),
        ("count", "+5", 5),
        ("rate", "2", 2.0),
        ("rate", "1e-3", 0.001),
        ("rate", "1E3", 1000.0),
        ("rate", ".5", 0.5),
        ("rate", "5.", 5.0),
        ("text", "2h", "2h"),
        ("text", "1.2.3", "1.2.3"),
        ("flag", "true", True),
        ("flag", "TRUE", True),
        ("steps", "[1, 2]", [1, 2]),
        ("steps", "null", None),
    ],
)
def test_a_value_is_the_same_in_a_file_and_on_the_command_line(planned, key, written, value):
    assert planned(key, {key: written}) == value
    assert planned(key, {}, f"params.{key}={written}") == value


INT = "write a value of type int >= 1"


@pytest.mark.parametrize(
    ("key", "written", "what", "fix"),
    [
        ("count", "5_882", "'5_882' is not a number here", "write 5882, or text in quotes: {}"),
        (
            "rate",
            "1_000.5",
            "'1_000.5' is not a number here",
            "write 1000.5, or text in quotes: {}",
        ),
        (
            "text",
            "2024_01",
            "'2024_01' is not a number here",
            "write 202401, or text in quotes: {}",
        ),
        (
            "rate",
            "1e999",
            "1e999 is too large for a number",
            "write a smaller number, or text in quotes: {}",
        ),
        ("count", "1e3", "1000.0 is not of type int", "write 1000"),
        ("count", "1.5", "1.5 is not of type int", INT),
        ("count", "0", "0 is not >= 1", INT),
        ("count", "five", "'five' is not of type int", INT),
        ("count", "5%", "'5%' is not of type int", INT),
        ("count", "null", "null is not of type int", f"{INT}; nothing is written here"),
        (
            "count",
            "true",
            "true is not of type int",
            f"{INT}; YAML reads yes, no, on and off as true and false",
        ),
        (
            "count",
            "[1, 2]",
            "[1, 2] is not of type int",
            f"{INT}, not a list; for a run with each of several values, write -m KEY=VALUE,VALUE",
        ),
        (
            "rate",
            "true",
            "true is not of type float",
            "write a value of type float > 0; YAML reads yes, no, on and off as true and false",
        ),
        ("text", "5", "5 is not of type str", "write it in quotes: {}"),
        ("flag", "1", "1 is not of type bool", "write true or false"),
        ("flag", "maybe", "'maybe' is not of type bool", "write true or false"),
        ("size", "medium", "'medium' is not one of the choices", "write 'small' or 'large'"),
        (
            "steps",
            "[1, a]",
            "[1, 'a'] is not of type list[int]",
            "write a value of type list[int] or None",
        ),
    ],
)
def test_a_mistake_is_the_same_in_a_file_and_on_the_command_line(planned, key, written, what, fix):
    in_file = _told(planned, key, {key: written})
    assert in_file[0].endswith((f"{FILE}: params.{key}", f"{FILE}, line {LINES[key]}"))
    assert in_file[1:] == [what, fix.format(f'"{written}"')]
    word = f"params.{key}={written}"
    quoted = f"'params.{key}=\"{written}\"'"
    assert _told(planned, key, {}, word) == [word, what, fix.format(quoted)]


@pytest.mark.parametrize(
    ("key", "written", "what", "fix"),
    [
        ("count", "010", "'010' is not a number here", 'write 10, or text in quotes: "010"'),
        ("count", "0x10", "'0x10' is not a number here", 'write 16, or text in quotes: "0x10"'),
        (
            "rate",
            "1:30",
            "'1:30' is not a number here",
            'write a decimal number, or text in quotes: "1:30"',
        ),
        (
            "rate",
            ".nan",
            "nan is not a finite number",
            'write a finite number, or text in quotes: "nan"',
        ),
        (
            "count",
            "2024-01-31",
            "'2024-01-31' is a date, which no key accepts",
            'write it in quotes: "2024-01-31"',
        ),
        ("count", '"5"', "'5' is not of type int", "write 5, without quotes"),
        (
            "count",
            "yes",
            "true is not of type int",
            f"{INT}; YAML reads yes, no, on and off as true and false",
        ),
        (
            "text",
            "on",
            "true is not of type str",
            'write it in quotes: "true"; YAML reads yes, no, on and off as true and false',
        ),
        ("count", "", "null is not of type int", f"{INT}; nothing is written here"),
        ("count", "''", "'' is not of type int", f"{INT}; nothing is written here"),
        ("rate", "0,5", "'0,5' is not of type float", "write 0.5"),
        ("rate", "1,500", "'1,500' is not of type float", "write a value of type float > 0"),
    ],
)
def test_a_value_that_yaml_alone_reads_so(planned, key, written, what, fix):
    where, *lines = _told(planned, key, {key: written})
    assert where.endswith((f"{FILE}: params.{key}", f"{FILE}, line {LINES[key]}"))
    assert lines == [what, fix]


@pytest.mark.parametrize(
    ("key", "written", "what", "fix"),
    [
        ("count", "010", "'010' is not of type int", "write 10"),
        ("count", "0x10", "'0x10' is not of type int", "write 16"),
        ("rate", "1:30", "'1:30' is not of type float", "write a value of type float > 0"),
        (
            "rate",
            "nan",
            "nan is not a finite number",
            "write a finite number, or text in quotes: 'params.rate=\"nan\"'",
        ),
        (
            "steps",
            "[1,1e999]",
            "1e999 is too large for a number",
            'write a smaller number, or text in quotes: "1e999"',
        ),
        (
            "steps",
            "[1,5_882]",
            "'5_882' is not a number here",
            "write 5882, or text in quotes: 'params.steps=\"[1,5_882]\"'",
        ),
        (
            "count",
            "2024-01-31",
            "'2024-01-31' is not of type int",
            f"{INT}; this looks like a date",
        ),
        ("count", '"5"', "'5' is not of type int", "write 5, without quotes"),
        ("rate", "'1e-3'", "'1e-3' is not of type float", "write 1e-3, without quotes"),
        ("count", "yes", "'yes' is not of type int", INT),
        ("flag", "yes", "'yes' is not of type bool", "write true"),
        ("flag", '"true"', "'true' is not of type bool", "write true, without quotes"),
        ("count", "", "'' is not of type int", f"{INT}; nothing is written here"),
    ],
)
def test_a_value_that_hydra_alone_reads_so(planned, key, written, what, fix):
    word = f"params.{key}={written}"
    assert _told(planned, key, {}, word) == [word, what, fix]


@pytest.mark.parametrize(
    "value", ["/data/5_882", "'5_882'", '"5_882"', "[a,'5_882']", "v5_882", "1__0"]
)
def test_text_with_digits_is_no_number_of_several_groups(value):
    assert spelling.grouped(value) is None


@pytest.mark.parametrize(("value", "number"), [("[1, 5_882]", "5_882"), ("1,1e1_0", "1e1_0")])
def test_a_number_of_several_groups_is_found_among_others(value, number):
    assert spelling.grouped(value) == number


@pytest.mark.parametrize("text", ["0b2", "1e999", "9" * 50, "0x", "", "-", "1.2.3"])
def test_what_is_no_number_means_none(text):
    assert spelling.number(text) is None


@given(st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_python_writes_it_is_decimal_and_means_itself(value):
    assert spelling.is_decimal(repr(value)) and spelling.number(repr(value)) == value
    assert spelling.grouped(repr(value)) is None


@given(st.text(max_size=30))
def test_any_text_is_looked_at_without_a_fault(text):
    spelling.number(text), spelling.grouped(text), spelling.too_large(text)
    assert spelling.advice(text, "a value", lambda value: value is None).startswith("write ")
