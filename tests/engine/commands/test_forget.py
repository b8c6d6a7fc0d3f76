"""`forget`: what it removes, what it replaces, and what it leaves."""

import json
from pathlib import Path

import pytest

from engine import digest, layout, run_files
from engine.forgetting import words
from engine.mlflow import cursor as cursors
from engine.store import Store

MEMBERS = """
    from engine.stage import In, Out, note
    def members(who: In, data: Out) -> None:
        \"\"\"Read names.\"\"\"
        data.write_text(who.read_text())
        for name in who.read_text().split():
            note(f"left out: {name}/1.jpg")
            print(f"no face: {name}/1.jpg", flush=True)
"""
SIZE = """
    from engine.stage import In, Out
    def size(members: In, data: Out) -> None:
        \"\"\"Count letters: data of the members that do not name them.\"\"\"
        data.write_text(str(len(members.read_text())))
"""
PACK = """
    from engine.stage import In, Out
    def pack(members: In, size: In, package: Out) -> None:
        \"\"\"Pack the names.\"\"\"
        package.mkdir()
        (package / "names.txt").write_text(members.read_text())
"""
FORGET = """
    import json
    from typing import Annotated
    from engine.stage import In, Out, note
    from engine.stage.suffix import Suffix
    def forget(
        artifacts: In, found: Annotated[Out, Suffix(".json")], rewritten: Out, *, person: str
    ) -> None:
        \"\"\"Look for a name.\"\"\"
        rewritten.mkdir()
        names, holding, packages = set(), [], []
        for entry in sorted(artifacts.iterdir()):
            path = entry.resolve()
            there = (path / "names.txt" if path.is_dir() else path).read_text().split()
            names |= set(there)
            packages += [entry.name] * path.is_dir()
            if person in there:
                holding.append(entry.name)
            if person in there and path.is_dir():
                (rewritten / entry.name).mkdir()
                others = " ".join(one for one in there if one != person)
                (rewritten / entry.name / "names.txt").write_text(others)
        about = {"names": sorted(names), "holding": holding, "packages": packages}
        found.write_text(json.dumps(about))
"""
TEAM = """
    name: team
    forget: mystages.forget
    assets: {who: WHO}
    stages:
      members: {uses: mystages.members, inputs: {who: asset:who}}
      size: {uses: mystages.size, inputs: {members: members.data}}
      pack: {uses: mystages.pack, inputs: {members: members.data, size: size.data}}
      beside: {uses: mystages.make, params: {n: 5}}
"""
FORGETTING = ("forget", "usecase=team")


@pytest.fixture
def team(project, give):
    """The outputs of a run with alice and robert."""
    for name, source in (
        ("members", MEMBERS),
        ("size", SIZE),
        ("pack", PACK),
        ("forget", FORGET),
    ):
        project.stage(name, source)
    (project.path / "who.txt").write_text("alice robert")
    project.usecase("team", TEAM.replace("WHO", str(project.path / "who.txt")))
    assert give("usecase=team").status == 0
    return project


def _artifacts(project) -> list[str]:
    return sorted(
        str(path.relative_to(project.last / "artifacts"))
        for path in (project.last / "artifacts").rglob("*")
        if path.is_file()
    )


def _mentions(outputs: Path, name: str) -> list[Path]:
    found = [path for path in outputs.rglob("*") if path.is_file()]
    return [path for path in found if name.encode() in path.read_bytes() or name in str(path)]


def test_everything_computed_from_the_person_is_gone_and_the_package_is_replaced(team, give):
    done = give(*FORGETTING, "person=robert")
    assert done.status == 0
    assert _artifacts(team) == ["beside/data", "pack/package/names.txt"]
    assert (team.last / "artifacts/pack/package/names.txt").read_text() == "alice"
    assert _mentions(team.outputs, "robert") == []
    assert "left: " not in done.out and "not searched: devices" in done.out


