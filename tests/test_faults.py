"""Faults on one machine, with real processes: kills, a full disk, bit rot, two engines, malicious stages."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import digest, layout

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="not root: a tmpfs cannot be mounted")

STEP = """
    import os, time
    from engine.stage import In, Out, metric, progress
    def step(before: In | None, data: Out, *, n: int = 0, seconds: float = 0.2) -> None:
        \"\"\"Write a folder in several breaths.\"\"\"
        data.mkdir()
        for part in range(5):
            (data / f"{part}.bin").write_bytes(bytes([n, part]) * 5000 + (digest(before) if before else b""))
            progress(part + 1, 5)
            metric("part", part, part)
            time.sleep(seconds / 5)
    def digest(folder):
        import hashlib
        return b"".join(hashlib.sha256(p.read_bytes()).digest() for p in sorted(folder.iterdir()))
"""
STEPS = """
    name: steps
    params: {n: 0}
    stages:
      a: {uses: mystages.step, params: {n: "${params.n}"}}
      b: {uses: mystages.step, inputs: {before: a.data}, params: {n: 1}}
      c: {uses: mystages.step, inputs: {before: a.data}, params: {n: 2}}
      d: {uses: mystages.step, inputs: {before: b.data}, params: {n: 3}}
      e: {uses: mystages.step, inputs: {before: d.data}, params: {n: 4}}
"""
SLEEPER = """
    import time
    from engine.stage import Out
    def only(data: Out, *, marks: str = "", seconds: float = 60) -> None:
        \"\"\"Say that it runs, then sleep.\"\"\"
        open(marks, "a").write("x")
        time.sleep(seconds)
        data.write_text("done")
"""


@pytest.fixture
def steps(project):
    """Five small stages: a chain of four, and one separate stage."""
    project.stage("step", STEP)
    project.usecase("steps", STEPS)
    return project


def _committed(project) -> set[str]:
    """The fingerprints of the store's records; each record must be complete."""
    found = {path.stem for path in project.store.root.glob("actions/*/*.json")}
    assert all(project.store.find(fingerprint) for fingerprint in found), (
        "a record names what is not whole"
    )
    return found


def _assert_store_is_whole(project) -> None:
    for path in project.store.root.glob("objects/*/*/*"):
        assert digest.of(path) == f"{path.parent.parent.name}:{path.name}"


def _stage_process(project, engine: int) -> int | None:
    """The process of a running stage: a grandchild of the engine."""
    parents = {}
    for pid in project.processes():
        try:
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return next((pid for pid, parent in parents.items() if parents.get(parent) == engine), None)


# --- kill -9


def _goes_on(project, reference: dict[str, str]) -> None:
    """Repeat the command: everything committed is cached, the rest runs, and the result is the same as without
    the interruption.
    """
    committed = _committed(project)
    again = project.done("usecase=steps")
    assert {name for name, stage in again.stages.items() if stage.cached} == {
        n for n, s in again.stages.items() if s.fingerprint in committed
    }
    assert project.artifacts() == reference
    assert not list((project.store.root / "work").iterdir())
    _assert_store_is_whole(project)


def _until_it_has_said(project, events: int, engine) -> None:
    """Wait until the run's journal has this many events, or the run is over; a slow machine takes longer but
    gets there.
    """
    project.until(
        lambda: (
            engine.poll() is not None
            or sum(len(project.events(run)) for run in layout.runs(project.outputs)) >= events
        )
    )


def _kill_engine(project, events: int, wait_s: float, reference: dict[str, str]) -> bool:
    engine = project.start("usecase=steps")
    _until_it_has_said(project, events, engine)
    time.sleep(wait_s)
    engine.kill()
    engine.communicate()
    project.until(lambda: not project.processes())
    _goes_on(project, reference)
    return engine.returncode == -signal.SIGKILL


