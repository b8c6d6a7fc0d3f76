"""Faults with containers, with real engines that are stopped, killed and disconnected, and with malicious
images and stages.

| row | fault | row | fault |
| --- | --- | --- | --- |
| B1 | out of memory | B10 | an image of another processor |
| B2 | the engine is stopped | B11 | the image lacks the program to run |
| B3 | the engine is killed | B12 | the owner of outputs |
| B4 | connections to it break | B13 | a stage that tries to escape |
| B5 | `run.py` is killed | B14 | no space in the container |
| B6 | no engine, or none for this user | B15 | too little shared memory |
| B7 | the image is missing | B16 | a stage that does not end, and its zombies |
| B8 | another image under its name | B17 | emulation: see test_scheduler.py |
| B9 | a damaged image archive | A29 | floods of output |
"""

import json
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from engine.containers import daemon, pins
from engine.errors import UserError
from tests import archives
from tests.conftest import CHAIN
from tests.contained import Contained, Relay, answering

FOREIGN = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x34\x12" + bytes(44)
)  # of no known processor, so that no QEMU handler runs it

FOLLOW = """
    from engine.stage import In, Out
    def follow(given: In, data: Out) -> None:
        data.write_text(given.read_text())
"""


@pytest.fixture
def contained(project, docker_engine, plain_archive, monkeypatch):
    """The folder on the engine that all tests share."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    return Contained(project, docker_engine, plain_archive, "executor=docker")


@pytest.fixture
def on_engine(project, plain_archive, monkeypatch, request):
    """The folder on the test's own engine, which the parameter names."""
    engine = request.getfixturevalue(request.param)
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    return Contained(project, engine, plain_archive, "executor=docker")


def _attempts(contained):
    return [
        (event["event"], event.get("kind"))
        for event in contained.project.events()
        if event["event"] in ("job_failed", "job_finished")
    ]


# --- the engine goes away


@pytest.mark.docker
@pytest.mark.parametrize("on_engine", ["own_docker_engine"], indirect=True)
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_stage_whose_engine_took_its_container_along_is_run_again(on_engine, how):
    """B2, B3."""
    on_engine.slow()
    run, _ = on_engine.at_work()
    getattr(on_engine.engine, how)()
    on_engine.engine.start()
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, out + err
    assert _attempts(on_engine) == [("job_failed", "daemon_lost"), ("job_finished", None)]
    assert on_engine.containers() == []


@pytest.mark.docker
@pytest.mark.parametrize("on_engine", ["live_docker_engine"], indirect=True)
def test_a_container_that_outlived_its_engine_is_gone_on_with(on_engine):
    """B3."""
    on_engine.slow(params={"seconds": 6})
    run, _ = on_engine.at_work()
    on_engine.engine.kill()
    on_engine.engine.start()
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, out + err
    assert _attempts(on_engine) == [("job_finished", None)]


@pytest.mark.docker
@pytest.mark.parametrize("on_engine", ["own_docker_engine"], indirect=True)
def test_an_engine_that_hangs_does_not_keep_a_run_that_is_interrupted_twice(on_engine):
    """B2: it accepts connections, and answers none of them."""
    on_engine.slow(params={"seconds": 100})
    run, _ = on_engine.at_work()
    on_engine.engine.pause()
    for _ in range(2):
        run.send_signal(signal.SIGINT)
        time.sleep(0.5)
    out, err = run.communicate(timeout=300)
    on_engine.engine.go_on()
    assert run.returncode == 130, out + err
    on_engine.slow(params={"seconds": 0})
    on_engine.done()
    assert on_engine.containers() == []


def test_a_broken_connection_neither_ends_a_stage_nor_starts_it_twice(
    contained, tmp_path, monkeypatch
):
    """B4."""
    contained.slow()
    since = int(time.time())
    with Relay(contained.engine.socket, tmp_path / "relay.sock") as relay:
        monkeypatch.setenv("DOCKER_HOST", relay.host)
        run, _ = contained.at_work()
        for _ in range(3):
            relay.cut()
            time.sleep(0.3)
        out, err = run.communicate(timeout=300)
    assert run.returncode == 0, out + err
    assert (_attempts(contained), contained.created(since)) == ([("job_finished", None)], 1)


