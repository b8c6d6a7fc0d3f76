"""docs/serving.md: its rules are valid, and its lists are complete."""

import re
from pathlib import Path

import pytest

from engine import served
from stages.serving.events import rules_file
from stages.serving.events.rule import FIELDS
from stages.serving.events.topics import Topics
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
SETTING = rules_file.Setting(
    webhook_hosts=("hooks.example.org",), has_mqtt=True, has_snapshots=True, has_clips=True
)


def test_the_rules_are_valid(tmp_path: Path) -> None:
    (text,) = [one for one in YAML if "rules:" in one]
    (tmp_path / "rules.yaml").write_text(text)
    rules = rules_file.read(tmp_path / "rules.yaml", SETTING)
    assert [one.name for one in rules] == ["visitor", "fall", "stranger", "alone"]


@pytest.mark.parametrize("words", [rules_file.WHEN, FIELDS], ids=["conditions", "fields"])
def test_every_word_of_a_rule_is_explained(words: tuple[str, ...]) -> None:
    assert [one for one in words if f"`{one}`" not in GUIDE and f"`{{{one}}}`" not in GUIDE] == []


def test_the_files_for_a_device_are_listed() -> None:
    listed = re.search(r"lists it:\n\n((?:    .*\n)+)", GUIDE)
    assert listed
    names = listed[1].split()
    copied = {name for name in names for path in served.program_files() if _is_below(path, name)}
    assert copied == set(names)  # none that does not exist
    assert all(any(_is_below(path, name) for name in names) for path in served.program_files())


def _is_below(path: Path, name: str) -> bool:
    return path == Path(name) or Path(name) in path.parents


def test_every_topic_is_listed() -> None:
    topics = Topics("BASE")
    names = [topics.status, topics.event, topics.system, topics.state("NAME")]
    names += [topics.picture("NAME"), topics.rule("RULE"), topics.last("RULE")]
    assert [one for one in names if f"| `{one}` |" not in GUIDE] == []


def test_options_that_the_guide_mentions_exist() -> None:
    known = served.options().model_fields.keys() | set(served.OF_TARGET)
    mentioned = set(re.findall(r"`([a-z_]+)=", GUIDE)) - {"usecase"}
    assert mentioned - known == set()
