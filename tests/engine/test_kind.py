"""The kinds of stages: found by file name; each is a field of a stage's model."""

from pathlib import Path

import pytest

from engine import kind
from engine.spec import StageSpec

ROOT = Path(__file__).resolve().parents[2]


def test_each_file_is_a_kind():
    assert set(kind.KEYS) == {path.stem for path in (ROOT / "engine" / "kinds").glob("[a-z]*.py")}


@pytest.mark.parametrize("key", kind.KEYS)
def test_each_kind_is_a_field_of_a_stage_with_its_description(key):
    field = StageSpec.model_fields[key]
    assert (field.annotation, field.description) == (
        kind.of(key).VALUE | None,
        kind.of(key).DESCRIPTION,
    )


def test_no_file_beside_the_kinds_asks_which_kind_a_stage_is():
    asking = [
        path.name
        for path in (ROOT / "engine").rglob("*.py")
        if any(f"spec.{key}" in path.read_text(encoding="utf-8") for key in kind.KEYS)
    ]
    assert asking == []