def _kill_stage(project, events: int, wait_s: float, reference: dict[str, str]) -> bool:
    engine = project.start("usecase=steps")
    _until_it_has_said(project, events, engine)
    time.sleep(wait_s)
    while (
        engine.poll() is None
    ):  # a stage may end between the look and the shot: then the next one is meant
        stage = _stage_process(project, engine.pid)
        try:
            if stage:
                os.kill(stage, signal.SIGKILL)
                break
        except ProcessLookupError:
            continue
    engine.communicate(timeout=300)
    if engine.returncode:
        failed = next(s for s in project.state().stages.values() if s.state == "failed")
        assert (failed.failure["kind"], failed.failure["message"]) == (
            "killed",
            "it was ended by signal 9",
        )
    _goes_on(project, reference)
    return engine.returncode == 1


def _steps_of(events) -> list[int]:
    """The number of events after each step of a run: a start, an end, the first report of a stage."""
    return [
        at
        for at, event in enumerate(events, 1)
        if event["event"] != "metric"
        and event.get("done", 1) == 1
        and event["event"] != "run_finished"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kill", [_kill_engine, _kill_stage], ids=["engine", "stage"])
def test_the_same_command_goes_on_after_a_kill_at_each_step(steps, kill):
    chance = random.Random(20)
    steps.done("usecase=steps")
    reference = steps.artifacts()
    instants = [(events, chance.uniform(0, 0.2)) for events in _steps_of(steps.events())]
    with ThreadPoolExecutor(3) as at_once:
        hits = list(
            at_once.map(
                lambda trial: kill(steps.beside(f"outputs{trial[0]}"), *trial[1], reference),
                enumerate(instants),
            )
        )
    assert len(hits) > 12 and sum(hits) > len(hits) / 2, "most kills must hit a run at work"


# --- hostile and broken stages


def _failure(project, *words: str) -> tuple[str, str]:
    """Run the use case `one` until it fails; return the kind and the message."""
    result = project.run("usecase=one", *words)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    failure = project.state().stages["s"].failure
    assert failure["message"] in " ".join((result.stdout + result.stderr).split())
    assert not list(project.store.root.glob("actions/*/*"))
    return failure["kind"], failure["message"]


BAD_STAGES = {  # name -> its code, the kind of its failure, and a word of the message
    "writes_nothing": ("pass", "bad_output", "'data'"),
    "links_to_a_file": ("data.symlink_to('/etc/passwd')", "bad_output", "data -> /etc/passwd"),
    "links_to_a_folder": ("data.symlink_to('/etc')", "bad_output", "data -> /etc"),
    "holds_a_link": (
        "data.mkdir(); (data / 'x').symlink_to('../../../..')",
        "bad_output",
        "data/x -> ../../../..",
    ),
    "holds_a_fifo": ("data.mkdir(); os.mkfifo(data / 'x')", "bad_output", "data/x"),
    "returns_nan": ("data.write_text('1'); return {'loss': float('nan')}", "failed", "loss = nan"),
    "returns_inf": ("data.write_text('1'); return {'loss': float('inf')}", "failed", "loss = inf"),
    "returns_text": ("data.write_text('1'); return {'loss': 'low'}", "failed", "loss = 'low'"),
    "returns_a_number": ("data.write_text('1'); return 3", "failed", "int"),
    "raises": (
        "raise StageError('the picture a.png is empty')",
        "failed",
        "the picture a.png is empty",
    ),
    "exits": ("os._exit(7)", "failed", "exit status 7"),
    "crashes": ("os.kill(os.getpid(), 11)", "killed", "signal 11"),
}


def test_a_broken_stage_leaves_a_clear_error_and_no_artifact(project):
    head = "import os\nfrom pathlib import Path\nfrom engine.stage import In, Out, StageError\n"
    for name, (body, *_) in BAD_STAGES.items():
        project.stage(name, f"{head}def {name}(data: Out) -> dict:\n    {body}\n")
    stages = {name: {"uses": f"mystages.{name}"} for name in BAD_STAGES}
    project.usecase("bad", json.dumps({"name": "bad", "stages": stages}))
    result = project.run("usecase=bad")
    assert result.returncode == 1 and "Traceback" not in result.stderr, result.stderr
    failures = {name: stage.failure for name, stage in project.state().stages.items()}
    shown = " ".join((result.stdout + result.stderr).split())
    for name, (_, kind, word) in BAD_STAGES.items():
        assert failures[name]["kind"] == kind and word in failures[name]["message"], failures[name]
        assert failures[name]["message"] in shown
    assert not list(project.store.root.glob("actions/*/*"))


def test_a_metric_that_the_signature_promises_and_the_stage_does_not_return_is_named(project):
    project.only_stage("""
        from typing import TypedDict
        from engine.stage import Out
        class M(TypedDict):
            loss: float
        def only(data: Out) -> M:
            data.write_text("1")
            return {}
    """)
    assert _failure(project) == ("bad_output", "the stage did not return its metric 'loss'")


@pytest.mark.parametrize("end", ["import sys; sys.exit(0)", "import os; os._exit(0)"])
def test_a_process_that_ends_before_its_stage_is_reported_as_such(project, end):
    project.only_stage(f"""
        from typing import TypedDict
        from engine.stage import Out
        class M(TypedDict):
            loss: float
        def only(data: Out) -> M:
            data.write_text("1")
            {end}
    """)
    kind, message = _failure(project)
    assert kind == "bad_output" and "'loss'; its process ended before the stage returned" in message
    assert "os._exit()" in message


def test_an_exception_of_a_stage_shows_the_last_lines_of_its_log(project):
    project.only_stage(
        "from engine.stage import Out\ndef only(data: Out) -> None:\n    print('so far so good'); 1 / 0\n"
    )
    result = project.run("usecase=one")
    assert "ZeroDivisionError: division by zero" in result.stdout + result.stderr


def test_an_input_that_changes_while_the_stage_runs_is_found_and_nothing_kept(project):
    mine = project.path / "mine.txt"
    mine.write_text("1")
    project.stage(
        "only",
        """
        from pathlib import Path
        from engine.stage import In, Out
        def only(before: In, data: Out, *, other: str) -> None:
            text = before.read_text()
            Path(other).write_text("2")
            data.write_text(text)
    """,
    )
    project.usecase(
        "one",
        f"""
        assets: {{mine: {mine}}}
        stages:
          s: {{uses: mystages.only, inputs: {{before: "asset:mine"}}, params: {{other: "{mine}"}}}}
    """,
    )
    assert _failure(project) == (
        "input_changed",
        "its input 'asset:mine' changed while it ran; its outputs were discarded: leave it as it is, "
        "and let the code of the stage write elsewhere",
    )


def test_a_stage_that_writes_into_its_input_spoils_nothing(project):
    project.stage(
        "only",
        """
        import os
        from engine.stage import In, Out
        def only(before: In, data: Out) -> None:
            os.chmod(before, 0o644)
            before.write_text("spoilt")
            data.write_text("1")
    """,
    )
    project.usecase(
        "one",
        "stages: {a: {uses: mystages.make}, s: {uses: mystages.only, inputs: {before: a.data}}}",
    )
    assert project.run("usecase=one").returncode == 1
    failure = project.state().stages["s"].failure
    assert failure["kind"] == "input_changed"
    project.usecase(
        "one",
        "stages: {a: {uses: mystages.make}, s: {uses: mystages.double, inputs: {number: a.data}}}",
    )
    state = project.done("usecase=one")
    assert state.metrics["s.total"] == 2
    _assert_store_is_whole(project)


# --- bit rot


def _objects(project) -> list[Path]:
    return [
        p
        for artifact in project.store.root.glob("objects/*/*/*")
        for p in ([artifact] if artifact.is_file() else artifact.rglob("*.bin"))
    ]


def _flip(path: Path, bit: int) -> None:
    """Flip one bit; size and modification time stay."""
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(facts.st_mode & 0o777)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("stage", ["a", "b", "c"])
def test_a_flipped_byte_in_a_stored_artifact_is_found_and_mended(project, stage):
    state = project.done()
    reference = project.artifacts()
    _flip(project.store.path(state.stages[stage].outputs["data"]), 3)
    again = project.done()
    assert [name for name, s in again.stages.items() if not s.cached] == [stage]
    assert project.artifacts() == reference
    _assert_store_is_whole(project)


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda path: (path.unlink(), path.symlink_to(path)),
    ],
    ids=["missing", "empty", "longer", "folder", "symlink", "loop"],
)
def test_a_stored_artifact_that_is_no_more_what_it_was_is_made_again(project, harm):
    state = project.done()
    reference = project.artifacts()
    place = project.store.path(state.stages["b"].outputs["data"])
    place.chmod(0o644)
    harm(place)
    again = project.done()
    assert [name for name, s in again.stages.items() if not s.cached] == ["b"]
    assert project.artifacts() == reference


