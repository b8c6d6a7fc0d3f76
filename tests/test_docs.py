"""The documentation is up to date: generated pages are fresh, every key is listed, links work, and schemas
match the files.
"""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

from engine import annotation, yamlfile

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("usecases/*.md"),
        *ROOT.glob("containers/**/*.md"),
    ]
)
COMMANDS = {path.stem for path in (ROOT / "engine" / "commands").glob("[a-z]*.py")}


@pytest.fixture(scope="module")
def made() -> ModuleType:
    """The script docs/reference.py."""
    place = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert place and place.loader
    module = importlib.util.module_from_spec(place)
    path = list(sys.path)
    try:
        place.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


def _keys(config: dict[str, object], prefix: str = "") -> list[str]:
    found = []
    for key, value in config.items():
        if key not in ("defaults", "hydra"):
            found += (
                _keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
            )
    return found


def test_the_reference_and_the_schemas_are_fresh(made):
    assert made.stale() == [], "run: make docs"


def test_the_reference_names_each_key_of_the_command_line():
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    keys = _keys(yamlfile.load(ROOT / "conf" / "config.yaml"))
    assert keys and [key for key in keys if f"| `{key}` |" not in page] == []


def _linked(page: Path) -> list[str]:
    """Return the paths that the page links to."""
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    own = [link for link in links if "://" not in link and not link.startswith(("#", "mailto:"))]
    return [link.partition("#")[0] for link in own]


def test_relative_links_resolve():
    links = [(page, link) for page in PAGES for link in _linked(page)]
    assert (
        links
        and [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
    )


def test_the_commands_that_pages_show_exist():
    shown = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"python run\.py ([a-z]+)(?=[\s`]|$)", text, re.MULTILINE)
        added = re.findall(r"`engine/commands/(\w+)\.py`", text)  # added by following the page
        shown |= {(page.name, command) for command in found if command not in added}
    assert shown and sorted(one for one in shown if one[1] not in COMMANDS) == []


def test_every_use_case_names_its_schema_at_its_head():
    files = sorted((ROOT / "usecases").glob("*.yaml"))
    first = {path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in files}
    assert set(first.values()) == {"# yaml-language-server: $schema=../conf/schema/usecase.json"}, (
        first
    )


@pytest.mark.parametrize("kind", ["usecase", "target", "asset"])
def test_the_schema_knows_each_top_level_key_of_the_files(made, kind):
    folder = ROOT / "usecases" if kind == "usecase" else ROOT / "conf" / kind
    known = made.schema(kind)["properties"].keys()
    assert [
        (path.name, key)
        for path in sorted(folder.glob("*.yaml"))
        for key in yamlfile.load(path)
        if key not in known
    ] == []


def test_the_schema_takes_what_a_writer_types_for_durations_sizes_and_references(made):
    stage = made.schema("usecase")["$defs"]["StageSpec"]["properties"]
    assert "string" in str(stage["timeout"]) and made.REFERENCE in stage["retries"]["anyOf"]


def _refused(kind: str, data: object) -> list[str]:
    """Return the locations that an editor marks as errors with the schema."""
    schema = json.loads((ROOT / "conf" / "schema" / f"{kind}.json").read_text(encoding="utf-8"))
    found = jsonschema.Draft202012Validator(schema).iter_errors(data)
    return sorted(".".join(map(str, error.absolute_path)) for error in found)


def _shipped() -> list[tuple[str, str, object]]:
    """Return the kind of schema, the name and the content of each file that has one."""
    folders = {"usecase": ROOT / "usecases"} | {
        kind: ROOT / "conf" / kind for kind in ("target", "asset")
    }
    found = [
        (kind, path.name, yamlfile.load(path))
        for kind, folder in folders.items()
        for path in sorted(folder.glob("*.yaml"))
    ]
    parts = [
        path for name in ("pipeline", "accelerator") for path in (ROOT / "conf" / name).glob("*")
    ]
    shared = [(path.name, {**yamlfile.load(path), "defaults": None}) for path in sorted(parts)]
    stages = [(name, {k: v for k, v in part.items() if v is not None}) for name, part in shared]
    return found + [("usecase", name, {"stages": part}) for name, part in stages]


def test_the_schemas_accept_what_ships():
    accepted = {name: _refused(kind, data) for kind, name, data in _shipped()}
    assert "pose_activity.yaml" in accepted and {k: v for k, v in accepted.items() if v} == {}


