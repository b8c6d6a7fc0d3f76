"""Complete runs with wrong or malicious stages, damaged journals, and users who share a folder: a run ends,
and reports how.
"""

import json
import mmap
import os
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from engine import eventschema, journal, run_files
from engine.events import replay
from tests.conftest import Project

pytestmark = pytest.mark.slow
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="not root: there is no other user to be")
DOES = """
    import os, shutil, sys
    from pathlib import Path
    from engine.stage import Out, StageError, metric, note
    def only(data: Out, *, code: str) -> None:
        \"\"\"Do as the test says, then write the output.\"\"\"
        job = data.parents[1]
        exec(code, globals() | {"data": data, "job": job}, {})
        data.write_text("done")
"""
BESIDE = """
    import time
    from engine.stage import Out
    def beside(data: Out) -> None:
        \"\"\"Be at work while another stage misbehaves.\"\"\"
        time.sleep(1)
        data.write_text("whole")
"""


@pytest.fixture
def does(project):
    """Run stages that do this, by name, together with one that must not be affected.

    Return how run.py ended, and the run's state.
    """
    project.stage("only", DOES)
    project.stage("beside", BESIDE)

    def run(codes: dict[str, str], *words: str):
        stages = {
            stage: {"uses": "mystages.only", "params": {"code": code}}
            for stage, code in codes.items()
        }
        stages["other"] = {"uses": "mystages.beside"}
        project.usecase("one", json.dumps({"name": "one", "stages": stages}))
        result = project.run("usecase=one", *words)
        assert "Traceback" not in result.stderr, result.stderr
        return result, project.state()

    return run


# --- outputs


BAD_OUTPUTS = {
    "link_for_out": "shutil.rmtree(job / 'out'); os.symlink({private!r}, job / 'out'); sys.exit(0)",
    "unreadable": "data.touch(mode=0); sys.exit(0)",
    "fifo_for_out": "shutil.rmtree(job / 'out'); os.mkfifo(job / 'out'); sys.exit(0)",
    "link": "os.symlink({private!r} + '/data', data); sys.exit(0)",
    "deep": "top = data\nfor _ in range(300):\n    top.mkdir(); os.chdir(top); top = Path('d')\nsys.exit(0)",
}


def test_a_bad_output_fails_its_stage_alone_and_the_run_says_so(project, does, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "data").write_text("the host's own")
    (private / "data").chmod(0o600)
    codes = {
        stage: code.replace("{private!r}", repr(str(private)))
        for stage, code in BAD_OUTPUTS.items()
    }
    result, state = does(codes)
    assert result.returncode == 1 and state.stages.pop("other").state == "finished"
    kinds = {name: stage.failure and stage.failure["kind"] for name, stage in state.stages.items()}
    assert kinds == dict.fromkeys(BAD_OUTPUTS, "bad_output")
    found = json.loads((project.last / "run.json").read_text())
    assert (found["status"], (project.last / "report.html").is_file()) == ("failed", True)
    assert (private / "data").read_text() == "the host's own"
    assert [oct(path.stat().st_mode & 0o777) for path in (private, private / "data")] == [
        "0o700",
        "0o600",
    ]
    assert not list((project.store.root / "work").iterdir())


def test_an_artifact_that_is_written_through_a_mapping_between_two_runs_is_made_again(project):
    first = project.done()
    digest = first.stages["a"].outputs["data"]
    with project.store.path(digest).open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        kept = memory[:1]
        memory[:1] = b"X"  # neither synced nor closed
        second = project.done()
        assert {name: stage.cached for name, stage in second.stages.items()} == {
            "a": False,
            "b": True,
            "c": True,
        }
        assert project.artifacts() == project.artifacts(project.runs[0]) | {"a/data": digest}
        assert kept != b"X" and project.store.is_whole(digest)


def test_a_stage_that_removes_its_job_folder_fails_alone(project, does):
    result, state = does({"s": "shutil.rmtree(job); sys.exit(0)"})
    assert (result.returncode, state.stages["s"].state, state.stages["other"].state) == (
        1,
        "failed",
        "finished",
    )
    assert (project.last / "run.json").is_file() and not list(
        (project.store.root / "work").iterdir()
    )


# --- reports


NAME = "os.fsdecode(b'caf\\xe9.txt')"


