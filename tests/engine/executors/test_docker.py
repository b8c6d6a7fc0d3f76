"""What a stage's container may and may not, as the engine's own `inspect` and the stage inside see it; and what is refused beforehand."""

import http.server
import io
import json
import os
import platform
import socketserver
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import coral
from engine.errors import UserError
from engine.executors import _engine
from engine.executors._options import LABEL
from engine.images import Image
from engine.target import Target, platform_of
from tests.engine.executors.conftest import Bench
from tests.machines import Machine

HERE = platform_of(platform.machine())
WAITS = "time.sleep(120)"
FOREIGN = {"linux/amd64": 183, "linux/arm64": 62, "linux/arm/v7": 62}  # EM_AARCH64 and EM_X86_64 of elf(5)


@pytest.fixture
def docker_with(docker_engine, plain_image, monkeypatch, make_bench) -> Callable[..., Bench]:
    """Containers of the engine, with these settings of conf/executor/docker.yaml."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)

    def make(*images: Image, **options: Any) -> Bench:
        made = make_bench("docker", *(images or (plain_image,)), **options)
        made.client = docker_engine.client()
        return made

    return make


def _inspected(bench: Bench, **keys: object) -> dict[str, Any]:
    """What the engine says of the container of a stage with these keys."""
    folder = bench.start(WAITS, **keys)
    [container] = bench.client.containers.list(all=True, filters={"label": f"{LABEL}.folder={folder.path}"})
    return container.attrs


# --- least privilege


def test_a_container_has_no_privilege_that_a_stage_does_not_need(docker_bench):
    found = _inspected(docker_bench)
    host = found["HostConfig"]
    assert found["Config"]["User"].split(":")[0] not in ("", "0", "root")
    assert (host["Privileged"], host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (False, True, ["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["NetworkMode"], host["PidMode"], host["IpcMode"], host["UTSMode"], host["UsernsMode"]) == ("none", "", "private", "", "")
    assert not host["Devices"] and not host["DeviceCgroupRules"] and not host["GroupAdd"] and not host["Binds"]
    assert host["Init"] and host["RestartPolicy"]["Name"] in ("", "no")


def test_the_stage_itself_sees_that_it_may_nothing(docker_bench):
    code = "dict(line.split(':') for line in open('/proc/self/status') if line.startswith(('Uid', 'CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs')))"
    found = {key: value.split() for key, value in eval(docker_bench.says(f"repr({code})")).items()}
    assert found.pop("NoNewPrivs") == ["1"]
    assert "0" not in found.pop("Uid")
    assert {name: int(value[0], 16) for name, value in found.items()} == {"CapEff": 0, "CapPrm": 0, "CapBnd": 0}


def test_only_the_jobs_folder_and_its_log_can_be_written(docker_bench):
    keys = {"uses": "mystages.act", "params": {"code": WAITS}}
    folder, launch = docker_bench.lay_out("s", keys)
    docker_bench.executor.launch(launch)
    [container] = docker_bench.client.containers.list(filters={"label": f"{LABEL}.folder={folder.path}"})
    mounts = {mount["Source"]: mount["RW"] for mount in container.attrs["Mounts"]}
    assert sorted(source for source, is_written in mounts.items() if is_written) == sorted(map(str, {folder.path, launch.log}))
    read = {Path(source).name for source, is_written in mounts.items() if not is_written}
    assert read == {"mystages", "stage.py"}


def test_an_input_can_be_read_and_not_written(docker_bench, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "mine.txt").chmod(0o666)
    copies = ["sh", "-c", "cat {inputs.x} > {outputs.y}; echo broken > {inputs.x}"]
    folder, launch = docker_bench.lay_out("s", {"command": copies, "inputs": {"x": "asset:mine"}, "outputs": ["y"]}, tmp_path / "mine.txt")
    docker_bench.executor.launch(launch)
    [ended] = docker_bench.end()
    assert ended.status not in (0, None)
    assert (tmp_path / "mine.txt").read_text() == (folder.path / "out" / "y").read_text() == "mine"


def test_nothing_of_the_callers_environment_reaches_a_stage(docker_bench, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert docker_bench.says("str('AWS_SECRET_ACCESS_KEY' in os.environ)") == "False"


def test_a_container_has_a_network_only_where_its_stage_asks(docker_with):
    bench = docker_with(network="host")
    assert _inspected(bench, stage="a")["HostConfig"]["NetworkMode"] == "none"
    assert _inspected(bench, stage="b", network=True)["HostConfig"]["NetworkMode"] == "host"


# --- limits


def _limits(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found["HostConfig"][key] for key in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit", "ShmSize", "Tmpfs")}


def test_the_limits_are_those_of_the_stage(docker_with):
    found = _inspected(docker_with(memory="1G", pids=100), resources={"memory": "64M", "cpus": 0.5, "pids": 50})
    assert _limits(found) == {"Memory": 64_000_000, "MemorySwap": 64_000_000, "NanoCpus": 500_000_000, "PidsLimit": 50, "ShmSize": 256_000_000,
                              "Tmpfs": {"/tmp": "size=256000000,mode=1777"}}  # fmt: skip


def test_where_the_stage_sets_none_they_are_the_executors(docker_with):
    found = _inspected(docker_with(memory="128M", pids=100, shm="32M", tmp="16M"))
    assert _limits(found) == {"Memory": 128_000_000, "MemorySwap": 128_000_000, "NanoCpus": 0, "PidsLimit": 100, "ShmSize": 32_000_000,
                              "Tmpfs": {"/tmp": "size=16000000,mode=1777"}}  # fmt: skip


def test_without_a_word_memory_has_no_limit_and_processes_do(docker_bench):
    found = _limits(_inspected(docker_bench))
    assert (found["Memory"], found["NanoCpus"], found["PidsLimit"]) == (0, 0, 2048)


# --- devices

CORAL = {"name": "coral", "platform": HERE, "runtime": "tflite_runtime", "accelerator": "edgetpu"}


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Machine:
    """A machine with nothing plugged in."""
    made = Machine(tmp_path / "machine")
    monkeypatch.setattr(coral.find, "__defaults__", (made.sys, made.dev))
    monkeypatch.setattr(coral.seen, "__defaults__", (made.sys, made.dev, tmp_path))
    return made


def _asked(bench: Bench, *, accelerator: bool) -> dict[str, Any]:
    """The options about devices that the container of a stage would be made with."""
    _, launch = bench.lay_out("s", {"uses": "mystages.act", "params": {"code": ""}, "resources": {"accelerator": accelerator}})
    return dict(_options_of(bench, launch))


def _options_of(bench: Bench, launch: Any) -> Iterator[tuple[str, Any]]:
    from engine.executors import _options

    made = _options.container(launch, bench.setting, _options.User(1000, 1000), [], launch.log, bench.executor._edgetpu(launch), "")
    yield from ((key, made[key]) for key in ("volumes", "devices", "device_cgroup_rules", "group_add", "privileged") if key in made)


USB = {"volumes": ["/dev/bus/usb:/dev/bus/usb"], "device_cgroup_rules": ["c 189:* rmw"], "group_add": ["46"]}
PCIE = {"devices": ["/dev/apex_0:/dev/apex_0:rw"]}


@pytest.mark.parametrize("product", [("1a6e", "089a"), ("18d1", "9302")], ids=["before its first use", "after"])
def test_an_edge_tpu_on_usb_is_handed_on_by_its_folder_and_a_rule_since_its_node_changes(docker_with, machine, product):
    machine.plug("2-1", *product, 5)
    bench = docker_with(target=Target(**CORAL, bus="usb"))
    assert (_asked(bench, accelerator=True), _asked(bench, accelerator=False)) == (USB, {})


def test_an_edge_tpu_on_pcie_is_handed_on_by_its_node(docker_with, machine):
    machine.slot("0000:01:00.0", "0x1ac1", "0x089a", "apex_0")
    bench = docker_with(target=Target(**CORAL, bus="pcie"))
    assert (_asked(bench, accelerator=True), _asked(bench, accelerator=False)) == (PCIE, {})


def test_an_edge_tpu_on_another_bus_than_the_targets_is_not_handed_on(docker_with, machine):
    machine.slot("0000:01:00.0", "0x1ac1", "0x089a", "apex_0")
    assert _asked(docker_with(target=Target(**CORAL, bus="usb")), accelerator=True) == {}


def test_without_an_edge_tpu_the_stage_runs_and_has_no_device(docker_with, machine):
    bench = docker_with(target=Target(**CORAL, bus="usb"))
    assert bench.says("'ran'", resources={"accelerator": True}) == "ran"


# --- what a container is known by, and what is left of it


def test_a_container_is_known_by_its_store_its_run_and_its_job(docker_bench):
    folder, launch = docker_bench.lay_out("mine", {"uses": "mystages.act", "params": {"code": WAITS}})
    docker_bench.executor.launch(launch)
    [container] = docker_bench.client.containers.list(filters={"label": f"{LABEL}={docker_bench.setting.store}"})
    assert {key.removeprefix(f"{LABEL}."): value for key, value in container.labels.items() if key != LABEL} == {
        "run": launch.run, "stage": "mine", "attempt": "1", "fingerprint": launch.fingerprint, "folder": str(folder.path), "log": str(launch.log)}  # fmt: skip


def test_of_what_ended_and_what_was_closed_no_container_is_left(docker_bench):
    docker_bench.does("sys.exit(3)", stage="a")
    docker_bench.start(WAITS, stage="b")
    docker_bench.executor.close()
    assert docker_bench.client.containers.list(all=True, filters={"label": f"{LABEL}={docker_bench.setting.store}"}) == []


def test_a_run_does_not_touch_the_containers_of_another_store(docker_bench, docker_with, tmp_path, plain_image):
    docker_bench.start(WAITS)
    options = {"image": plain_image.reference, "command": ["sleep", "120"], "network_mode": "none", "labels": {LABEL: "/another/store"}}
    other = docker_bench.client.containers.run(**options, detach=True)
    try:
        planned, _ = docker_bench.plan("s", {"uses": "mystages.act", "params": {"code": ""}})
        docker_bench.executor.reclaim([planned], tmp_path)
        docker_bench.executor.close()
        other.reload()
        assert other.status == "running"
    finally:
        other.remove(force=True)


# --- what is refused beforehand


def _refused(call: Callable[[], object]) -> tuple[str, str, str]:
    with pytest.raises(UserError) as caught:
        call()
    return caught.value.where, caught.value.what, caught.value.fix


def test_an_image_that_the_engine_does_not_have_is_missing_and_refused(docker_with):
    absent = Image("absent", HERE, "1", frozenset(), False, "containers")
    bench = docker_with(absent)
    planned, _ = bench.plan("s", {"uses": "mystages.act", "params": {"code": ""}})
    assert bench.executor.missing([planned, planned]) == [absent.reference]
    assert _refused(lambda: bench.executor.prepare([planned])) == (
        absent.reference, "the container engine has no such image", "python run.py images build")  # fmt: skip


def test_an_image_that_is_there_is_taken(docker_bench):
    planned, _ = docker_bench.plan("s", {"uses": "mystages.act", "params": {"code": ""}})
    assert docker_bench.executor.missing([planned]) == []
    docker_bench.executor.prepare([planned])


def test_an_image_of_another_processor_is_refused_whatever_its_label_says(docker_with):
    foreign = Image("foreign", HERE, "1", frozenset(), False, "containers")
    bench = docker_with(foreign)
    _import(bench.client, foreign, FOREIGN[HERE])
    planned, _ = bench.plan("s", {"uses": "mystages.act", "params": {"code": ""}})
    assert _refused(lambda: bench.executor.prepare([planned])) == (
        foreign.reference, f"its Python is of another processor than {HERE} (ELF machine {FOREIGN[HERE]}), whatever its label says",
        f"docker rmi {foreign.reference}, then python run.py images build")  # fmt: skip


def _import(client: Any, image: Image, machine: int) -> None:
    """Give the engine an image whose /usr/bin/python3 is a link to a program of this machine, as Debian's is."""
    program = (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + machine.to_bytes(2, "little")).ljust(2000, b"\0")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, "python3.11"
        tar.addfile(link)
        file = tarfile.TarInfo("usr/bin/python3.11")
        file.size, file.mode = len(program), 0o755
        tar.addfile(file, io.BytesIO(program))
    client.api.import_image_from_data(packed.getvalue(), repository=image.reference.rpartition(":")[0], tag=image.tag)


