"""Which jobs have the same fingerprint, and how differences are reported."""

import json
import platform
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import check, spec
from engine.fingerprint import differences, environment, fingerprint
from engine.placement import Placement
from engine.signature import Library

PARTS = {
    "source": {"stages.demo.train": "a" * 64},
    "parameter": {"epochs": 3, "rate": 0.5},
    "input": {"data": "file:" + "b" * 64},
    "environment": {"python": "3.11.7", "platform": "linux/amd64"},
}
PLACE = Placement("linux/amd64", False, "x86_64")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


def test_a_fingerprint_is_64_hexadecimal_digits_and_stays_so_for_ever():
    assert fingerprint(PARTS) == "b76df5fb9ea00697e964d72ad567d96734ca9a50664ebba7d8b2e9bb111792c4"


@pytest.mark.parametrize("part", PARTS)
def test_every_part_changes_the_fingerprint(part):
    assert fingerprint({**PARTS, part: {**PARTS[part], "more": "x"}}) != fingerprint(PARTS)


def test_a_value_counts_in_the_part_where_it_stands():
    moved = {**PARTS, "source": {}, "input": {**PARTS["input"], **PARTS["source"]}}
    assert fingerprint(moved) != fingerprint(PARTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (None, "null"),
        (1, True),
        (0, False),
        ([1, 2], [2, 1]),
        ("", None),
        ("a b", ["a", "b"]),
    ],
)
def test_values_that_look_alike_differ(one, other):
    assert fingerprint({"parameter": {"x": one}}) != fingerprint({"parameter": {"x": other}})


@given(st.dictionaries(st.text(), VALUES, max_size=6), st.randoms())
def test_the_order_of_keys_does_not_count(values, chance):
    names = list(values)
    chance.shuffle(names)
    assert fingerprint({"parameter": values}) == fingerprint(
        {"parameter": {name: values[name] for name in names}}
    )


@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=4), VALUES)
def test_any_other_value_is_another_fingerprint(values, value):
    name = min(values)
    is_same = json.dumps(values[name]) == json.dumps(value)
    assert (
        fingerprint({"parameter": values}) == fingerprint({"parameter": {**values, name: value}})
    ) == is_same


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_parameter_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        fingerprint({"parameter": {"x": value}})


# --- stages


@pytest.fixture
def prints(project):
    """The fingerprints of stages `make` and `double`, whose sources are read anew."""

    def found(stages: str = "make") -> dict[str, str]:
        usecase = spec.read(
            {
                "name": "u",
                "stages": {name: {"uses": f"mystages.{name}"} for name in stages.split()},
            },
            "u",
        )[0]
        jobs = check.check(
            usecase, Library(["mystages"], [project.path]), lambda *_: PLACE, "u"
        ).jobs
        return {name: fingerprint(job.parts({})) for name, job in jobs.items()}

    return found


TWO = (
    "from engine.stage import Out\nfrom mystages._shared import N\ndef {name}(data: Out) -> None:\n  "
    '  """Write."""\n    data.write_text("{name}")\n'
)


@pytest.fixture
def three(project):
    """Two stages that share a helper, and one that does not."""
    project.stage("_shared", "N = 1\n")
    for name in ("one", "two"):
        project.stage(name, TWO.format(name=name))
    return project


def _after(three, prints, edited: str) -> set[str]:
    """Return the stages whose fingerprints an edit of this file changes."""
    before = prints("one two make")
    path = three.path / "mystages" / f"{edited}.py"
    path.write_text(path.read_text() + "# edited\n")
    after = prints("one two make")
    return {name for name in before if before[name] != after[name]}


def test_editing_a_stage_makes_no_other_stale(three, prints):
    assert _after(three, prints, "one") == {"one"}


def test_editing_a_shared_helper_makes_stale_what_imports_it(three, prints):
    assert _after(three, prints, "_shared") == {"one", "two"}


# --- this machine's environment


def test_the_environment_names_python_the_machine_and_what_is_imported():
    found = environment(frozenset({"pydantic", "json"}))
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["machine"] == f"linux {platform.machine()}"
    assert found["pydantic"][0].isdigit() and "json" not in found


def test_a_package_is_found_under_the_name_of_its_distribution():
    pytest.importorskip("PIL", reason="the extra 'runtime' is not installed")
    assert environment(frozenset({"PIL", "yaml"})).keys() >= {"PIL", "yaml"}
    assert "not installed" not in environment(frozenset({"PIL", "yaml"})).values()


def test_a_package_that_is_not_there_is_named_as_such():
    assert environment(frozenset({"no_such_package"}))["no_such_package"] == "not installed"


def test_a_program_that_is_brought_later_is_another_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = [environment(frozenset(), ["compiler"])["program compiler"]]
    for text in ("#!/bin/sh\n", "#!/bin/sh\n# newer\n"):
        (tmp_path / "compiler").write_text(text)
        (tmp_path / "compiler").chmod(0o755)
        found.append(environment(frozenset(), ["compiler"])["program compiler"])
    assert found[0] == "not installed" and len(set(found)) == 3


# --- differences


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("parameter", {"epochs": 5, "rate": 0.5}, ["parameter epochs: 3 -> 5"]),
        ("parameter", {"epochs": 3}, ["parameter rate: 0.5 -> none"]),
        ("parameter", {"epochs": 3, "rate": 0.5, "seed": 1}, ["parameter seed: none -> 1"]),
        (
            "source",
            {"stages.demo.train": "c" * 64},
            ["source stages.demo.train: aaaaaaaaaaaa -> cccccccccccc"],
        ),
        ("input", {"data": "file:" + "d" * 64}, ["input data: file:bbbbbbb -> file:ddddddd"]),
        (
            "environment",
            {"python": "3.12.1", "platform": "linux/amd64"},
            ["environment python: 3.11.7 -> 3.12.1"],
        ),
        (
            "environment",
            {},
            ["environment platform: linux/amd64 -> none", "environment python: 3.11.7 -> none"],
        ),
    ],
    ids=["changed", "gone", "new", "source", "input", "environment", "two"],
)
def test_each_difference_is_a_line(part, change, said):
    assert differences(PARTS, {**PARTS, part: change}) == said


def test_the_same_parts_differ_in_nothing():
    assert differences(PARTS, json.loads(json.dumps(PARTS))) == []


def test_a_long_value_is_shortened():
    [line] = differences({"parameter": {"x": "a" * 500}}, {"parameter": {"x": "b" * 500}})
    assert line == f"parameter x: {'a' * 60} -> {'b' * 60}"