# --- run.py is killed


def _kill(run):
    run.send_signal(signal.SIGKILL)
    run.communicate()


def test_the_same_command_takes_over_the_container_of_a_killed_run(contained):
    """B5."""
    contained.slow()
    since = int(time.time())
    run, _ = contained.at_work()
    _kill(run)
    state = contained.done()
    assert contained.created(since) == 1 and contained.containers() == []
    assert any(
        note.startswith("continued in the container that the run ")
        for note in state.stages["s"].notes
    )
    assert (contained.project.last / "artifacts" / "s" / "data").read_text() == "done"
    assert contained.done().stages["s"].cached


def test_a_container_is_taken_over_again_where_its_heir_is_killed_too(contained):
    """B5."""
    contained.slow(params={"seconds": 9})
    since = int(time.time())
    for heirs in range(2):
        run = contained.start()
        contained.project.until(lambda before=heirs: len(_runs_at_work(contained)) > before)
        _kill(run)
    contained.done()
    assert contained.created(since) == 1 and contained.containers() == []


def _runs_at_work(contained):
    """The runs whose stage has reported that it runs."""
    return [
        run
        for run in contained.project.runs
        if any(event.get("text") == "it runs" for event in contained.project.events(run))
    ]


def test_a_container_that_ended_after_its_run_was_killed_is_taken_as_it_is(contained):
    """B5."""
    contained.slow(params={"seconds": 1})
    since = int(time.time())
    run, container = contained.at_work()
    _kill(run)
    container.wait()
    contained.done()
    assert contained.created(since) == 1 and contained.containers() == []


def test_a_container_that_is_no_longer_wanted_is_removed(contained):
    """B5."""
    contained.slow()
    run, container = contained.at_work()
    _kill(run)
    contained.slow(params={"seconds": 0})
    contained.done()
    assert container.id not in [
        one.id for one in contained.engine.client().containers.list(all=True)
    ]


def _left_behind(contained):
    """The container that a killed run left, if the next run of `one` has nothing to run."""
    contained.slow(params={"seconds": 0})
    contained.done()
    run, container = contained.at_work("stages.s.params.seconds=60")
    _kill(run)
    return container


def test_a_container_that_a_killed_run_left_is_removed_also_where_nothing_is_to_run(contained):
    """B5."""
    container = _left_behind(contained)
    assert container.id in [one.id for one in contained.containers()]
    assert contained.done().stages["s"].cached
    assert contained.containers() == []


def test_what_is_in_the_store_needs_no_engine_though_a_killed_run_left_a_container(
    contained, monkeypatch
):
    """B5, B6."""
    container = _left_behind(contained)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert contained.done().stages["s"].cached
    container.remove(force=True)


def test_a_container_that_another_run_took_over_is_left_to_it(contained):
    """B5: three runs, of which the first is killed and two continue at the same time."""
    contained.slow(params={"seconds": 8})
    since = int(time.time())
    run, _ = contained.at_work()
    _kill(run)
    heirs = [contained.start(), contained.start()]
    said = [heir.communicate(timeout=300) for heir in heirs]
    assert [heir.returncode for heir in heirs] == [0, 0], said
    assert contained.created(since) == 1 and contained.containers() == []


def test_a_run_that_waits_for_one_that_is_killed_goes_on_in_its_container(contained):
    """B5: a running run reclaims, not one that starts."""
    contained.slow(params={"seconds": 12})
    since = int(time.time())
    run, _ = contained.at_work()
    heir = contained.start()
    _until_begun(contained, 2)
    _kill(run)
    out, err = heir.communicate(timeout=300)
    assert heir.returncode == 0, out + err
    assert contained.created(since) == 1 and contained.containers() == []
    assert "continued in the container that the run " in out + err


