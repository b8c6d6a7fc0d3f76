"""What is checked before a server starts."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from stages.serving.checked import Packaged, check, read_package, size_of, state_of
from stages.serving.mistakes import Mistake, Mistakes, did_you_mean
from stages.serving.options import Options


def package(folder: Path, **manifest: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def options(**values: object) -> Options:
    return dataclasses.replace(Options(), **values)  # type: ignore[arg-type]


def test_the_manifest_names_package_task_and_labels(tmp_path: Path) -> None:
    package(tmp_path, v=2, task="detect", name="garden")
    (tmp_path / "labels.txt").write_text("person\ncat\n")
    assert read_package(tmp_path) == Packaged("garden", "detect", ("person", "cat"))


def test_version_1_had_one_task(tmp_path: Path) -> None:
    assert read_package(package(tmp_path, files={})).task == "activity"


@pytest.mark.parametrize("text", ["", "[]", "{}x", '{"v": 2}'])
def test_a_folder_that_is_no_package_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(Mistakes, match="not a packaged model"):
        read_package(tmp_path)


def test_the_state_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_of(Options(), "garden") == tmp_path / "raspberrypi-mlops" / "garden"
    assert state_of(options(state="/var/lib/x"), "garden") == Path("/var/lib/x")


@pytest.mark.parametrize("name", ["../../../etc", "/etc", "a/b", "\x1b[2J", "n" * 5000, ".."])
def test_the_name_of_a_package_leads_to_no_other_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Packages may come from anywhere."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = state_of(Options(), name)
    assert found.parent == tmp_path / "raspberrypi-mlops"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", found.name)


@pytest.mark.parametrize("given", ["certificate", "key"])
def test_half_a_pair_of_certificate_and_key_is_refused(tmp_path: Path, given: str) -> None:
    """The server would use its own certificate, and nobody would know."""
    package(tmp_path, v=2, task="detect")
    with pytest.raises(Mistakes, match=f"there is a {given}, but no"):
        check(tmp_path, options(**{given: "/etc/x.pem"}))


@pytest.mark.parametrize(("text", "size"), [("", None), ("1280x720", (720, 1280))])
def test_the_size_of_cameras_is_width_by_height(text: str, size: object) -> None:
    assert size_of(options(camera_size=text)) == size


@pytest.mark.parametrize("text", ["1280", "0x0", "1280 x 720", "axb"])
def test_another_size_is_refused(text: str) -> None:
    with pytest.raises(Mistakes, match="1280x720"):
        size_of(options(camera_size=text))


def test_rules_know_classes_sources_and_what_is_allowed(tmp_path: Path) -> None:
    package(tmp_path, v=2, task="detect")
    (tmp_path / "labels.txt").write_text("person\n")
    (tmp_path / "r.yaml").write_text(
        "rules: {r: {when: {label: person, source: door}, do: [snapshot, {webhook: 'http://H:1/'}]}}"
    )
    request = options(
        source=("door=0",),
        rules=str(tmp_path / "r.yaml"),
        snapshots_mb=1,
        webhook_hosts=("h:1",),
    )
    (rule,) = check(tmp_path, request).rules
    assert rule.do.snapshot and rule.do.webhooks == ("http://H:1/",)
    with pytest.raises(Mistakes, match="no source 'door'"):
        check(tmp_path, dataclasses.replace(request, source=("0",)))


def test_a_message_cannot_control_a_terminal() -> None:
    assert str(Mistake("a\x1b[2J", "b\nc", "d")) == "a\\x1b[2J\n  b\\nc\n  d"


def test_a_message_shows_no_password() -> None:
    said = str(Mistake("sorce=http://u:secret@h/?token=secret", "x", "y"))
    assert "secret" not in said and "sorce=http://***@h/" in said


def test_the_nearest_word_is_suggested_or_all_are_listed() -> None:
    assert did_you_mean("persn", ["person", "cat"]) == "did you mean 'person'?"
    assert did_you_mean("x", ["b", "a"]) == "choose one of: a, b"
    assert did_you_mean("x", []) == "there are none"
