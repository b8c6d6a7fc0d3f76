"""Faults of a device and of the connection to it: a real SSH server with a real engine, on this machine.

Rows of the fault matrix: G1, G2 (the connection is lost for a while, or for good), B5 (`run.py` is killed
meanwhile), G11 (its disk is full), B11 and F7 (it lacks its accelerator), G15 (it has another platform).
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engine.containers import pins
from engine.errors import UserError
from tests import services
from tests.contained import HERE, Contained

OTHER = {"linux/amd64": "linux/arm64", "linux/arm64": "linux/amd64"}[HERE]


@pytest.fixture
def behind(project, sshd, plain_archive):
    """Make the target `pi`, an engine reached over the SSH server, and the folder whose stage runs there."""

    def make(engine, platform=HERE, **more):
        config = project.path / "ssh_config"
        config.write_text(sshd.config)
        device = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{engine.socket}"
        (project.path / "conf" / "target").mkdir()
        (project.path / "conf" / "target" / "pi.yaml").write_text(
            json.dumps({"name": "pi", "platform": platform, "device": device, **more})
        )
        return Contained(project, engine, plain_archive, "target=pi", f"ssh_config={config}")

    return make


@pytest.fixture
def on_device(behind, docker_engine):
    """The folder whose device is the engine that all tests share."""
    return behind(docker_engine)


@pytest.fixture
def small_engine():
    """Make an engine with a disk of this many bytes."""
    made = []

    def make(size):
        engine = services.DockerEngine()
        made.append(engine)
        (engine.folder / "data").mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", engine.folder / "data"],
            check=True,
        )
        engine.start()
        return engine

    yield make
    for engine in made:
        engine.close()


def _at_work(on_device):
    on_device.project.until(
        lambda: any(one.status == "running" for one in on_device.containers()), within_s=300
    )
    time.sleep(1)


def test_a_link_that_comes_back_neither_ends_a_stage_nor_starts_it_twice(on_device, sshd):
    on_device.slow(params={"seconds": 6}, runs_on="target")
    since = int(time.time())
    run = on_device.start()
    _at_work(on_device)
    sshd.stop()
    time.sleep(2)
    sshd.start()
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, out + err
    assert (on_device.project.started(), on_device.created(since), on_device.containers()) == (
        ["s"],
        1,
        [],
    )


def test_a_link_that_is_lost_for_good_is_named_in_time_and_the_same_command_goes_on(
    on_device, sshd
):
    on_device.slow(
        params={"seconds": 20}, runs_on="target"
    )  # less than the time after which a connection counts as lost
    since = int(time.time())
    run = on_device.start()
    _at_work(on_device)
    sshd.stop()
    out, _ = run.communicate(timeout=300)
    assert run.returncode == 1, out
    assert on_device.project.state().stages["s"].failure["kind"] == "device_lost"
    sshd.start()
    on_device.done()
    assert (on_device.created(since), on_device.containers()) == (1, [])


def test_the_same_command_takes_over_what_runs_on_the_device(on_device):
    on_device.slow(runs_on="target")
    since = int(time.time())
    run = on_device.start()
    _at_work(on_device)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    state = on_device.done()
    assert (on_device.created(since), on_device.containers()) == (1, [])
    assert state.stages["s"].measured_on == "device" and any(
        "continued in the container" in note for note in state.stages["s"].notes
    )
    assert (on_device.project.last / "artifacts" / "s" / "data").read_text() == "done"


@pytest.mark.docker
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="not root: a tmpfs cannot be mounted")
def test_a_stage_that_fills_the_devices_disk_is_told_whose_disk_it_is(behind, small_engine):
    on_device = behind(small_engine("450m"))
    on_device.does("open('big', 'wb').write(bytes(500_000_000))", runs_on="target", retries=3)
    failure = on_device.fails()
    assert (failure["kind"], failure["attempt"]) == ("disk_full", 1)
    assert "the disk of its device is full" in failure["message"]


@pytest.mark.docker
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="not root: a tmpfs cannot be mounted")
def test_a_device_without_room_for_an_input_is_told_so(behind, small_engine, tmp_path):
    with (tmp_path / "big").open("wb") as big:
        big.truncate(400_000_000)
    on_device = behind(small_engine("450m"))
    on_device.takes(tmp_path / "big", runs_on="target")
    failure = on_device.fails()
    assert (
        failure["kind"] == "disk_full"
        and "the disk of the container engine is full" in failure["message"]
    )


@pytest.mark.docker
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="not root: a tmpfs cannot be mounted")
def test_a_device_without_room_for_an_image_is_told_so(small_engine, plain_archive, tmp_path):
    with pytest.raises(UserError) as refused:
        pins.load(
            tmp_path, small_engine("60m").client(), "raspberrypi-mlops/plain:1", plain_archive
        )
    assert (
        refused.value.what.startswith("the disk of the container engine is full: ")
        and "docker system prune" in refused.value.fix
    )


@pytest.mark.parametrize(("bus", "node"), [("pcie", "/dev/apex_0"), ("usb", "/dev/bus/usb")])
def test_a_device_without_its_accelerator_is_distinguished_from_a_missing_program(
    behind, docker_engine, bus, node
):
    if Path(node).exists():
        pytest.skip(f"this machine has {node}")
    on_device = behind(docker_engine, accelerator="edgetpu", bus=bus)
    on_device.slow(runs_on="target", resources={"accelerator": True}, retries=3)
    failure = on_device.fails()
    assert (failure["kind"], failure["attempt"]) == ("no_device", 1)
    assert (
        node in failure["message"]
        and "plug the accelerator in, or choose a target without one" in failure["message"]
    )
    assert not Path(node).exists()


def test_a_stage_that_floods_its_log_does_not_fill_the_device(on_device):
    """A29."""
    code = (
        "print('first', flush=True); time.sleep(4)\nfor _ in range(60): os.write(1, b'x' * "
        "1_000_000)\nos.write(1, b'\\nlast')"
    )
    on_device.does(f"{code}; Path('ready').touch(); time.sleep(6)", runs_on="target")
    run = on_device.start()
    _at_work(on_device)
    [container] = on_device.containers()
    on_device.project.until(
        lambda: container.exec_run(["test", "-e", "ready"]).exit_code == 0, within_s=300
    )
    kept = sum(
        path.stat().st_size
        for path in (on_device.engine.folder / "data" / "containers" / container.id).glob(
            "*-json.log*"
        )
    )
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, out + err
    said = (on_device.project.last / "logs" / "s.log").read_bytes()
    assert kept < 11_000_000 and said.startswith(b"first\n") and said.endswith(b"\nlast")


def test_the_end_of_a_failed_stages_log_comes_from_the_device_also_after_a_flood(on_device):
    """A29."""
    code = (
        "\nfor n in range(400_000): print(f'{n:080}')\nprint('no such device', flush=True)\nraise "
        "ValueError('the last word')"
    )
    on_device.does(code, runs_on="target")
    failure = on_device.fails()
    assert (failure["kind"], failure["message"]) == ("failed", "ValueError: the last word")
    assert (
        failure["log_tail"].splitlines()[-1] == "ValueError: the last word"
        and f"{399_999:080}" in failure["log_tail"]
    )


def test_what_is_said_comes_once_and_in_its_order(on_device):
    code = "\nfor n in range(60): os.write(1, b'%d\\n' % n); time.sleep(0.1)"
    on_device.does(code, runs_on="target")
    on_device.done()
    assert (on_device.project.last / "logs" / "s.log").read_text().split() == [
        str(n) for n in range(60)
    ]


def test_a_link_among_the_outputs_is_refused_on_a_device_as_it_is_here(on_device):
    on_device.does(
        "data.mkdir(); os.symlink('/etc/passwd', data / 'link'); exit = sys.exit(0)",
        runs_on="target",
    )
    failure = on_device.fails()
    assert failure["kind"] == "bad_output" and "link" in failure["message"]


def test_what_only_carried_files_for_a_killed_run_goes_with_the_next(on_device, tmp_path):
    with (tmp_path / "big").open("wb") as big:
        big.truncate(600_000_000)
    on_device.takes(tmp_path / "big", runs_on="target")
    run = on_device.start()
    on_device.project.until(on_device.containers, within_s=300)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert on_device.containers() != []
    on_device.slow(params={"seconds": 0}, runs_on="target")
    on_device.done()
    assert on_device.containers() == []
    for volume in on_device.engine.client().volumes.list():
        volume.remove(force=True)


def test_a_device_of_another_platform_is_refused(behind, docker_engine):
    on_device = behind(docker_engine, OTHER)
    on_device.slow(runs_on="target")
    assert on_device.refused()[1:] == [
        f"the device is {HERE}, but the target is {OTHER}",
        "choose the target for this device",
    ]