def test_an_artifact_that_rots_while_the_run_goes_on_is_set_aside_and_made_again(project):
    project.stage(
        "rot",
        """
        import os, sys
        from pathlib import Path
        from engine.stage import In, Out
        def rot(number: In, data: Out, *, flag: str) -> None:
            data.write_text(number.read_text())
    """,
    )
    project.stage(
        "spoil",
        """
        import os
        from pathlib import Path
        from engine.stage import Out
        def spoil(data: Out, *, store: str, flag: str) -> None:
            \"\"\"Spoil what `a` made, once it has ended.\"\"\"
            if not Path(flag).exists():
                import time
                while not any('"job_finished"' in path.read_text() for path in Path(store).parent.glob("*/*/*/journal.jsonl")):
                    time.sleep(0.02)
                for path in Path(store).glob("objects/file/*/*"):
                    path.chmod(0o644)
                    path.write_text("9")
                Path(flag).touch()
            data.write_text("7")
    """,
    )
    flag = project.path / "flag"
    project.stage(
        "add",
        """
        from engine.stage import In, Out
        def add(x: In, y: In, data: Out) -> None:
            data.write_text(str(int(x.read_text()) + int(y.read_text())))
    """,
    )
    project.usecase(
        "one",
        f"""
        stages:
          a: {{uses: mystages.make, params: {{n: 5}}}}
          s: {{uses: mystages.spoil, params: {{store: "{project.store.root}", flag: "{flag}"}}}}
          sum: {{uses: mystages.add, inputs: {{x: a.data, y: s.data}}}}
    """,
    )
    project.done("usecase=one", "executor.cpus=2")
    assert (project.last / "artifacts" / "sum" / "data").read_text() == "12"
    assert project.started().count("a") == 2
    assert len(list((project.store.root / "corrupt").iterdir())) == 1


