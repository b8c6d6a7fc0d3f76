"""Cached requests: equal to what Hydra would compose now, or not used."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from engine import compose, layout, recall, registration
from engine.options import CommandOptions
from tests.conftest import ROOT

SAYS = """
import sys
from engine.cli import cli
status = cli(sys.argv[1:])
print(status, bool({"hydra", "networkx", "yaml"} & sys.modules.keys()))
"""


@pytest.fixture
def line(project):
    """Read a command line of the project, as `cli` does."""

    def read(*words: str):
        given = [
            "--config-dir",
            str(project.path / "conf"),
            "usecase=chain",
            "stage_packages=[mystages]",
        ]
        return registration.read([*given, f"outputs={project.outputs}", *words])

    (layout.store_dir(project.outputs)).mkdir(parents=True)
    return read


def _remembered(line, meanwhile=lambda: None):
    """Compose the line, remember it, and return its request."""
    entry = recall.entry_of(line)
    compose.prepare(line)
    made = compose.composition(line)
    meanwhile()  # the command runs
    recall.remember(entry, line, made.composed, made.request)
    return made.request


def _recalled(line):
    return recall.recall(recall.entry_of(line), line)


def test_what_is_recalled_is_what_was_composed(line):
    words = ("target=rpi4_coral", "fail_fast=true", "tracking=none")
    assert _recalled(line(*words)) is None
    made = _remembered(line(*words))
    assert _recalled(line(*words)) == made


def test_other_words_are_composed(line):
    _remembered(line())
    assert _recalled(line("fail_fast=true")) is None


def test_a_changed_use_case_is_composed_again(line, project):
    _remembered(line())
    project.usecase("chain", "stages: {a: {uses: mystages.make, params: {n: 7}}}")
    assert _recalled(line()) is None


def test_a_use_case_that_is_edited_during_the_run_is_composed_again(line, project):
    other = "stages: {a: {uses: mystages.make, params: {n: 7}}}"
    _remembered(line(), meanwhile=lambda: project.usecase("chain", other))
    assert _recalled(line()) is None


def test_a_changed_variable_that_yaml_may_name_is_composed_again(line, monkeypatch):
    _remembered(line())
    monkeypatch.setenv("RPI_DATA", "/elsewhere")
    assert _recalled(line()) is None


def test_data_that_a_user_adds_is_seen(line, project, monkeypatch):
    monkeypatch.chdir(project.path)
    _remembered(line())
    (project.path / "data" / "chain").mkdir(parents=True)
    (project.path / "data" / "chain" / "mine.csv").touch()
    assert _recalled(line()) is None


@pytest.mark.parametrize(
    "word", ["tracking.uri=http://me:secret@host", "tracking.experiment='${now:%S}'"]
)
def test_a_line_with_a_password_or_with_the_time_is_not_kept(line, project, word):
    _remembered(line(word))
    assert not list(layout.store_dir(project.outputs).glob("requests/*"))


def test_a_damaged_entry_is_composed_anew(line, project):
    _remembered(line())
    [entry] = layout.store_dir(project.outputs).glob("requests/*.json")
    text = entry.read_text()
    for damaged in ("", "[]", "{}", text[:-9], text.replace("chain", "chaim", 1), "[" * 100_000):
        entry.write_text(damaged)
        assert _recalled(line()) is None
    entry.unlink()
    os.mkfifo(entry)
    assert _recalled(line()) is None


def test_an_entry_of_other_outputs_is_not_obeyed(line, project):
    """Such an entry would redirect the run."""
    _remembered(line())
    [entry] = layout.store_dir(project.outputs).glob("requests/*.json")
    text = json.loads(entry.read_text())["text"].replace(str(project.outputs), "/elsewhere")
    whole = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}
    entry.write_text(json.dumps(whole))
    assert _recalled(line()) is None


def test_odd_things_among_the_use_cases_only_cost_the_recall(line, project):
    _remembered(line())
    (project.path / "conf" / "usecases" / ".#chain.yaml").symlink_to("nowhere")
    assert _recalled(line()) is None


def test_only_the_newest_entries_are_kept(line, project, monkeypatch):
    monkeypatch.setattr(recall, "MOST_ENTRIES", 2)
    for cpus in (1, 2, 3):
        _remembered(line(f"executor.cpus={cpus}"))
    assert len(list(layout.store_dir(project.outputs).glob("requests/*.json"))) == 2


def test_the_same_run_again_needs_no_hydra(project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    given = [
        "--config-dir",
        str(project.path / "conf"),
        "usecase=chain",
        "stage_packages=[mystages]",
    ]
    argv = [
        sys.executable,
        "-c",
        SAYS,
        *given,
        "tracking=none",
        "executor=local",
        f"outputs={project.outputs}",
    ]
    said = [
        subprocess.run(argv, cwd=project.path, capture_output=True, text=True) for _ in range(2)
    ]
    assert [one.stdout.splitlines()[-1].split()[:2] for one in said] == [
        ["0", "True"],
        ["0", "False"],
    ]


def test_a_command_with_a_private_option_is_not_cached(line):
    class Private(CommandOptions):
        IS_CACHED = False

    assert recall.entry_of(line()) is not None
    assert recall.entry_of(replace(line(), options=Private)) is None