def test_the_journal_names_the_new_package_so_that_clean_keeps_it(team, give):
    give(*FORGETTING, "person=robert")
    package = team.last / "artifacts/pack/package"
    named = team.state().stages["pack"].outputs["package"]
    assert named == digest.of(package)
    assert give("clean").status == 0
    assert Store(layout.store_dir(team.outputs)).is_whole(named)


def test_the_next_run_makes_only_what_was_removed(team, give):
    give(*FORGETTING, "person=robert")
    (team.path / "who.txt").write_text("alice")
    assert give("usecase=team").status == 0
    assert team.started() == ["members", "size", "pack"]
    assert _mentions(team.outputs, "robert") == []


def test_the_texts_of_the_run_have_no_name_but_stay_readable(team, give):
    give(*FORGETTING, "person=robert")
    state = team.state()
    notes = [f"left out: {one}/1.jpg" for one in ("alice", words.REMOVED)]
    assert state.stages["members"].notes == notes and state.damage == ""
    assert run_files.summary(team.last).is_complete
    log = (team.last / "logs/members.log").read_text()
    assert "alice" in log and words.REMOVED in log
    assert give("status", "usecase=team").status == 0


def test_a_dry_run_changes_nothing(team, give):
    def tree():
        every = sorted(path for path in team.outputs.rglob("*") if path.name != "lock")
        return [(path, path.lstat().st_mtime_ns) for path in every if path.is_file()]

    before = tree()
    done = give(*FORGETTING, "person=robert", "dry_run=true")
    assert done.lines[0] == "would be removed: 2 artifacts of 1 run"
    assert done.status == 0 and tree() == before


def test_a_name_that_is_nowhere_is_refused_with_the_nearest(team, give):
    done = give(*FORGETTING, "person=rupert")
    assert done.status == 2 and "did you mean 'robert'?" in done.err
    assert len(_artifacts(team)) == 4


@pytest.mark.parametrize(
    "word", ["left", "left out", "members", "data", "names.txt", "lice", "1.jpg"]
)
def test_a_word_of_the_program_is_no_person(team, give, word):
    assert give(*FORGETTING, f"person={word}").status == 2
    assert len(_artifacts(team)) == 4


def test_a_package_without_the_person_is_kept(team, give):
    team.stage(
        "members", MEMBERS.replace("data.write_text(who.read_text())", "data.write_text('alicia')")
    )
    give("usecase=team", f"outputs={team.path / 'other'}")
    team.outputs = team.path / "other"
    done = give(*FORGETTING, "person=robert")  # only notes name him
    assert done.status == 0 and _artifacts(team) == ["beside/data", "pack/package/names.txt"]
    assert _mentions(team.outputs, "robert") == []


def test_a_name_may_be_composed_in_another_way(team, give):
    (team.path / "who.txt").write_text("alice Zo\u00eb")
    give("usecase=team")
    assert give(*FORGETTING, "person=Zoe\u0308").status == 0
    assert _artifacts(team) == ["beside/data", "pack/package/names.txt"]
    assert _mentions(team.outputs, "Zo\u00eb") == []


def test_a_wrong_folder_of_outputs_is_refused_and_not_created(team, give):
    done = give(*FORGETTING, "person=robert", "outputs=outptus")
    assert done.status == 2 and "outputs=DIR" in done.err
    assert not (team.path / "outptus").exists()


def test_somebody_without_artifacts_is_removed_from_the_notes(team, give):
    team.stage("members", MEMBERS.replace("data.write_text(who.read_text())", "data.touch()"))
    give("usecase=team", f"outputs={team.path / 'other'}")
    team.outputs = team.path / "other"
    assert give(*FORGETTING, "person=robert").status == 0
    assert _mentions(team.outputs, "robert") == []