NAMES = {  # of a stage, and how it ends
    "note": (f"note('left out: ' + {NAME})", "finished"),
    "stage_error": (f"raise StageError('cannot read ' + {NAME})", "failed"),
    "exception": (f"open({NAME} + '/x')", "failed"),
    "printed": (f"print({NAME}); print({NAME}, file=sys.stderr)", "finished"),
    "exit": (f"raise SystemExit({NAME})", "failed"),
    "output": (
        f"data.mkdir(); (data / {NAME}).touch(); os.symlink('x', data / ({NAME} + '2')); sys.exit(0)",
        "failed",
    ),
}


def test_a_file_name_that_is_not_utf_8_is_shown_and_ends_nothing(project, does):
    result, state = does({stage: code for stage, (code, _) in NAMES.items()}, "tracking=mlflow")
    assert state.stages.pop("other").state == "finished"
    ends = {stage: end for stage, (_, end) in NAMES.items()}
    assert (result.returncode, {name: stage.state for name, stage in state.stages.items()}) == (
        1,
        ends,
    )
    assert re.search(r"left out: caf(\\xe9|\\udce9|\ufffd|\?)", result.stdout), result.stdout
    for command in ("status", "logs"):
        shown = project.run(command, "usecase=one")
        assert (shown.returncode, shown.stderr) == (0, ""), shown.stderr
    assert (project.last / "report.html").read_text(encoding="utf-8")
    sent = project.run("sync", "tracking=mlflow", "usecase=one")
    assert sent.returncode == 0, sent.stdout + sent.stderr


REPORTS = {
    "no_name": "metric(123, 1.0, 0)",
    "nan": "metric('loss', float('nan'), 0)",
    "infinite": "metric('loss', 1e308 * 10, 2**70)",
    "long_name": "metric('x' * 5000, 1, 1)",
    "long_note": "note('x' * 10**6)",
    "note_of_7": "note(7)",
    "name_of_123": (
        'open(job / \'events.jsonl\', \'a\').write(\'{"event": "metric", "name": 123, "value": 1.0, '
        '"step": 0, "time": 1}\\n\')'
    ),
    "edge_to_nowhere": (
        'open(job / \'events.jsonl\', \'a\').write(\'{"event": "figure", "kind": "op_graph", "name": '
        '"g", "nodes": [], "edges": [[0, 9]], "time": 1}\\n\')'
    ),
    "many_digits": (
        'open(job / \'events.jsonl\', \'a\').write(\'{"event": "metric", "name": "a", "value": 1\' + '
        "'0' * 400 + ', \"step\": 0, \"time\": 1}\\n')"
    ),
}


def test_whatever_stages_report_the_run_and_one_that_takes_them_from_the_store_have_their_report(
    project, does
):
    for is_cached in (False, True):
        result, state = does(REPORTS)
        assert result.returncode == 0 and "warning" not in result.stderr, result.stderr
        assert {state.stages[stage].cached for stage in REPORTS} == {is_cached}
        report = (project.last / "report.html").read_text()
        assert "</html>" in report and [stage for stage in REPORTS if stage not in report] == []


# --- a damaged journal


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory):
    """An outputs folder with two complete runs."""
    made = Project(tmp_path_factory.mktemp("two"))
    made.done()
    made.done("params.n=2")
    return made.outputs


@pytest.fixture
def rotten(project, two_runs):
    """A folder with an intact run and one whose journal can be changed; return its path and content."""
    shutil.copytree(two_runs, project.outputs, symlinks=True)
    path = project.runs[0] / journal.FILE_NAME
    return path, path.read_bytes()


