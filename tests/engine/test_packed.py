"""The packed model that a command uses, and its task."""

import json

import pytest

from engine import packed
from engine.errors import UserError


@pytest.mark.parametrize(
    ("manifest", "task"),
    [({"v": 2, "task": "intents"}, "intents"), ({}, "activity"), ({"v": 1}, "activity")],
)
def test_the_manifest_names_the_task(tmp_path, manifest, task):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert packed.task(tmp_path) == task


@pytest.mark.parametrize("text", ["", "[", "[]", '{"v": 2}', "[" * 100_000])
def test_a_damaged_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match="the manifest is damaged"):
        packed.task(tmp_path)