def test_a_record_that_names_another_jobs_fingerprint_is_not_believed(project):
    project.done()
    first, second, *_ = sorted(project.store.root.glob("actions/*/*.json"))
    text = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(text)
    reference = project.artifacts()
    again = project.done()
    assert sum(not s.cached for s in again.stages.values()) == 2
    assert project.artifacts() == reference


# --- a full disk


@pytest.fixture
def small_disk(project):
    """The outputs on a tmpfs of 1 MB."""
    project.outputs.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", project.outputs], check=True)
    yield project
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    subprocess.run(["umount", "-l", project.outputs], check=True)


FILLER = """
    from engine.stage import In, Out
    def only(data: Out, before: In | None = None, *, size: int) -> None:
        data.write_bytes(b"x" * size)
"""


@pytest.mark.root
@NEEDS_ROOT
def test_a_disk_that_a_stage_fills_is_reported_and_nothing_half_committed(small_disk):
    small_disk.stage("only", FILLER)
    small_disk.usecase(
        "one",
        "params: {size: 3000000}\nstages: {a: {uses: mystages.make}, s: {uses: mystages.only, inputs: "
        '{before: a.data}, params: {size: "${params.size}"}}}',
    )
    result = small_disk.run("usecase=one")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    failure = small_disk.state().stages["s"].failure
    assert failure["kind"] == "disk_full"
    assert "the disk is full" in result.stdout + result.stderr
    assert len(_committed(small_disk)) == 1
    assert not list((small_disk.store.root / "work").iterdir())
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk.outputs], check=True)
    again = small_disk.done("usecase=one")
    assert (again.stages["a"].cached, again.stages["s"].cached) == (True, False)


