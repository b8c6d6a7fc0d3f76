"""Rules as users write them: what they mean, and what is said about mistakes."""

import json
from pathlib import Path

import pytest

from stages.serving.events.rule import Clip
from stages.serving.events.rules_file import Setting, read
from stages.serving.mistakes import Mistakes

SETTING = Setting(
    task="detect",
    labels=("person", "cat"),
    sources=("door", "garden"),
    webhook_hosts=("hooks.example",),
    has_mqtt=True,
    has_snapshots=True,
    has_clips=True,
)
VISITOR = """\
zones:
  step: [[0, 0.5], [0.5, 0.5], [0.5, 1], [0, 1]]
rules:
  visitor:
    when: {label: person, zone: step, min_score: 0.5, for: 5s}
    do: [event, snapshot, {clip: {before: 2s, after: 4}}, mqtt, {webhook: "https://hooks.example/x"}]
    text: "{label} at the {zone}"
    cool_down: 2m
"""


def mistakes(tmp_path: Path, text: str, setting: Setting = SETTING) -> list[list[str]]:
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(Mistakes) as caught:
        read(file, setting)
    found = [str(one).replace(f"{tmp_path}/", "").split("\n  ") for one in caught.value.mistakes]
    assert all(len(one) == 3 and all(one) for one in found)
    return found


def rule(tmp_path: Path, when: str, rest: str = "") -> str:
    return f"rules:\n  r:\n    when: {when}\n{rest}"


def test_a_rule_is_read_with_everything_it_can_say(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(VISITOR)
    (found,) = read(file, SETTING)
    assert found.name == "visitor"
    assert (found.when.for_s, found.when.min_score, found.when.leave_score) == (5, 0.5, 0.4)
    assert found.when.zone and found.when.zone.contains(0.2, 0.7)
    assert (found.do.snapshot, found.do.mqtt, found.do.clip) == (True, True, Clip(2, 4))
    assert found.do.webhooks == ("https://hooks.example/x",)
    assert found.cool_down_s == 120


def test_json_means_the_same(tmp_path: Path) -> None:
    yaml, plain = tmp_path / "r.yaml", tmp_path / "r.json"
    yaml.write_text("rules: {r: {when: {label: [cat, unknown], absent_for: 1h}, do: mqtt}}")
    plain.write_text(
        json.dumps(
            {
                "rules": {
                    "r": {"when": {"label": ["cat", "unknown"], "absent_for": "1h"}, "do": "mqtt"}
                }
            }
        )
    )
    assert read(yaml, SETTING) == read(plain, SETTING)


def test_the_message_is_exact(tmp_path: Path) -> None:
    assert mistakes(tmp_path, rule(tmp_path, "{label: persn}")) == [
        [
            "r.yaml, line 3: rules.r.when.label",
            "the model has no class 'persn'",
            "did you mean 'person'?",
        ]
    ]


def test_all_mistakes_are_reported_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        VISITOR.replace("step, min", "stp, min").replace("2m", "soon").replace("0.5, 1]", "5, 1]")
    )
    assert [where for where, _, _ in mistakes(tmp_path, text)] == [
        "r.yaml, line 2: zones.step",
        "r.yaml, line 5: rules.visitor.when.zone",
        "r.yaml, line 8: rules.visitor.cool_down",
    ]