def test_a_run_at_work_removes_the_container_of_one_that_is_killed_meanwhile(contained):
    """B5: it needs nothing that the other produced."""
    contained.slow(params={"seconds": 120})
    contained.project.stage("follow", FOLLOW)
    contained.project.usecase(
        "two",
        "name: two\nstages:\n  s: {uses: mystages.only, params: {seconds: 12}}\n"
        "  t: {uses: mystages.follow, inputs: {given: s.data}}\n",
    )
    run, _ = contained.at_work()
    other = contained.project.start(*contained.words, "usecase=two")
    contained.project.until(lambda: len(contained.containers()) == 2)
    _kill(run)
    out, err = other.communicate(timeout=300)
    assert other.returncode == 0, out + err
    assert contained.containers() == []


def _until_begun(contained, count):
    """Wait until this many runs have begun, and have reclaimed what killed ones left."""
    contained.project.until(
        lambda: (
            len([run for run in contained.project.runs if contained.project.events(run)]) == count
        )
    )


def test_the_same_command_goes_on_after_a_kill_at_12_random_instants(contained):
    """B5, with the invariants I1 to I4."""
    chance, since = random.Random(5), int(time.time())
    contained.project.usecase("one", CHAIN.replace("name: chain", "name: one"))
    start = time.monotonic()
    contained.done()
    whole_s, full_name = time.monotonic() - start, contained.project.artifacts()
    instants = [chance.uniform(0.2, 1.0) * whole_s for _ in range(12)]

    def trial(number: int, at_s: float) -> None:
        here = contained.beside(f"outputs{number}")
        run = here.start()
        time.sleep(at_s)
        _kill(run)
        committed = {path.stem for path in here.project.store.root.glob("actions/*/*.json")}
        again = here.done()
        assert {name for name, stage in again.stages.items() if stage.cached} == {
            n for n, s in again.stages.items() if s.fingerprint in committed
        }
        assert here.project.artifacts() == full_name
        assert here.containers() == [] and not here.had_twins(since)
        assert not list((here.project.store.root / "work").iterdir())

    with ThreadPoolExecutor(3) as at_once:
        list(at_once.map(trial, range(12), instants))


# --- no engine, no image, another image