@pytest.mark.parametrize("address", ["unix:///nowhere", "tcp://127.0.0.1:9", "ftp://x", "nonsense", "unix:///etc/passwd"])
def test_an_address_where_no_engine_answers_is_refused(address):
    where, what, fix = _refused(lambda: _engine.connect(address))
    assert (where, what) == (address, "no Docker engine answers")
    assert fix.endswith("or executor=local")


def test_an_engine_behind_ssh_is_refused_since_it_sees_no_folder_of_this_machine(docker_with, monkeypatch):
    bench = docker_with()
    monkeypatch.setenv("DOCKER_HOST", "ssh://pi@host")
    assert _refused(lambda: bench.executor.missing([])) == (
        "ssh://pi@host", "an engine on another machine does not see this machine's folders",
        "name it as the target's device: target.device=ssh://user@host; or executor=local")  # fmt: skip


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_who_may_not_speak_to_the_engine_is_told_what_lets_him(docker_engine):
    _engine.connect(docker_engine.host).close()  # which imports what the other user may not read
    os.seteuid(65534)
    try:
        where, what, fix = _refused(lambda: _engine.connect(docker_engine.host))
    finally:
        os.seteuid(0)
    assert (where, what) == (docker_engine.host, "this user may not speak to the Docker engine")
    assert fix == "sudo usermod -aG docker $USER, and log in anew; or executor=local"


class _Ancient(http.server.BaseHTTPRequestHandler):
    """Answers as an engine of 2014 does."""

    def do_GET(self) -> None:
        text = json.dumps({"ApiVersion": "1.12", "Version": "1.0.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        """A socket's peer has no address."""
        return ""


def test_an_engine_that_is_too_old_is_refused(tmp_path):
    address = tmp_path / "s"
    with socketserver.UnixStreamServer(str(address), _Ancient) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where, what, fix = _refused(lambda: _engine.connect(f"unix://{address}"))
        server.shutdown()
    assert where == f"unix://{address}"
    assert what.startswith("the Docker engine is too old: API versions below ")
    assert fix == "sudo apt-get install docker.io; or executor=local"
