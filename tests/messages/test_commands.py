"""Mistakes on the command line that need more than a row: an earlier run, or a machine that refuses."""

import pytest

from engine import layout
from tests.messages.commands import write_files
from tests.messages.rows import has_word

PREDICTIONS = {
    "no_input": ([], "input", "predict", "input="),
    "no_such_input": (["input=no.mp4"], "input=no.mp4", "file or folder", "path"),
    "jpeg": (["input=.", "output=a/b.JPG"], "output=a/b.JPG", ".png", "output=a/b.png"),
    "no_predict": (
        ["input=."],
        "conf/usecases/packs.yaml: task",
        "use case",
        "predict: stages.",
    ),
}


@pytest.fixture
def refused(project, give):
    """Run a command that must exit with status 2, and return its error message."""
    write_files(project)

    def answer(words: list[str]) -> list[str]:
        said = give(*words)
        assert (said.status, said.out) == (2, "")
        return [line.strip().replace(str(project.path), "{here}") for line in said.err.splitlines()]

    return answer


def test_a_prediction_that_cannot_be_made(refused, give):
    assert give("usecase=packs").status == 0
    for words, place, wrong, way_out in PREDICTIONS.values():
        where, what, fix = refused(["predict", "usecase=packs", *words])
        assert (where, has_word(what, wrong), way_out in fix) == (place, True, True)


def test_the_defaults_of_a_target_are_reported_with_its_file(refused, project):
    (project.path / "conf" / "target").mkdir(exist_ok=True)
    (project.path / "conf" / "target" / "odd.yaml").write_text(
        "platform: linux/amd64\ndefaults: {}\n"
    )
    assert refused(["target=odd"])[:2] == [
        "conf/target/odd.yaml: defaults",
        "a list of choices is expected",
    ]


def test_the_page_of_a_server_is_the_servers(give):
    said = give("mlflow", "tracking=mlflow", "tracking.uri=http://host")
    assert said.status == 2
    assert said.err.splitlines() == [
        "tracking.uri",
        "  runs are recorded on a server, which has its own page",
        "  open http://host",
    ]


def test_no_address_is_printed_for_a_page_that_there_is_not(refused):
    refused(["mlflow", "tracking=mlflow", "tracking.uri=http://host"])


def test_a_run_that_two_beginnings_share(project, refused):
    names = [
        layout.new_run_dir(project.outputs, "chain", "x86_64", 1_800_000_000 + n) for n in range(2)
    ]
    for folder in names:
        (folder / "journal.jsonl").touch()
    assert refused(["status", "run=2027"])[:2] == ["run=2027", "2 runs begin with it"]


def test_a_name_that_another_run_has(refused, give, project):
    assert give("name=mine").status == 0
    where, what, fix = refused(["name=mine"])
    assert (where, project.last.name in what, "choose another" in fix) == ("name=mine", True, True)


def test_a_run_of_another_use_case(refused, give, project):
    assert give("usecase=packs", "name=mine").status == 0
    assert refused(["predict", "run=mine", "input=."]) == [
        "run=mine",
        f"{project.last.name} (mine) is a run of packs on x86_64",
        "add usecase=packs target=x86_64",
    ]


def test_a_file_system_that_cannot_be_written(project, give, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system", str(project.outputs))

    monkeypatch.setattr(layout, "new_run_dir", refuse)
    said = give()
    assert said.status == 1
    assert (
        said.err
        == f"{project.outputs}\n  the operating system reports: Read-only file system\n  choose a writable "
        "folder: outputs=DIR\n"
    )


@pytest.mark.parametrize(
    "words",
    [["fail_fast=no"], ["until=a"], ["stage_packages=mystages"]],
    ids=lambda words: words[0],
)
def test_a_setting_may_be_written_as_people_do(give, words):
    assert give("plan", *words).status == 0


def test_a_data_folder_that_is_none_is_refused(refused):
    assert refused(["data=null"])[0] == "data=null"


def test_an_engine_behind_ssh_is_a_device(refused, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://pi@raspberry")
    assert refused(["executor=docker", "base=bootstrap"]) == [
        "ssh://pi@raspberry",
        "an engine on another machine cannot see this machine's folders",
        "set it as the target's device: target.device=ssh://user@host; or executor=local",
    ]
