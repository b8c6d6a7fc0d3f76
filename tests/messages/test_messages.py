"""The messages for mistakes: location, description and fix.

The rows of each subject are in the file with its name. Ten examples are checked word for word.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.messages import (
    cluster_data,
    clusters,
    commands,
    files,
    forms,
    functions,
    projects,
    usecases,
    values,
)
from tests.messages.elsewhere import ELSEWHERE
from tests.messages.rows import Site, Told, has_word, recorded

SUBJECTS = (
    forms.SUBJECTS
    | usecases.SUBJECTS
    | projects.SUBJECTS
    | functions.SUBJECTS
    | values.SUBJECTS
    | files.SUBJECTS
    | commands.SUBJECTS
    | cluster_data.SUBJECTS
    | clusters.SUBJECTS
)
ROWS = [(subject, row) for subject, one in SUBJECTS.items() for row in one.rows]
SOURCE_FILES = [ROOT / "run.py", *sorted((ROOT / "engine").rglob("*.py"))]
# ten of the messages, word for word
EXAMPLES = {
    ("usecase", "unknown_reference"): [
        "u.yaml: stages.b.inputs.number",
        "no stage makes 'a.date'",
        "did you mean 'a.data'?",
    ],
    ("usecase", "cycle"): [
        "u.yaml: stages.a.inputs.number",
        "these stages depend on one another: a -> b -> c -> a",
        "take one of these inputs from an earlier stage",
    ],
    ("usecase", "wrong_type"): [
        "u.yaml: stages.a.params.n",
        "'many' is not of type int",
        "write a value of type int",
    ],
    ("form", "unknown_key"): [
        "u.yaml: param",
        "there is no key 'param' here",
        "did you mean 'params'?",
    ],
    ("target", "device_port"): [
        "t.yaml: device",
        "70000 is not a port",
        "write a number between 1 and 65535",
    ],
    ("yaml", "tab"): [
        "{here}/f.yaml, line 2",
        "YAML does not allow a tab here",
        "indent with two spaces, one 'key: value' per line",
    ],
    ("fetch", "other_in_the_mirror"): [
        "{here}/mirror/m",
        "its sha256 is d9298a10d1b0..., but the asset's is ca9066873bf3...",
        "remove it, or replace it with https://x/m",
    ],
    ("command", "command"): [
        "run.py explian",
        "there is no such command",
        "did you mean 'explain'?",
    ],
    ("command", "no_run"): [
        "{here}/outputs",
        "there is no run here yet",
        "start one: python run.py usecase=chain target=x86_64",
    ],
    ("setting", "outputs_below_a_file"): [
        "outputs={here}/conf/usecases/chain.yaml",
        "it cannot be created: Not a directory",
        "choose a writable folder: outputs=DIR",
    ],
}


@dataclass(frozen=True, slots=True)
class Provoked:
    """The messages of all rows, or how they ended otherwise, and which calls created them."""

    told: Mapping[tuple[str, str], list[Told] | BaseException]
    sites: frozenset[Site]


@pytest.fixture(scope="module")
def provoked(tmp_path_factory: pytest.TempPathFactory) -> Provoked:
    """Every row, once."""
    told = {}
    with recorded() as sites:
        for subject, row in ROWS:
            told[subject, row] = _told(subject, row, tmp_path_factory.mktemp(row))
    return Provoked(told, frozenset(sites))


def _told(subject: str, row: str, folder: Path) -> list[Told] | BaseException:
    cause = SUBJECTS[subject].rows[row][0]
    try:
        return list(SUBJECTS[subject].provoke(cause, folder))
    except (Exception, pytest.fail.Exception) as error:
        return error


@pytest.mark.parametrize(("subject", "row"), ROWS)
def test_a_mistake_is_answered_with_its_place_and_the_fix(provoked, subject, row):
    told, (_, place, wrong, way_out) = provoked.told[subject, row], SUBJECTS[subject].rows[row]
    assert not isinstance(told, BaseException), repr(told)
    [(where, what, fix)] = told
    assert (where, has_word(what, wrong), way_out in fix) == (place, True, True), told


@pytest.mark.parametrize(("name", "lines"), EXAMPLES.items(), ids=[row for _, row in EXAMPLES])
def test_an_example_reads_so(provoked, name, lines):
    assert provoked.told[name] == [lines]


def test_two_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path):
    found = usecases.provoke(
        "  a: {uses: mystages.mak}\n  b: {uses: mystages.double, inputs: {numbr: a.data}}", tmp_path
    )
    assert [where for where, *_ in found] == [
        "u.yaml: stages.a.uses",
        "u.yaml: stages.b.inputs.numbr",
        "u.yaml: stages.b.inputs",
    ]


def _made() -> dict[Site, tuple[int, str]]:
    """Every call that creates a UserError: its last line, and its function."""
    found = {}
    for path in SOURCE_FILES:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                place = f"{path.relative_to(ROOT)}: {function.name}"
                for call in _calls(function):
                    found[Site(str(path), call.lineno)] = (call.end_lineno or call.lineno, place)
    return found


def _calls(function: ast.FunctionDef) -> list[ast.Call]:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == "UserError"]


def test_every_mistake_has_its_row(provoked):
    reached = {(site.file, site.line) for site in provoked.sites}
    without = [
        place
        for site, (end, place) in _made().items()
        if not any((site.file, line) in reached for line in range(site.line, end + 1))
    ]
    assert sorted(without) == sorted(place for place, _ in ELSEWHERE)


def test_the_mistakes_that_have_no_row_have_a_test():
    missing = []
    for place, test in ELSEWHERE:
        file, name = test.split("::")
        if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8"):
            missing.append((place, test))
    assert missing == []