WRONG = {  # file -> a word of the description, a word of the fix
    "rules: {r: {when: {label: person, fro: 5s}}}": ("'fro'", "'for'"),
    "rules: {r: {do: event}}": ("no condition", "when:"),
    "rules: {r: {when: {for: 5s}}}": ("no label", "label:"),
    "rules: {r: {when: {label: person, for: 5 days}}}": ("'5 days'", "5s"),
    "rules: {r: {when: {label: person, for: 1000h}}}": ("week", "shorter"),
    "rules: {r: {when: {label: person, for: true}}}": ("True", "5s"),
    "rules: {r: {when: {label: person, for: 1s, absent_for: 2s}}}": ("exclude", "remove"),
    "rules: {r: {when: {label: person, count: 0}}}": ("above 0", "1, 2"),
    "rules: {r: {when: {label: person, min_score: 50}}}": ("0 to 1", "0.6"),
    "rules: {r: {when: {label: person, min_score: 0.3, leave_score: 0.4}}}": ("above", "lower"),
    "rules: {r: {when: {label: person, source: dor}}}": ("'dor'", "'door'"),
    "rules: {r: {when: {label: person, zone: x}}}": ("no zone 'x'", "there are none"),
    "rules: {r: {when: {label: [[1]]}}}": ("not a label", "label"),
    "rules: {r: {when: {label: person}, do: sing}}": ("'sing'", "choose one"),
    "rules: {r: {when: {label: person}, do: [{clip: {before: 1h}}]}}": ("not possible", "60s"),
    "rules: {r: {when: {label: person}, do: [{webhook: 'ftp://hooks.example'}]}}": (
        "not an",
        "https",
    ),
    "rules: {r: {when: {label: person}, do: [{webhook: 'http://a b/'}]}}": (
        "not an address",
        "https",
    ),
    "rules: {r: {when: {label: person}, do: [{webhook: 'http://hooks.example:x'}]}}": (
        "not an",
        "https",
    ),
    "rules: {r: {when: {label: person}, do: [{webhook: 'http://169.254.169.254/'}]}}": (
        "allowed",
        "webhook_hosts=",
    ),
    "rules: {r: {when: {label: person}, do: [{webhook: 'http://u:p@hooks.example'}]}}": (
        "password",
        "remove",
    ),
    "rules: {r: {when: {label: person}, text: '{label.__class__}'}}": ("__class__", "label"),
    "rules: {r: {when: {label: person}, text: [1]}}": ("one line", "line of text"),
    "rules: {r: {when: {label: person}, cool_down: -1s}}": ("'-1s'", "5s"),
    "rules: {'../x': {when: {label: person}}}": ("not a name", "letters"),
    "rules: {a b: {when: {label: cat}}, a-b: {when: {label: cat}}}": ("the same", "change"),
    "zones: {a: [[0, 0], [1, 1]]}": ("3 to", "corners"),
    "zones: {a: [[0, 0], [1, 1], [2, 0]]}": ("[2, 0]", "corners"),
    f"zones: {{a: [[0, 0], [1, 1], [1{'0' * 400}, 0]]}}": ("[1000", "corners"),
    "zones: {a: [[0, 0], [1, 1], [.nan, .inf]]}": ("[nan, inf]", "corners"),
    "zones: {a: {polygon: [[0, 0], [1, 1], [1, 0]], source: x}}": ("no source", "door"),
    "zones: {a: 3}": ("not a mapping", "polygon"),
    "rules: {r: 3}": ("not a mapping", "when"),
    "rules: 3": ("not a mapping", "name:"),
    "rule: {}": ("'rule'", "'rules'"),
    "3": ("not a mapping", "rules"),
    "": ("not a mapping", "rules"),
    "rules: {}": ("no rules", "rule"),
    "rules: {r: {when: {label: cat}}, r: {when: {label: cat}}}": ("twice", "rename"),
    "rules: {r: {when: {label: !!python/name:os.system x}}}": ("not valid YAML", "indent"),
    "rules: [": ("not valid YAML", "indent"),
    "{": ("not valid JSON", "JSON"),
    "\x00": ("not valid YAML", "fix"),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_described_with_a_fix(tmp_path: Path, text: str) -> None:
    what_has, fix_has = WRONG[text]
    (_, what, fix), *_ = mistakes(tmp_path, text)
    assert what_has in what and fix_has in fix


@pytest.mark.parametrize(
    ("action", "option"),
    [
        ("snapshot", "snapshots_mb="),
        ("clip", "clips_mb="),
        ("mqtt", "mqtt="),
        ("{webhook: 'http://a/'}", "webhook_hosts="),
    ],
)
def test_an_action_that_is_off_is_refused_with_the_option(
    tmp_path: Path, action: str, option: str
) -> None:
    text = rule(tmp_path, "{label: any}", f"    do: [{action}]\n")
    ((_, _, fix),) = mistakes(tmp_path, text, Setting())
    assert option in fix


def test_a_zone_needs_a_task_with_boxes(tmp_path: Path) -> None:
    text = VISITOR.replace("person", "any")
    ((_, what, _),) = mistakes(
        tmp_path,
        text,
        Setting(
            "classify",
            webhook_hosts=("hooks.example",),
            has_mqtt=True,
            has_snapshots=True,
            has_clips=True,
        ),
    )
    assert "no boxes" in what


def test_aliases_cannot_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    ((_, what, _),) = mistakes(tmp_path, "\n".join(lines))
    assert "more than" in what


@pytest.mark.parametrize(("data", "word"), [(b"\xff\xfe", "UTF-8"), (b"#" * 1_000_001, "bytes")])
def test_a_file_that_is_no_text_or_too_large_is_refused(
    tmp_path: Path, data: bytes, word: str
) -> None:
    file = tmp_path / "r.yaml"
    file.write_bytes(data)
    with pytest.raises(Mistakes, match=word):
        read(file, SETTING)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Mistakes, match="No such file"):
        read(tmp_path / "absent.yaml", SETTING)