def test_no_engine_is_reported_at_once_with_a_fix(contained, monkeypatch):
    """B6."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    contained.slow()
    lines = contained.refused()
    assert lines[1:] == [
        "no Docker engine found",
        "sudo apt-get install docker.io && sudo systemctl start docker; or executor=local",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: there is no other user to be")
def test_a_user_who_may_not_speak_to_the_engine_is_told_the_group(docker_engine):
    """B6."""
    folder = docker_engine.folder
    folder.chmod(0o711)
    daemon.connect(docker_engine.host).close()  # imports modules that the other user may not read
    os.seteuid(65534)
    try:
        with pytest.raises(UserError) as refused:
            daemon.connect(docker_engine.host)
    finally:
        os.seteuid(0)
        folder.chmod(0o700)
    assert (
        refused.value.what == "this user has no access to the Docker engine"
        and "usermod -aG docker" in refused.value.fix
    )


def test_an_engine_that_is_too_old_is_named_so(contained, tmp_path, monkeypatch):
    """B6: no engine that old is available, but only its response to the first request matters."""
    monkeypatch.setenv("DOCKER_HOST", answering("1.12", tmp_path / "old.sock"))
    contained.slow()
    assert contained.refused()[1].startswith("the Docker engine is too old: ")


def test_an_image_that_is_not_there_and_cannot_be_built_is_named(contained):
    """B7."""
    contained.engine.client().images.remove(contained.full_name, force=True)
    contained.slow()
    result = contained.run()
    assert (result.returncode, "Traceback" in result.stderr) == (2, False), result.stderr
    assert "build_plain@" in result.stderr


def _tag(contained, name, **image):
    """Replace the image under the expected name by another; return its id."""
    client = contained.engine.client()
    with archives.write(contained.project.path / f"{name}.tar", **image).open("rb") as archive:
        [other] = client.images.load(archive)
    other.tag(*contained.full_name.split(":"))
    return other.id


def test_another_image_under_the_known_name_is_refused(contained):
    """B8."""
    contained.slow(params={"seconds": 0})
    contained.done()
    with_sh = archives.layer({"usr/bin/python3": Path("/bin/sh").resolve().read_bytes()})
    other = _tag(contained, "other", layers=[with_sh])
    contained.slow(params={"seconds": 0.1})
    lines = contained.refused()
    assert lines[0] == contained.full_name
    assert lines[1].startswith(f"the image under this name has changed: it is {other[7:19]} ")
    contained.engine.client().images.remove(contained.full_name)
    pins.load(
        contained.project.store.root,
        contained.engine.client(),
        contained.full_name,
        contained.archive,
    )
    contained.done()


def test_who_moves_the_name_of_an_image_does_not_move_the_stages_of_a_run(contained):
    """B8."""
    contained.slow()
    stages = {
        name: {"uses": "mystages.only", "params": {"seconds": seconds}}
        for name, seconds in (("s", 4), ("t", 0))
    }
    contained.project.usecase("one", json.dumps({"name": "one", "stages": stages}))
    run, _ = contained.at_work("executor.cpus=1")
    _tag(
        contained,
        "other",
        layers=[archives.layer({"usr/bin/python3": Path("/bin/sh").resolve().read_bytes()})],
    )
    _, err = run.communicate(timeout=300)
    contained.load()
    assert run.returncode == 0, err


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "no archive", "no image"])
def test_a_damaged_image_archive_is_refused_in_a_sentence(docker_engine, tmp_path, damage):
    """B9: before that, the store checks the archive's digest."""
    archive = archives.write(tmp_path / "image.tar", [archives.layer({"some": bytes(100_000)})])
    data = bytearray(archive.read_bytes())
    data[60_000] ^= damage == "flipped"
    archive.write_bytes(
        {
            "truncated": data[:60_000],
            "flipped": data,
            "empty": b"",
            "no archive": b"\x00" * 10_240,
            "no image": archives.layer({"manifest.json": b"[]"}),
        }[damage]
    )
    with pytest.raises(UserError) as refused:
        pins.load(tmp_path, docker_engine.client(), "raspberrypi-mlops/damaged:1", archive)
    sentence = (
        "it contains 0 images, not one"
        if damage == "no image"
        else "the container engine refuses this archive: "
    )
    assert (
        refused.value.where == str(archive)
        and refused.value.what.startswith(sentence)
        and "\n" not in refused.value.what
    )
    assert not docker_engine.client().images.list("raspberrypi-mlops/damaged")


def test_an_engine_that_goes_away_while_it_is_given_an_image_is_named(docker_engine, tmp_path):
    """B9."""
    archive = archives.write(tmp_path / "image.tar", [archives.layer({"some": bytes(100_000)})])
    with (
        Relay(docker_engine.socket, tmp_path / "relay.sock") as relay,
        closing(daemon.connect(relay.host)) as client,
    ):
        relay.close()
        with pytest.raises(
            UserError, match="the container engine stopped while the image was being sent: "
        ):
            pins.load(tmp_path, client, "raspberrypi-mlops/lost:1", archive)


@pytest.mark.parametrize("path", ["usr/bin", "opt"])
def test_an_image_of_another_processor_is_refused_whatever_its_label_says(contained, path):
    """B10."""
    _tag(
        contained,
        "other",
        layers=[archives.layer({f"{path}/python3": FOREIGN})],
        Env=[f"PATH=/bin:/{path}"],
    )
    contained.slow()
    assert "its Python is for another processor than" in contained.refused()[1]


def test_an_image_without_a_python_is_distinguished_from_one_that_is_not_there(contained):
    """B11."""
    _tag(contained, "none", layers=[archives.layer({"opt/other": b""})])
    contained.slow(retries=3)
    failure = contained.fails()
    assert (failure["kind"], failure["attempt"]) == ("no_command", 1) and "python3" in failure[
        "message"
    ]