@pytest.mark.root
@NEEDS_ROOT
@pytest.mark.parametrize("left_kb", [0, 4, 8, 16, 24, 40, 64])
def test_a_disk_that_the_engine_itself_fills_is_reported_and_the_next_run_succeeds(
    small_disk, left_kb
):
    ballast = small_disk.outputs / "ballast"
    ballast.write_bytes(b"x" * ((1024 - left_kb) * 1024 - 8192))
    result = small_disk.run()
    if result.returncode:
        assert "Traceback" not in result.stderr, result.stderr
        assert "disk is full" in result.stdout + result.stderr
    _committed(small_disk)
    assert not small_disk.processes()
    ballast.unlink()
    small_disk.done()
    _assert_store_is_whole(small_disk)


@pytest.mark.strace
@pytest.mark.skipif(
    shutil.which("strace") is None, reason="there is no strace: a disk cannot be made to fail"
)
@pytest.mark.parametrize(
    ("call", "error"), [("renameat", "EIO"), ("fchmod", "EROFS"), ("fsync", "EIO")]
)
def test_a_disk_that_fails_while_outputs_are_stored_is_reported_as_such(project, call, error):
    failing = [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:error={error}:when=1",
    ]
    engine = project.start(
        before=failing
    )  # only the engine: its stages are children of other processes
    out, err = engine.communicate(timeout=300)
    assert engine.returncode == 1 and "Traceback" not in err, err
    failure = project.state().stages["a"].failure
    assert (
        failure["kind"] == "disk_error"
        and "reports an error" in failure["message"]
        and "the disk reports an error" in out
    )
    assert json.loads((project.last / "run.json").read_text())["status"] == "failed"
    project.done()


# --- two engines


def test_two_engines_at_once_do_each_stage_once_and_both_finish(steps):
    engines = [steps.start("usecase=steps") for _ in range(2)]
    for engine in engines:
        _, err = engine.communicate(timeout=300)
        assert engine.returncode == 0, err
    started = [stage for run in steps.runs for stage in steps.started(run)]
    assert sorted(started) == ["a", "b", "c", "d", "e"]
    assert steps.artifacts(steps.runs[0]) == steps.artifacts(steps.runs[1])


COUNTS = """
    import time
    from engine.stage import Out, checkpoint, durable_file
    def only(data: Out) -> None:
        saved = checkpoint() / "count"
        count = int(saved.read_text()) if saved.exists() else 0
        with durable_file(saved) as file:
            file.write(str(count + 1).encode())
        if count < {kills}:
            time.sleep(600)
        data.write_text(f"attempt {{count + 1}}")
"""


def test_a_stage_of_a_killed_engine_continues_from_its_checkpoint(project):
    project.only_stage(COUNTS.format(kills=2))
    for count in ("1", "2"):
        engine = project.start("usecase=one")
        project.until(lambda: count in [path.read_text() for path in _checkpoints(project)])  # noqa: B023
        engine.kill()
        engine.communicate()
        project.until(lambda: not project.processes())
    project.done("usecase=one")
    assert (project.last / "artifacts" / "s" / "data").read_text() == "attempt 3"
    assert not list((project.store.root / "checkpoints").iterdir())


def test_a_stage_that_timed_out_continues_from_its_checkpoint(project):
    project.only_stage(COUNTS.format(kills=1), timeout="3s", retries=1, retry_delay="0s")
    project.done("usecase=one")
    assert (project.last / "artifacts" / "s" / "data").read_text() == "attempt 2"


def _checkpoints(project) -> list[Path]:
    return list(project.store.root.glob("checkpoints/*/count"))


