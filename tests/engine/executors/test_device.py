"""Containers of a device: the SSH connection and its obstacles, and inputs that are sent once."""

import platform
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from engine.accelerators import edgetpu
from engine.containers import options, volumes
from engine.contract import Contract
from engine.errors import UserError
from engine.placement import DEVICE
from engine.spec import StageSpec
from engine.target import Target, platform_of
from tests import services

HERE = platform_of(platform.machine())
READS = {
    "command": ["cp", "{inputs.x}", "{outputs.y}"],
    "inputs": {"x": "asset:mine"},
    "outputs": ["y"],
}


@pytest.fixture
def refused(make_bench, tmp_path):
    """The refusal of a device at this address, and the seconds until it."""
    known = iter(range(9))

    def ask(device: str, config: str = "") -> UserError:
        file = tmp_path / f"ssh_config_{next(known)}"
        file.write_text(config)
        target = Target(name="aim", platform=HERE, device=device)
        bench = make_bench("device", target=target, ssh_config=str(file))
        start = time.monotonic()
        with pytest.raises(UserError) as caught:
            bench.executor.missing([])
        assert time.monotonic() - start < 60
        assert caught.value.where == f"target=aim: device {device}"
        assert all(
            text and "\n" not in text
            for text in (caught.value.where, caught.value.what, caught.value.fix)
        )
        bench.executor.close()
        assert bench.are_gone(bench.local_processes())
        return caught.value

    return ask


def _address(sshd: services.SshServer, socket_path: object = "") -> str:
    return f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{socket_path}"


# --- what is in the way


def test_a_host_key_that_is_not_known_is_not_taken(refused, sshd, tmp_path):
    (tmp_path / "known").touch()
    said = refused(
        _address(sshd), sshd.config.replace(str(sshd.known_hosts), str(tmp_path / "known"))
    )
    assert (said.what, said.fix) == (
        "its host key is unknown",
        f"ssh -p {sshd.port} {sshd.user}@{sshd.host} once, and compare the fingerprint with the device's own",
    )
    assert (tmp_path / "known").read_text() == ""


def test_a_host_key_that_has_changed_is_not_taken(refused, sshd):
    sshd.change_host_key()
    known = sshd.known_hosts.read_text()
    said = refused(_address(sshd), sshd.config)
    assert said.what == "its host key differs from the one known to this machine"
    assert f"ssh-keygen -R '[{sshd.host}]:{sshd.port}', then ssh -p {sshd.port} " in said.fix
    assert sshd.known_hosts.read_text() == known


def test_nothing_in_the_users_configuration_takes_an_unknown_host_key(refused, sshd, tmp_path):
    (tmp_path / "known").touch()
    config = f"StrictHostKeyChecking no\n{sshd.config.replace(str(sshd.known_hosts), str(tmp_path / 'known'))}"
    assert refused(_address(sshd), config).what == "its host key is unknown"


def test_a_key_that_the_device_does_not_take_is_said_with_how_to_give_it_one(
    refused, sshd, tmp_path
):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True
    )
    config = (
        sshd.config.replace(str(sshd.identity_file), str(tmp_path / "other"))
        + "  IdentitiesOnly yes\n  IdentityAgent none\n"
    )
    said = refused(_address(sshd), config)
    assert (said.what, said.fix) == (
        "it refuses this user",
        f"ssh-copy-id -p {sshd.port} {sshd.user}@{sshd.host}",
    )


def test_where_nothing_listens_ssh_is_to_be_switched_on(refused):
    said = refused(f"ssh://pi@127.0.0.1:{services.free_port()}")
    assert (said.what, said.fix) == (
        "no SSH server is running there",
        "enable SSH there: sudo systemctl enable --now ssh",
    )


def test_a_name_that_nobody_knows_is_reported(refused):
    said = refused("ssh://pi@no-such-device.invalid")
    assert (said.what, said.fix) == (
        "its host name cannot be resolved",
        "use its address, or add it to ~/.ssh/config",
    )


def test_what_takes_a_connection_and_says_nothing_is_not_waited_for(refused):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        said = refused(f"ssh://pi@127.0.0.1:{deaf.getsockname()[1]}")
    assert (said.what, said.fix) == (
        "it does not answer",
        "is it switched on and in this network? ping 127.0.0.1",
    )


