"""A device's engine behind SSH: what is in the way is told in three lines and in time; what it has already is not sent again."""

import os
import platform
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.executors import _tunnel, device
from engine.executors._options import LABEL
from engine.executors._tunnel import Tunnel
from engine.executors._volumes import MARK
from engine.placement import Setting
from engine.target import Target, platform_of
from tests.engine.executors.conftest import Bench

HERE = platform_of(platform.machine())
SLEEPS = "time.sleep(120)"


# --- what is in the way


def _refused(call: Callable[[], object], within_s: float = 15) -> tuple[str, str]:
    """What is wrong and the way out; it has to come in time, and to name the device."""
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        call()
    assert time.monotonic() - start < within_s
    assert caught.value.where.startswith("target=t: device ssh://")
    return caught.value.what, caught.value.fix


def _connect(address: str, config: str, tmp_path: Path) -> None:
    path = tmp_path / "ssh_config"
    path.write_text(config)
    tunnel = Tunnel(address, f"target=t: device {address}", str(path))
    try:
        tunnel.connect()
    finally:
        tunnel.close()


@pytest.fixture
def refusal(sshd, tmp_path) -> Callable[..., tuple[str, str]]:
    """Ask the SSH server for an engine in vain, and return what is told."""

    def ask(config: str = sshd.config, address: str = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}") -> tuple[str, str]:
        return _refused(lambda: _connect(address, config, tmp_path))

    return ask


def test_a_host_key_that_is_not_known_is_refused(refusal, sshd, tmp_path):
    what, fix = refusal(sshd.config.replace(str(sshd.known_hosts), str(tmp_path / "empty")))
    assert what == "its host key is not known here"
    assert fix == f"ssh {sshd.user}@{sshd.host} once, and compare the fingerprint with the device's own"
    assert not (tmp_path / "empty").exists()


def test_a_host_key_that_has_changed_is_refused(refusal, sshd):
    sshd.change_host_key()
    what, fix = refusal()
    assert what == "its host key is not the one that this machine knows"
    assert fix.startswith("find out why; if the device was set up anew: ssh-keygen -R 127.0.0.1")