def test_the_users_own_pictures_and_other_files_are_named(team, give):
    (team.path / "photos/robert").mkdir(parents=True)
    (team.path / "photos/who.txt").write_text("alice robert")
    team.stage("members", MEMBERS.replace("who.read_text()", "(who / 'who.txt').read_text()"))
    give("usecase=team", "assets.who=photos")
    (team.last / "remark.txt").write_text("robert asked")
    done = give(*FORGETTING, "person=robert")
    left = [line for line in done.lines if line.startswith("left: ")]
    assert left[0].startswith("left: your pictures in photos/robert;")
    assert left[1].endswith("remark.txt still has the name") and len(left) == 2


def test_pictures_of_events_are_named(team, give):
    events = team.outputs / ".engine" / "serving" / "team" / "events"
    events.mkdir(parents=True)
    (events / "20261130-150000-0001-stranger-door.jpg").touch()
    done = give(*FORGETTING, "person=robert")
    (left,) = [line for line in done.lines if line.startswith("left: ")]
    assert "serving/team/events may show the person" in left


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_command_that_was_killed_can_be_repeated(team, give, monkeypatch, calls):
    remove, made = Store.remove, []

    def killed(*arguments):
        if len(made) == calls:
            raise KeyboardInterrupt
        made.append(arguments)
        return remove(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "remove", killed)
        assert give(*FORGETTING, "person=robert").status == 130
    assert give(*FORGETTING, "person=robert").status == 0
    assert _mentions(team.outputs, "robert") == []
    assert (team.last / "artifacts/pack/package/names.txt").read_text() == "alice"


def test_a_kill_between_two_folders_leaves_a_package_to_put_back(team, give, monkeypatch):
    rename, package = Path.rename, team.last / "artifacts/pack/package"

    def killed(path, target):
        if path.name == ".package.part":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        assert give(*FORGETTING, "person=robert").status == 130
    assert not package.exists()
    assert give(*FORGETTING, "person=robert").status == 0
    assert (package / "names.txt").read_text() == "alice"
    assert [path.name for path in package.parent.iterdir()] == ["package"]


def test_another_use_case_keeps_what_has_the_same_name(team, give):
    team.usecase(
        "others", (team.path / "conf/usecases/team.yaml").read_text().replace("team", "others")
    )
    (team.path / "robert.txt").write_text("robert")
    assert give("usecase=others", "assets.who=robert.txt").status == 0
    assert give(*FORGETTING, "person=robert").status == 0
    assert (team.last / "artifacts/members/data").read_text() == "robert"
    assert json.loads((team.last / "run.json").read_text())["status"] == "finished"


def test_a_run_with_a_damaged_journal_is_left_and_named(team, give):
    give("usecase=team", "force=[all]")
    first, second = team.runs
    (second / "journal.jsonl").write_text("no event\n")
    done = give(*FORGETTING, "person=robert")
    assert done.status == 0 and f"kept: outputs/team/x86_64/{second.name}: its journal" in done.out
    assert (first / "artifacts/pack/package/names.txt").read_text() == "alice"


def test_a_run_in_progress_is_not_disturbed(team, at_work, give):
    done = give(*FORGETTING, "person=robert")
    assert done.status == 2 and "a run is in progress" in done.err


def test_a_stage_that_fails_removes_nothing(team, give):
    failing = FORGET.replace("rewritten.mkdir()", "raise StageError('it is damaged')")
    team.stage("forget", failing.replace("In, Out, note", "In, Out, StageError"))
    done = give(*FORGETTING, "person=robert")
    assert done.status == 1 and "it is damaged" in done.err
    assert len(_artifacts(team)) == 4


def test_a_run_that_is_being_recorded_is_not_disturbed(team, give, monkeypatch):
    monkeypatch.setattr("engine.forgetting.removal.SENDER_S", 0.1)
    with cursors.held(team.last, 0) as is_mine:
        assert is_mine
        done = give(*FORGETTING, "person=robert")
    assert done.status == 2 and "still recording this run" in done.err
    assert len(_artifacts(team)) == 4