def test_the_second_engine_takes_over_from_a_first_that_is_killed(steps):
    first = steps.start("usecase=steps")
    steps.until(lambda: _stage_process(steps, first.pid))
    second = steps.start("usecase=steps")
    time.sleep(0.2)
    first.kill()
    first.communicate()
    _, err = second.communicate(timeout=300)
    assert second.returncode == 0, err
    _assert_store_is_whole(steps)


# --- time


ESCAPER = """
    import os, signal, subprocess, sys, time
    from engine.stage import Out
    def only(data: Out) -> None:
        \"\"\"Fork a grandchild that leaves the session, and ignore polite requests.\"\"\"
        signal.signal(signal.SIGTERM, signal.SIG_IGN) if {stubborn} else None
        subprocess.Popen([sys.executable, "-c", "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(120)"], start_new_session=True)
        time.sleep({sleep})
        data.write_text("1")
"""


def test_a_timeout_ends_the_whole_process_tree(project):
    project.only_stage(ESCAPER.format(stubborn=False, sleep=100), timeout="500ms")
    assert _failure(project) == (
        "timeout",
        "it did not end within its timeout of 0.5 s; to allow more time, add stages.s.timeout=1s",
    )
    project.until(lambda: not project.processes())


@pytest.mark.slow
def test_a_stage_that_ignores_the_request_to_end_is_killed_after_ten_seconds(project):
    project.only_stage(
        ESCAPER.format(stubborn=True, sleep=100), timeout="3s"
    )  # time enough to say that it ignores them
    assert _failure(project)[0] == "timeout"
    started, ended = (
        next(e["time"] for e in project.events() if e["event"] == kind)
        for kind in ("job_started", "job_failed")
    )
    assert 13 <= ended - started < 60
    project.until(lambda: not project.processes())


def test_what_an_ended_stage_leaves_running_is_ended(project):
    project.only_stage(ESCAPER.format(stubborn=False, sleep=0))
    project.done("usecase=one")
    project.until(lambda: not project.processes())


def test_a_retry_goes_on_after_a_failure_and_doubles_its_delay(project):
    flag = project.path / "flag"
    project.only_stage(
        f"""
        from pathlib import Path
        from engine.stage import Out, StageError
        def only(data: Out) -> None:
            flag = Path({str(flag)!r})
            tried = flag.read_text() if flag.exists() else ""
            flag.write_text(tried + "x")
            if len(tried) < 2:
                raise StageError("not yet")
            data.write_text(tried)
    """,
        retries=3,
        retry_delay="100ms",
    )
    state = project.done("usecase=one")
    assert state.stages["s"].attempt == 3
    assert [e["retry_in_s"] for e in project.events() if e["event"] == "job_failed"] == [0.1, 0.2]


# --- Ctrl-C


def _asked(project, *, ends: bool):
    """Start a stage that writes a mark when it runs (x) and at each request to end (y), and then ends, or not.

    Return the engine and the marks.
    """
    marks = project.path / "marks"
    handler = f"lambda *_: open(marks, 'a').write('y'){' and sys.exit(1)' if ends else ''}"
    project.only_stage(
        SLEEPER.replace(
            "open(", f"import signal, sys; signal.signal(signal.SIGTERM, {handler}); open("
        ),
        params={"marks": str(marks)},
    )
    engine = project.start("usecase=one")
    project.until(marks.exists)
    return engine, marks


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_stages_and_says_so(project, number):
    engine, marks = _asked(project, ends=True)
    engine.send_signal(number)
    _, err = engine.communicate(timeout=300)
    assert engine.returncode == 130 and "Traceback" not in err and marks.read_text() == "xy"
    state = project.state()
    assert (state.status, state.stages["s"].state) == ("interrupted", "failed")
    assert json.loads((project.last / "run.json").read_text())["status"] == "interrupted"
    assert not project.processes()


def test_an_interrupted_sweep_begins_no_further_job(project):
    marks = project.path / "marks"
    project.only_stage(SLEEPER, params={"marks": str(marks)}, retry_delay=1)
    engine = project.start("--multirun", "usecase=one", "stages.s.retry_delay=1,2,3")
    project.until(lambda: marks.exists() or engine.poll() is not None)
    engine.send_signal(signal.SIGINT)
    _, err = engine.communicate(timeout=300)
    assert engine.returncode == 130 and "Traceback" not in err
    assert len(project.runs) == 1