# --- privileges of a stage


def test_the_outputs_are_the_callers(contained):
    """B12."""
    contained.slow(params={"seconds": 0})
    contained.done()
    owners = {path.lstat().st_uid for path in contained.project.outputs.rglob("*")}
    assert owners == {os.getuid()}


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: who calls reads as themselves")
def test_a_source_that_the_stages_of_root_may_not_read_is_named(contained):
    """B12."""
    contained.slow()
    source = contained.project.path / "mystages" / "only.py"
    source.chmod(0o600)
    assert contained.refused() == [
        str(source),
        "root's stages run as an unprivileged user in their containers, and that user cannot read it",
        f"chmod -R go+rX {source.parent}; or executor=local",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: the tests above were this one")
def test_the_outputs_are_an_ordinary_users(contained):
    """B12: users who may read everything, since the tests' Python may belong to root, and write their own."""
    uid, reads = 4321, "+dac_read_search"
    contained.slow(params={"seconds": 0})
    for path in (contained.project.path, *contained.project.path.rglob("*")):
        os.chown(path, uid, uid)
    os.chown(contained.engine.socket, 0, uid)
    command = [
        "setpriv",
        f"--reuid={uid}",
        f"--regid={uid}",
        "--clear-groups",
        f"--inh-caps={reads}",
        f"--ambient-caps={reads}",
    ]
    run = contained.start()
    _kill(run)
    run = subprocess.run(
        [*command, *run.args],
        cwd=contained.project.path,
        env={**os.environ, "HOME": str(contained.project.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    os.chown(contained.engine.socket, 0, 0)
    assert run.returncode == 0, run.stderr
    assert {path.lstat().st_uid for path in (contained.project.outputs / "one").rglob("*")} == {uid}


ATTEMPTS = {
    "write to the image": "open('/etc/canary', 'w')",
    "write to the sources": "open(sys.modules['engine.stage'].__file__, 'a')",
    "write beside its folder": "open(data.parents[2] / 'canary', 'w')",
    "become root": "os.setuid(0)",
    "give a file away": "(data.parent.parent / 'cwd' / 'mine').touch() or os.chown('mine', 0, 0)",
    "make a device": "os.mknod('disk', 0o60600, os.makedev(8, 0))",
    "make a network": (
        "os.unshare(0x40000000) if hasattr(os, 'unshare') else "
        "subprocess.check_call(['/usr/bin/unshare', '-n'])"
    ),
    "connect to this machine": "socket.create_connection(('127.0.0.1', {port}), 2)",
    "connect to the world": "socket.create_connection(('192.0.2.1', 80), 2)",
    "speak to the engine": "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    "speak to this engine": "socket.socket(socket.AF_UNIX).connect({engine!r})",
    "end what is not its own": "os.kill({pid}, 9)",
    "change the kernel": "open('/proc/sys/kernel/hostname', 'w')",
    "reach the control groups": "open('/sys/fs/cgroup/memory/memory.limit_in_bytes', 'w')",
}


def test_a_stage_that_tries_to_get_out_is_held(contained):
    """B13."""
    facts = {"port": 9, "engine": str(contained.engine.socket), "pid": os.getpid()}
    attempts = {name: code.format(**facts) for name, code in ATTEMPTS.items()}
    code = f"""
done = []
for name, attempt in {attempts!r}.items():
    try:
        eval(attempt, globals() | {{"data": data}})
        done.append(name)
    except (OSError, subprocess.CalledProcessError):
        pass
facts = dict(line.split() for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(("CapEff", "CapBnd", "NoNew", "Seccomp:")))
import json
text = json.dumps([done, facts, os.getuid(), sorted(os.listdir(data.parents[2])), [p for p in os.listdir("/proc") if p.isdigit()]])
"""
    done, status, uid, beside, processes = json.loads(contained.says(code))
    assert done == []
    assert (status["CapEff:"], status["CapBnd:"]) == ("0" * 16, "0" * 16) and (
        status["NoNewPrivs:"],
        status["Seccomp:"],
    ) == ("1", "2")
    assert uid != 0 and len(beside) == 1 and len(processes) == 2  # init, and the stage


def test_a_stage_cannot_change_its_input(contained, tmp_path):
    """B13."""
    data = tmp_path / "given"
    data.mkdir(mode=0o777)
    (data / "a").write_text("before")
    (data / "a").chmod(0o666)
    contained.takes(data)
    contained.done()
    assert (contained.project.last / "artifacts" / "s" / "data").read_text() == "[]"
    assert (data / "a").read_text() == "before"


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_a_full_folder_of_the_containers_own_is_not_called_a_full_disk(contained, place):
    """B14."""
    contained.does(f"open('{place}/big', 'wb').write(bytes(8_000_000))", retries=3)
    failure = contained.fails("executor.tmp=2M", "executor.shm=2M")
    assert (failure["kind"], failure["attempt"]) == ("disk_full", 1)
    assert "/tmp (2 MB: executor.tmp=1G) or /dev/shm (2 MB: executor.shm=1G)" in failure["message"]


def test_too_little_shared_memory_is_named(contained):
    """B15."""
    contained.does(
        "f = open('/dev/shm/big', 'w+b'); f.truncate(8_000_000); mmap.mmap(f.fileno(), "
        "0).write(bytes(8_000_000))"
    )
    failure = contained.fails("executor.shm=2M")
    assert failure["kind"] == "bus_error" and "executor.shm=1G" in failure["message"]


def test_a_stage_that_wants_too_much_memory_is_told_its_limit(contained):
    """B1."""
    contained.does("bytearray(200_000_000)", resources={"memory": "40M"})
    failure = contained.fails()
    assert (
        failure["kind"] == "out_of_memory"
        and "its limit of 40 MB): raise resources.memory" in failure["message"]
    )


def test_who_kills_a_stage_is_not_taken_for_a_lack_of_memory(contained):
    """B1."""
    contained.does("os.kill(os.getpid(), 9)", resources={"memory": "400M"})
    assert contained.fails()["kind"] == "killed"


def test_a_stage_that_ignores_requests_ends_all_the_same(contained):
    """B16."""
    contained.does("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)", timeout=1)
    assert contained.fails()["kind"] == "timeout" and contained.containers() == []


def test_no_zombie_stays_in_a_container(contained):
    """B16."""
    code = """
for _ in range(5):
    subprocess.run([sys.executable, "-c", "import os; os.fork() and os._exit(0)"])
def zombies():
    return [p for p in os.listdir("/proc") if p.isdigit() and Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()[0] == "Z"]
end = time.monotonic() + 300
while (text := zombies()) and time.monotonic() < end:
    time.sleep(0.05)
"""
    assert contained.says(code) == "[]"


# --- floods


def _peak_bytes(run):
    """The peak memory of the process while it lives."""
    peak = 0
    while run.poll() is None:
        try:
            peak = max(
                peak,
                *(
                    int(line.split()[1]) * 1024
                    for line in Path(f"/proc/{run.pid}/status").read_text().splitlines()
                    if "VmHWM" in line
                ),
                0,
            )
        except (OSError, TypeError):
            continue
        time.sleep(0.05)
    return peak


@pytest.mark.parametrize(
    "into", ["1", "os.open('../events.jsonl', os.O_WRONLY | os.O_APPEND)"], ids=["log", "events"]
)
def test_a_flood_of_words_costs_neither_memory_nor_disk(contained, into):
    """A29: 250 MB without a line ending."""
    contained.does(
        f"print('first', flush=True); to = {into}\nfor _ in range(250): os.write(to, b'x' * "
        "1_000_000); time.sleep(0.002)\nos.write(to, b'last')"
    )
    run = contained.start()
    peak = _peak_bytes(run)
    _, err = run.communicate()
    assert run.returncode == 0, err
    assert 0 < peak < 200_000_000
    log = contained.project.last / "logs" / "s.log"
    assert log.read_bytes().startswith(b"first") and log.stat().st_size < 150_000_000