def test_what_is_no_ssh_server_is_said_in_sshs_own_words(refused):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        said = refused(f"ssh://pi@127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert said.what and said.fix.startswith("try: ssh -p ") and said.fix.endswith(" pi@127.0.0.1")


def test_a_device_without_a_docker_engine_is_told_how_to_get_one(refused, sshd, tmp_path):
    said = refused(_address(sshd, tmp_path / "none.sock"), sshd.config)
    assert said.what == f"the device answers, but has no Docker engine at {tmp_path}/none.sock"
    assert said.fix == "there: sudo apt-get install docker.io && sudo usermod -aG docker $USER"


def test_a_configuration_that_ssh_cannot_read_is_reported(refused):
    assert "ssh_config_0" in refused("ssh://pi@127.0.0.1", "NoSuchOption yes\n").what


def test_a_target_that_names_no_device_is_told_how(make_bench):
    with pytest.raises(UserError) as caught:
        make_bench("device").executor.missing([])
    assert (caught.value.what, caught.value.fix) == (
        "this target has no device",
        "write device: ssh://user@host",
    )


def test_a_machine_without_ssh_is_told_what_to_install(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused("ssh://pi@127.0.0.1")
    assert (said.what, said.fix) == (
        "this machine has no ssh",
        "sudo apt-get install openssh-client",
    )


def test_a_device_of_another_platform_than_its_target_is_refused(device_bench, make_bench):
    other = next(one for one in ("linux/amd64", "linux/arm64") if one != HERE)
    target = device_bench.context.target.model_copy(update={"name": "other", "platform": other})
    bench = make_bench("device", target=target, ssh_config=device_bench.context.ssh_config)
    with pytest.raises(UserError) as caught:
        bench.executor.missing([])
    assert (caught.value.what, caught.value.fix) == (
        f"the device is {HERE}, but the target is {other}",
        "choose the target for this device",
    )


# --- the way itself


def test_no_process_of_the_way_outlives_its_closing(device_bench):
    device_bench.executor.missing([])
    ways = device_bench.local_processes()
    device_bench.executor.close()
    assert ways and device_bench.are_gone(ways)


def test_the_way_is_opened_once_for_all_calls(device_bench):
    device_bench.executor.missing([])
    ways = device_bench.local_processes()
    device_bench.executor.missing([])
    assert device_bench.local_processes() == ways


def test_a_way_that_broke_is_opened_again(device_bench, sshd):
    device_bench.executor.missing([])
    sshd.kill()
    sshd.start()
    assert device_bench.are_gone(device_bench.local_processes())
    assert device_bench.executor.missing([]) == []


def test_figures_from_a_device_are_the_devices(device_bench, plain_image):
    placement = device_bench.executor.place(
        StageSpec(uses="x", runs_on="target"), Contract(label="x")
    )
    assert (placement.platform, placement.emulated, placement.measured_on, placement.image) == (
        HERE,
        False,
        DEVICE,
        plain_image.full_name,
    )


# --- what is sent


@pytest.fixture
def sent(device_bench, monkeypatch):
    """The paths sent into volumes so far; sending itself is unchanged."""
    filled: list[Path] = []
    put = volumes._Sending.put

    def noted(self, holder, folder, path, name) -> None:
        filled.append(path)
        put(self, holder, folder, path, name)

    monkeypatch.setattr(volumes._Sending, "put", noted)
    yield filled
    for volume in _volumes_of(device_bench):
        volume.remove(force=True)


def _volumes_of(bench) -> list:
    return bench.client.volumes.list(filters={"label": f"{options.LABEL}.digest"})


def _copies(bench, path: Path) -> str:
    """Run the stage that copies the asset, and return its copy."""
    folder, launch = bench.lay_out("s", READS, path)
    bench.executor.launch(launch)
    [ended] = bench.end()
    assert ended.status == 0, f"{ended}\n{launch.log.read_text()}"
    return (folder.path / "out" / "y").read_text()


@pytest.fixture
def mine(tmp_path) -> Path:
    """An asset."""
    path = tmp_path / "mine.txt"
    path.write_text(f"bytes of {tmp_path}")
    return path


def test_another_run_sends_nothing_that_the_device_has(
    device_bench, sent, mine, make_bench, plain_image
):
    _copies(device_bench, mine)
    before = len(sent)
    assert sent.count(mine) == 1 and len(set(sent)) == before
    again = make_bench(
        "device",
        plain_image,
        target=device_bench.context.target,
        ssh_config=device_bench.context.ssh_config,
    )
    assert _copies(again, mine) == mine.read_text()
    assert len(sent) == before


def test_the_same_bytes_under_another_path_are_not_sent_again(device_bench, sent, mine, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / mine.name
    other.write_bytes(mine.read_bytes())
    _copies(device_bench, mine)
    assert _copies(device_bench, other) == mine.read_text()
    assert other not in sent


def test_a_changed_input_is_sent_anew(device_bench, sent, mine):
    _copies(device_bench, mine)
    mine.write_text("changed, and longer than before")
    assert _copies(device_bench, mine) == "changed, and longer than before"
    assert sent.count(mine) == 2


def test_what_was_half_sent_is_sent_again(device_bench, sent, mine, monkeypatch):
    put = volumes._put

    def breaks(container, path, tar) -> None:
        data = list(tar)
        if path == Path("/volume") and data[0].startswith(volumes.MARK.encode()):
            raise ConnectionError("the link broke")
        put(container, path, iter(data))

    with monkeypatch.context() as broken:
        broken.setattr(volumes, "_put", breaks)
        _, launch = device_bench.lay_out("s", READS, mine)
        device_bench.executor.launch(launch)
        [ended] = device_bench.end()
        assert (ended.status, ended.kind) == (None, "device_lost")
    assert _copies(device_bench, mine) == mine.read_text()
    assert sent.count(mine) == 2


def test_a_job_that_is_to_end_while_its_files_are_sent_ends_then(device_bench, sent, tmp_path):
    with (tmp_path / "big").open("wb") as big:
        big.truncate(3_000_000_000)
    _, launch = device_bench.lay_out("s", READS, tmp_path / "big")
    device_bench.executor.launch(launch)
    limit = time.monotonic() + 300
    while tmp_path / "big" not in sent:
        assert time.monotonic() < limit and device_bench.executor.wait(0.05) == []
    device_bench.executor.terminate("s", force=False)
    [ended] = device_bench.end()
    assert (ended.status, "while its files were being sent" in ended.why) == (None, True)
    assert device_bench.client.containers.list(all=True) == []


def test_nothing_that_is_sent_can_be_written_there(device_bench, sent, mine):
    _, launch = device_bench.lay_out(
        "s", {**READS, "command": ["sh", "-c", "echo more >> {inputs.x}"]}, mine
    )
    device_bench.executor.launch(launch)
    device_bench.end()
    assert (
        "Read-only file system" in launch.log.read_text()
        or "Permission denied" in launch.log.read_text()
    )
    assert _copies(device_bench, mine) == mine.read_text()


def test_a_folder_comes_whole_and_with_its_own_names(device_bench, sent, tmp_path):
    folder = tmp_path / "an asset; $(touch x)"
    (folder / "deep" / "ä b").mkdir(parents=True)
    (folder / "deep" / "ä b" / "c.txt").write_text("below")
    _, launch = device_bench.lay_out(
        "s", {**READS, "command": ["find", "{inputs.x}", "-type", "f", "-printf", "%P"]}, folder
    )
    device_bench.executor.launch(launch)
    device_bench.end()
    assert launch.log.read_text() == "deep/ä b/c.txt"


def test_nothing_but_what_was_sent_is_left_on_the_device(device_bench, sent, mine):
    _copies(device_bench, mine)
    device_bench.executor.close()
    assert device_bench.client.containers.list(all=True) == []
    assert {volume.name for volume in device_bench.client.volumes.list()} == {
        volume.name for volume in _volumes_of(device_bench)
    }


# --- an Edge TPU


@pytest.mark.parametrize("bus", ["usb", "pcie"])
@pytest.mark.parametrize(("accelerator", "kind"), [(True, "no_device"), (False, None)])
def test_a_stage_that_wants_an_edge_tpu_is_refused_where_the_device_has_none(
    device_bench, make_bench, plain_image, monkeypatch, accelerator, kind, bus
):
    monkeypatch.setattr(edgetpu, "USB", Path("/dev/bus/none"))
    target = device_bench.context.target.model_copy(update={"accelerator": "edgetpu", "bus": bus})
    bench = make_bench(
        "device", plain_image, target=target, ssh_config=device_bench.context.ssh_config
    )
    _, ended = bench.does("pass", resources={"accelerator": accelerator})
    assert ended.kind == kind