def test_a_key_that_the_device_does_not_take_is_refused(refusal, sshd, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    config = sshd.config.replace(str(sshd.identity_file), str(tmp_path / "other")) + "  IdentitiesOnly yes\n  IdentityAgent none\n"
    assert refusal(config) == ("it does not let this user in", f"ssh-copy-id {sshd.user}@{sshd.host}")


def test_a_port_where_nothing_listens_is_refused(refusal, sshd):
    sshd.stop()
    assert refusal() == ("nothing listens for SSH there", "switch SSH on there: sudo systemctl enable --now ssh")


def test_a_name_that_cannot_be_found_is_refused(refusal):
    assert refusal(address="ssh://pi@no-such-device.invalid") == (
        "its name cannot be found", "write its address, or put it into ~/.ssh/config")  # fmt: skip


def test_a_device_without_an_engine_is_refused(refusal, sshd, tmp_path):
    what, fix = refusal(address=f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{tmp_path}/no.sock")
    assert what == f"the device answers, but no Docker engine does at {tmp_path}/no.sock"
    assert fix == "there: sudo apt-get install docker.io && sudo usermod -aG docker $USER"


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of something that takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ssh://pi@127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.ssh
def test_a_device_that_says_nothing_is_given_up_in_time(deaf, tmp_path):
    what, fix = _refused(lambda: _connect(deaf, "", tmp_path))
    assert (what, fix) == ("it does not answer", "is it on, and in this network? ping 127.0.0.1")


@pytest.mark.ssh
def test_a_way_that_does_not_open_is_given_up_in_time(deaf, tmp_path, monkeypatch):
    monkeypatch.setattr(_tunnel, "OPEN_S", 1.0)
    assert _refused(lambda: _connect(deaf, "", tmp_path), within_s=5) == ("it does not answer within 1 s", "try: ssh pi@127.0.0.1")


@pytest.mark.ssh
def test_what_else_ssh_says_is_passed_on(tmp_path):
    what, fix = _refused(lambda: _connect("ssh://pi@host", "Nonsense yes\n", tmp_path))
    assert (what.endswith("terminating, 1 bad configuration options"), fix) == (True, "try: ssh pi@host")


def test_an_ssh_that_ends_without_a_word_is_refused(tmp_path, monkeypatch):
    (tmp_path / "ssh").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _refused(lambda: _connect("ssh://pi@host", "", tmp_path)) == ("ssh ended with status 3", "try: ssh pi@host")


def test_a_machine_without_ssh_is_told_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _refused(lambda: _connect("ssh://pi@host", "", tmp_path)) == ("this machine has no ssh", "sudo apt-get install openssh-client")


def test_a_device_of_another_platform_than_the_targets_is_refused(device_bench):
    other = "linux/arm64" if HERE == "linux/amd64" else "linux/amd64"
    aim = Target(name="t", platform=other, runtime="litert", device=device_bench.setting.target.device)
    executor = device.Executor(Setting(aim, (), (), list, device_bench.setting.store, device_bench.setting.ssh_config))
    what, fix = _refused(lambda: executor.missing([]))
    executor.close()
    assert (what.replace(HERE, "linux/amd64"), fix) == (
        f"the device is linux/amd64, and the target {other}",
        "choose the target that the device is",
    )


def test_nothing_of_the_way_is_left_when_it_is_closed(sshd, docker_engine, tmp_path):
    (tmp_path / "c").write_text(sshd.config)
    tunnel = Tunnel(f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{docker_engine.socket}", "target=t: device ssh://x", str(tmp_path / "c"))
    tunnel.connect().close()
    process, folder = tunnel._process, tunnel._folder
    tunnel.close()
    assert process.poll() is not None and not folder.exists()


def test_a_way_that_broke_is_opened_again(sshd, docker_engine, tmp_path):
    (tmp_path / "c").write_text(sshd.config)
    tunnel = Tunnel(f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{docker_engine.socket}", "target=t: device ssh://x", str(tmp_path / "c"))
    tunnel.connect().close()
    sshd.stop()
    tunnel._process.wait(10)
    sshd.start()
    client = tunnel.connect()
    assert client.ping()
    client.close()
    tunnel.close()


# --- what is sent


@pytest.fixture
def asset(tmp_path) -> Path:
    """A file that no other test sends."""
    path = tmp_path / "mine.bin"
    path.write_bytes(os.urandom(300_000))
    return path


def _copied(bench: Bench, asset: Path) -> bytes:
    """Let a stage on the device copy the asset, and return its output as it came back."""
    folder, launch = bench.lay_out(
        "s", {"command": ["cp", "-r", "{inputs.x}", "{outputs.y}"], "inputs": {"x": "asset:mine"}, "outputs": ["y"]}, asset
    )
    bench.executor.launch(launch)
    [ended] = bench.end()
    assert ended.status == 0, f"{ended} {(folder.path / 'log').read_text()}"
    out = folder.path / "out" / "y"
    return out.read_bytes() if out.is_file() else b"".join(path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file())


def _volumes(bench: Bench, asset: Path) -> list[Path]:
    """Where the volumes that hold the asset lie; the device of these tests is this machine."""
    wanted = f"{LABEL}.digest={bench.store.assets.of(asset)}"
    return [Path(volume.attrs["Mountpoint"]) for volume in bench.client.volumes.list(filters={"label": wanted})]


def test_an_input_is_sent_once_and_found_by_its_digest(device_bench, asset):
    assert _copied(device_bench, asset) == asset.read_bytes()
    [volume] = _volumes(device_bench, asset)
    before = {path.name: (path.stat().st_ino, path.stat().st_ctime_ns) for path in volume.iterdir()}
    assert set(before) == {"mine.bin", MARK}
    assert _copied(device_bench, asset) == asset.read_bytes()
    assert {path.name: (path.stat().st_ino, path.stat().st_ctime_ns) for path in volume.iterdir()} == before


def test_an_input_that_changed_is_sent_beside_the_old_one(device_bench, asset):
    _copied(device_bench, asset)
    [old] = _volumes(device_bench, asset)
    asset.write_bytes(b"another")
    assert _copied(device_bench, asset) == b"another"
    assert _volumes(device_bench, asset) != [old] and old.is_dir()


def test_a_volume_that_was_half_sent_is_sent_again(device_bench, asset):
    _copied(device_bench, asset)
    [volume] = _volumes(device_bench, asset)
    (volume / MARK).unlink()
    (volume / "mine.bin").write_bytes(asset.read_bytes()[:1000])
    assert _copied(device_bench, asset) == asset.read_bytes()
    assert (volume / MARK).exists()


def test_a_folder_arrives_whole(device_bench, tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "a b").write_bytes(b"1")
    (folder / "deep" / "ü").write_bytes(b"2")
    assert _copied(device_bench, folder) == b"12"


def test_what_lies_on_the_device_cannot_be_written_by_a_stage(device_bench, asset):
    keys = {"command": ["sh", "-c", "echo broken > {inputs.x}; touch {outputs.y}"], "inputs": {"x": "asset:mine"}, "outputs": ["y"]}
    _, launch = device_bench.lay_out("s", keys, asset)
    device_bench.executor.launch(launch)
    device_bench.end()
    [volume] = _volumes(device_bench, asset)
    assert (volume / "mine.bin").read_bytes() == asset.read_bytes()


def test_a_jobs_own_files_go_with_its_container(device_bench):
    device_bench.does("pass")  # the sources are sent
    before = {volume.name for volume in device_bench.client.volumes.list()}
    device_bench.does("Path('large').write_bytes(bytes(1_000_000))")
    assert {volume.name for volume in device_bench.client.volumes.list()} == before
    assert device_bench.client.containers.list(all=True, filters={"label": f"{LABEL}={device_bench.setting.store}"}) == []


def test_a_container_of_the_device_has_no_more_privilege_than_one_of_this_machine(device_bench):
    folder = device_bench.start(SLEEPS)
    [container] = device_bench.client.containers.list(filters={"label": f"{LABEL}.folder={folder.path}"})
    found, host = container.attrs, container.attrs["HostConfig"]
    assert found["Config"]["User"].split(":")[0] not in ("", "0", "root")
    assert (host["Privileged"], host["ReadonlyRootfs"], host["CapDrop"], host["NetworkMode"]) == (False, True, ["ALL"], "none")
    assert {mount["Type"] for mount in found["Mounts"]} == {"volume"} and not host["Devices"]