def test_a_second_interrupt_ends_a_stubborn_stage_at_once(project):
    engine, marks = _asked(project, ends=False)
    engine.send_signal(signal.SIGINT)
    project.until(lambda: "y" in marks.read_text())
    assert engine.poll() is None
    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=9)  # within the 10 s of grace
    assert engine.returncode == 130
    assert not project.processes()


WAITS = """
import sys, time
class Waits:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("waiting", flush=True)
            time.sleep(600)  # until the interrupt
sys.meta_path.insert(0, Waits())
"""


@pytest.mark.parametrize(
    "module",
    ["engine.compose", "hydra.main", "omegaconf", "yaml", "engine.settings", "engine.drive"],
)
def test_an_interrupt_before_the_command_begins_leaves_no_word(
    project, module, monkeypatch, tmp_path
):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WAITS.format(module=module))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))  # Python's own imports, before run.py
    engine = project.start()
    assert engine.stdout.readline() == "waiting\n"
    engine.send_signal(signal.SIGINT)
    out, err = engine.communicate(timeout=300)
    assert (engine.returncode, out, err) == (130, "", "")


# --- files and disks that disappear during a run

WAITER = """
    import os, time
    from engine.stage import In, Out
    def wait(number: In, data: Out, *, go: str) -> None:
        \"\"\"Wait until a file is there.\"\"\"
        open(f"{go}.here", "w").close()
        while not os.path.exists(go):
            time.sleep(0.05)
        data.write_text(number.read_text())
"""


@pytest.fixture
def waiting(project):
    """Damage the outputs while the stage `w` waits, let it continue, and return the ended run."""
    go = project.path / "go"
    project.stage("wait", WAITER)
    project.usecase(
        "waiting",
        f"""
        name: waiting
        stages:
          a: {{uses: mystages.make}}
          w: {{uses: mystages.wait, inputs: {{number: a.data}}, params: {{go: "{go}"}}}}
          after: {{uses: mystages.double, inputs: {{number: w.data}}}}
        """,
    )

    def run(harm):
        process = project.start("usecase=waiting")
        project.until(Path(f"{go}.here").exists)
        harm()
        go.touch()
        out, err = process.communicate(timeout=180)
        assert "Traceback" not in err, err
        assert not project.processes()
        return process.returncode, out, err

    return project, run


def test_a_run_whose_folder_is_removed_meanwhile_fails_and_the_same_command_resumes(waiting):
    project, run = waiting
    status, _, err = run(lambda: shutil.rmtree(project.last))
    assert status == 1
    assert "the run's journal was removed" in err and "leave the outputs folder alone" in err
    assert project.done("usecase=waiting").stages["a"].cached


def test_a_stage_whose_work_folder_is_removed_meanwhile_fails_and_the_run_is_recorded(waiting):
    project, run = waiting
    status, out, _ = run(
        lambda: [shutil.rmtree(path) for path in project.store.root.glob("work/*/w-1")]
    )
    assert status == 1 and "its work folder was removed while it ran" in out
    assert json.loads((project.last / "run.json").read_text())["status"] == "failed"
    assert project.done("usecase=waiting").stages["a"].cached


@pytest.mark.root
@NEEDS_ROOT
def test_a_disk_that_is_taken_away_during_a_run_is_told(waiting):
    project, run = waiting
    project.outputs.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", project.outputs], check=True)
    status, _, err = run(lambda: subprocess.run(["umount", "-l", project.outputs], check=True))
    assert status == 1 and "the run's journal was removed" in err
    assert not layout.runs(project.outputs), (
        "nothing that looks like a run is left below the mount point"
    )
    project.done("usecase=waiting")