def _flip(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ (1 << bit % 8)]) + data[bit // 8 + 1 :]


def test_a_journal_with_any_bit_flipped_is_read_to_some_point_and_can_be_shown(rotten):
    path, whole = rotten
    chance = random.Random(8)
    damaged = 0
    for bit in chance.sample(range(len(whole) * 8), 3000):
        path.write_bytes(_flip(whole, bit))
        state = run_files.state(path.parent)
        damaged += bool(state.damage)
        run_files.write_contract(path.parent, state)
    assert damaged > 300


def test_events_with_any_value_changed_are_refused_or_replayed_and_shown(rotten, tmp_path):
    chance = random.Random(9)
    events = [json.loads(line) for line in rotten[1].splitlines()]
    odd = [
        None,
        True,
        -1,
        2**70,
        float("nan"),
        1e308,
        "",
        "x" * 300,
        "\udce9",
        [],
        {},
        [[]],
        {"a": None},
        [1],
        "b",
    ]
    for _ in range(2500):
        changed = json.loads(json.dumps(events))
        holder = chance.choice(changed)
        while isinstance(holder, dict | list) and holder:
            key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            if not isinstance(holder[key], dict | list) or chance.random() < 0.3:
                holder[key] = chance.choice(odd)
                break
            holder = holder[key]
        good = [event for one in changed if (event := eventschema.checked(one))]
        state = replay(good)
        run_files.write_contract(tmp_path, state)


DAMAGES = {
    "a bit": lambda whole: whole.replace(b'"job_finished"', b'"job_finishee"', 1).replace(
        b'"seq": 3', b'"seq": x', 1
    ),
    "unreadable bytes": lambda whole: b"\xff\n" * 10,
    "nothing": lambda whole: b"",
}


@pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
@pytest.mark.parametrize("damage", [*DAMAGES, "a FIFO", "a folder"])
def test_a_damaged_journal_is_told_of_its_run_alone(project, give, rotten, damage):
    path, whole = rotten
    if damage in DAMAGES:
        path.write_bytes(DAMAGES[damage](whole))
    else:
        path.unlink()
        os.mkfifo(path) if damage == "a FIFO" else path.mkdir()
    for command in (
        "clean",
        "status",
        f"status run={path.parent.name}",
        "explain stage=a",
        "logs",
        "run",
        "plan",
    ):
        said = give(*command.split())
        assert said.status == 0, f"{command}: {said}"
        if command == "clean" and damage != "nothing":
            assert path.parent.name in said.out and "journal" in said.out, said.out
    said = give("sync", "tracking=mlflow")
    assert said.status in (0, 1), said
    assert damage == "nothing" or (path.parent.name in said.out and "journal" in said.out), said.out
    assert path.parent.is_dir()


# --- a folder that is shared


OTHERS = [(40_001, 40_000), (40_002, 40_000)]  # user and group
"""Two users of one group, who need not be in /etc/passwd."""


@pytest.fixture
def shared(project):
    """A project readable by all, with a group's outputs folder, and runs by the group's users."""
    for path in [project.path, *project.path.parents][:-1]:
        if path.stat().st_uid == os.getuid() and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    project.outputs.mkdir()
    os.chown(project.outputs, 0, OTHERS[0][1])
    project.outputs.chmod(0o2775)

    def start(at: int, *words: str) -> "subprocess.Popen[str]":
        user, group = OTHERS[at]
        # Python may be installed where only root has access: allow reading, but not writing.
        become = [
            "setpriv",
            f"--reuid={user}",
            f"--regid={group}",
            "--clear-groups",
            "--inh-caps=+dac_read_search",
            "--ambient-caps=+dac_read_search",
            "--bounding-set=-all,+dac_read_search",
        ]
        return project.start(*words, before=become)

    return start


@pytest.mark.root
@NEEDS_ROOT
def test_two_users_of_a_group_run_and_clean_in_one_folder(project, shared):
    for at in (0, 1, 0):
        engine = shared(at, f"params.n={at}")
        out, err = engine.communicate(timeout=300)
        assert engine.returncode == 0, out + err
    for at in (1, 0):
        engine = shared(at, "clean", "clean.keep_last=1")
        out, err = engine.communicate(timeout=300)
        assert engine.returncode == 0 and "kept: 1 run" in out and "another user" not in out, (
            out + err
        )
    assert len(project.runs) == 1


@pytest.mark.root
@NEEDS_ROOT
def test_a_users_run_goes_on_after_another_users_engine_was_killed(project, shared):
    project.only_stage(
        "import time\nfrom engine.stage import Out\ndef only(data: Out, *, seconds: int) -> None:\n"
        "    import os; os.makedirs('a/b'); os.chmod('a', 0o555); time.sleep(seconds); "
        "data.write_text('done')\n",
        params={"seconds": 60},
    )
    engine = shared(0, "usecase=one")
    project.until(lambda: list(project.store.root.glob("work/*/s-1/cwd/a/b")))
    engine.kill()
    engine.communicate()
    project.until(lambda: not project.processes())
    project.only_stage(
        "from engine.stage import Out\ndef only(data: Out) -> None:\n    data.write_text('done')\n"
    )
    engine = shared(1, "usecase=one")
    out, err = engine.communicate(timeout=300)
    assert engine.returncode == 0, out + err


# --- leftovers


def test_what_a_killed_sweep_left_is_removed_by_the_next_run(project):
    project.done()
    gone = project.store.root / "work" / ".gone-0123"
    (gone / "s-1" / "cwd").mkdir(parents=True)
    (gone / "s-1" / "cwd" / "big").write_bytes(b"x" * 100_000)
    old = project.store.root / "work" / ".20260101-000000-000-abcd"
    old.mkdir()
    os.utime(old, (time.time() - 86400,) * 2)
    project.done()
    assert not list((project.store.root / "work").iterdir())