TRAIN = "stages.pose.train"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", "many"),
        ("learning_rate", 0),
        ("learning_rate", 1.5),
        ("dropout", 1),
        ("augment", 1),
        ("epoch", 1),
    ],
)
def test_the_schema_refuses_a_value_that_the_stage_refuses(key, value):
    stages = {"train": {"uses": TRAIN, "params": {key: value}}}
    place = "stages.train.params" + ("" if key == "epoch" else f".{key}")
    assert _refused("usecase", {"stages": stages}) == [place]


def test_the_schema_refuses_a_value_that_reaches_a_stage_by_its_reference():
    stages = {"train": {"uses": TRAIN, "params": {"epochs": "${params.epochs}"}}}
    assert _refused("usecase", {"params": {"epochs": 0}, "stages": stages}) == ["params.epochs"]
    assert _refused("usecase", {"params": {"epochs": 1}, "stages": stages}) == []
    stages["train"]["params"]["epochs"] = "${params.rounds}"
    assert _refused("usecase", {"params": {"epochs": 0}, "stages": stages}) == []


@pytest.mark.parametrize(("value", "refused"), [("int4", True), ("int8", False)])
def test_the_schema_knows_the_choices_of_a_stage(value, refused):
    stages = {"a": {"uses": "stages.edge.quantise", "params": {"input_type": value}}}
    assert bool(_refused("usecase", {"stages": stages})) is refused


def test_the_schema_leaves_stages_of_the_users_own_alone():
    stages = {"a": {"uses": "mystages.train", "params": {"epochs": 0}}}
    assert _refused("usecase", {"stages": stages}) == []


def test_the_schema_of_an_asset_knows_the_stage_that_makes_it():
    asset = yamlfile.load(ROOT / "conf" / "asset" / "activity_sample.yaml")
    asset["made_by"]["params"] = {"people": 0}
    assert _refused("asset", asset) == ["made_by"]


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("picture_sample", "alpha", 0), ("picture_sample", "size", 8), ("jhmdb", "dropout", 1.5)],
)
def test_the_schema_of_an_asset_bounds_what_it_sets_in_use_cases(name, key, value):
    asset = yamlfile.load(ROOT / "conf" / "asset" / f"{name}.yaml")
    asset["settings"]["params"] = {key: value}
    assert _refused("asset", asset) == [f"settings.params.{key}"]


def test_every_parameter_of_a_shipped_stage_is_explained_in_its_docstring(made):
    unexplained = [
        f"{name}: {key}"
        for name, contract in made.stage_reference.contracts().items()
        for key in contract.params
        if key not in made.stage_reference.meanings(contract.doc)
    ]
    assert unexplained == [], "write 'name: what it means' in the stage's docstring"


def test_a_docstring_explains_names_on_lines_of_their_own(made):
    doc = "Do it.\n\na, b: first\n      and second\nc:    third\n\nStageError: none. d: no name\n"
    assert made.stage_reference.meanings(doc) == {
        "a": "first and second",
        "b": "first and second",
        "c": "third",
    }


def test_the_schema_and_planning_refuse_the_same_values_of_shipped_stages(made):
    values = [-1, 0, 1, 2**40, 0.5, 1.5, True, None, "a", "int8", [], ["a"], [1], {}]
    parameters = [
        (f"{name}.{key}", one)
        for name, contract in made.stage_reference.contracts().items()
        for key, one in contract.params.items()
    ]
    assert [
        (name, value)
        for name, one in parameters
        for schema in [jsonschema.Draft202012Validator(annotation.schema(one.annotation))]
        for value in values
        if schema.is_valid(value) is not (one.refusal(value) is None)
    ] == []


def _shown_modules() -> list[tuple[str, str]]:
    """Return the complete Python modules in the how-to pages: location and text."""
    shown = re.compile(r"`([\w/.-]+\.py)`[^`]*?```python\n(.*?)```", re.DOTALL)
    return [
        (f"{page.name}: {name}", text)
        for page in sorted(ROOT.glob("docs/how-to/*.md"))
        for name, text in shown.findall(page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("where", "text"), _shown_modules(), ids=lambda value: value[:40])
def test_each_module_of_a_how_to_page_imports_what_it_uses(where, text):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "-"]
    found = subprocess.run(command, input=text, capture_output=True, text=True)
    assert found.returncode == 0, f"{where}\n{found.stdout}"