@pytest.mark.root
@NEEDS_ROOT
def test_a_run_that_the_machine_ends_is_recorded_as_failed_with_the_reason(waiting):
    project, run = waiting
    places = []

    def harm():
        places.append(project.last / "artifacts")
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "nr_inodes=1", "tmpfs", places[0]], check=True
        )  # no file more

    try:
        status, _, err = run(harm)
    finally:
        subprocess.run(["umount", "-l", *places], check=True)
    assert status == 1 and "the disk is full" in err
    summary = json.loads((project.last / "run.json").read_text())
    assert summary["status"] == project.state().status == "failed"
    assert summary["notes"] == ["the run could not continue: No space left on device"]
    assert not {"running", "waiting"} & {stage["state"] for stage in summary["stages"].values()}
    assert (project.last / "report.html").exists()
    assert project.done("usecase=waiting").stages["w"].cached, "what was committed is not lost"


@pytest.mark.parametrize("kb", [1, 2, 4])
def test_a_limit_on_the_size_of_files_is_reported_with_its_remedy(project, kb):
    process = project.start(before=["bash", "-c", f'ulimit -f {kb}; exec "$@"', "limited"])
    _, err = process.communicate(timeout=180)
    assert "Traceback" not in err, err
    if process.returncode:
        assert process.returncode == 1
    project.done()


def test_a_command_in_a_deleted_folder_says_so(project, monkeypatch):
    monkeypatch.delenv(
        "PYTHONPATH", raising=False
    )  # Python itself cannot start with a relative one there
    gone = project.path / "gone"
    gone.mkdir()
    process = project.start(
        before=["bash", "-c", f'cd "{gone}" && rmdir "{gone}" && exec "$@"', "gone"]
    )
    _, err = process.communicate(timeout=180)
    assert process.returncode == 2
    assert err.splitlines()[:2] == ["the current folder", "  it was deleted"]


def test_an_input_that_another_stage_finds_damaged_fails_the_stage_that_reads_it(project):
    """`w` reads the output of `a`.

    `b`, which reads it too, finds it damaged when it starts: `a` runs again while `w` is running.
    """
    project.stage(
        "wait",
        """
        import os, time
        from engine.stage import In, Out
        def wait(data: Out, number: In | None = None, *, here: str, go: str) -> None:
            while os.path.exists(here) and not os.path.exists(go):
                time.sleep(0.05)
            open(here, "w").close()
            while number and not os.path.exists(go):
                time.sleep(0.05)
            data.write_text(os.path.basename(here))
        """,
    )
    project.stage(
        "length",
        """
        from engine.stage import In, Out
        def length(number: In, data: Out) -> None:
            data.write_text(str(len(number.read_text())))
        """,
    )
    files = {name: project.path / name for name in ("a", "a-go", "w", "w-go", "c", "c-go")}
    files["c"].touch()
    project.usecase(
        "two",
        f"""
        name: two
        stages:
          a: {{uses: mystages.wait, params: {{here: "{files["a"]}", go: "{files["a-go"]}"}}}}
          c: {{uses: mystages.wait, params: {{here: "{files["c"]}", go: "{files["c-go"]}"}}}}
          w: {{uses: mystages.wait, inputs: {{number: a.data}}, params: {{here: "{files["w"]}", go: "{files["w-go"]}"}}}}
          b: {{uses: mystages.length, inputs: {{number: a.data}}, resources: {{cpus: 2}}}}
        """,
    )
    process = project.start("usecase=two", "executor.cpus=3")
    project.until(files["w"].exists)
    place = project.store.path(
        next(e for e in project.events() if e["event"] == "job_finished")["outputs"]["data"]
    )
    place.chmod(0o644)
    place.write_text("9")
    files["c-go"].touch()  # its end frees resources for `b`
    project.until(lambda: any("was damaged" in e.get("text", "") for e in project.events()))
    files["w-go"].touch()
    project.until(
        lambda: process.poll() is not None or project.state().stages["w"].state == "failed"
    )
    files["a-go"].touch()
    _, err = process.communicate(timeout=180)
    assert process.returncode == 1 and "Traceback" not in err, err
    assert project.state().stages["w"].failure["kind"] == "input_changed"
    project.done("usecase=two")
