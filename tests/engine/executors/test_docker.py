"""Containers of this machine: minimal privileges, according to the engine itself, and labels of figures."""

import dataclasses
import os
import platform
import subprocess
from contextlib import closing, suppress
from types import SimpleNamespace

import pytest

from engine import emulation
from engine.accelerator import NO_ACCESS
from engine.accelerators import edgetpu
from engine.containers import answers, daemon, options, verdict
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.errors import UserError
from engine.executors.device import Device
from engine.executors.docker import Here
from engine.images import ARCHITECTURES, Image
from engine.placement import EMULATED, Placement
from engine.spec import Resources, StageSpec
from engine.stage import coral
from engine.target import Target, platform_of
from tests import services
from tests.machines import Machine

HERE = platform_of(platform.machine())
SLEEPS = "Path('ready').touch(); time.sleep(600)"
CORAL = Target(name="with_coral", platform=HERE, accelerator="edgetpu", bus="usb")
USES = {"uses": "mystages.act", "params": {"code": "pass"}}
MACHINE = answers.Info(ID="x", Architecture="x86_64", MemTotal=8 << 30, NCPU=2)


@pytest.fixture
def inspected(docker_bench):
    """The engine's description of a running container of a stage with these keys."""

    def look(**keys: object) -> dict:
        folder = docker_bench.start(SLEEPS, **keys)
        docker_bench.until(folder, "ready")
        return docker_bench.container(folder).attrs

    return look


@pytest.fixture
def accelerated(docker_bench, tmp_path, monkeypatch):
    """The engine's description of a container that may use the Edge TPU on a bus.

    Created but never started, since there may be no Edge TPU.
    """
    monkeypatch.setattr(edgetpu, "USB", tmp_path)
    made = []

    def look(bus: str | None) -> dict:
        _, launch = docker_bench.lay_out("s", USES)
        owner = options.user(os.getuid(), os.getgid())
        access = edgetpu.access(bus) if bus else NO_ACCESS
        arguments = options.container(
            launch, docker_bench.context, owner, [], launch.log, access, "/", MACHINE
        )
        made.append(docker_bench.client.containers.create(launch.job.placement.image, **arguments))
        return docker_bench.client.api.inspect_container(made[-1].id)["HostConfig"]

    yield look
    for container in made:
        container.remove(force=True, v=True)


# --- what a container may


def test_a_stage_is_never_root_and_cannot_become_it(inspected):
    found = inspected()
    assert found["Config"]["User"] == (
        f"{os.getuid()}:{os.getgid()}" if os.getuid() else "1000:1000"
    )
    assert found["HostConfig"]["CapDrop"] == ["ALL"] and not found["HostConfig"]["CapAdd"]
    assert found["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
    assert not found["HostConfig"]["Privileged"]


def test_the_kernel_holds_a_stage_to_it(docker_bench):
    said = docker_bench.says("Path('/proc/self/status').read_text()")
    facts = dict(line.split(":", 1) for line in said.splitlines())
    assert {
        name: int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    } == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
    assert facts["NoNewPrivs"].strip() == "1"
    assert (
        "0" not in facts["Uid"].split()
        and "0" not in facts["Gid"].split() + facts["Groups"].split()
    )


def test_a_container_writes_its_jobs_folder_its_checkpoints_its_log_and_tmp_alone(
    inspected, docker_bench
):
    found = inspected()
    assert found["HostConfig"]["ReadonlyRootfs"] and list(found["HostConfig"]["Tmpfs"]) == ["/tmp"]
    folder = found["Config"]["Labels"][f"{options.LABEL}.folder"]
    checkpoint = docker_bench.store.checkpoint(
        found["Config"]["Labels"][f"{options.LABEL}.fingerprint"]
    )
    writable = {mount["Destination"] for mount in found["Mounts"] if mount["RW"]}
    assert writable == {folder, f"{folder}/log", str(checkpoint)}
    assert all(mount["Source"] == mount["Destination"] for mount in found["Mounts"])


def test_a_container_does_not_see_the_store_or_the_project(inspected, docker_bench):
    seen = {mount["Destination"] for mount in inspected()["Mounts"]}
    assert not seen & {str(docker_bench.context.store), *map(str, docker_bench.context.roots)}


def test_an_input_can_be_read_and_not_written(docker_bench, tmp_path):
    (tmp_path / "mine.txt").write_text("bytes")
    (tmp_path / "mine.txt").chmod(0o666)
    _, launch = docker_bench.lay_out(
        "s",
        {
            "command": ["sh", "-c", "cat {inputs.x}; echo more >> {inputs.x}"],
            "inputs": {"x": "asset:mine"},
            "outputs": ["y"],
        },
        tmp_path / "mine.txt",
    )
    docker_bench.executor.launch(launch)
    assert [ended.status for ended in docker_bench.end()] == [2]
    assert (
        tmp_path / "mine.txt"
    ).read_text() == "bytes" and "Read-only file system" in launch.log.read_text()


@pytest.mark.parametrize(
    ("keys", "mode"), [({}, "none"), ({"network": False}, "none"), ({"network": True}, "host")]
)
def test_a_stage_has_a_network_only_where_it_asks_for_one(
    docker_engine, plain_image, make_bench, monkeypatch, keys, mode
):
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    bench = make_bench("docker", plain_image, network="host")  # this engine has no bridge
    bench.client = docker_engine.client()
    folder = bench.start(SLEEPS, **keys)
    bench.until(folder, "ready")
    assert bench.container(folder).attrs["HostConfig"]["NetworkMode"] == mode


def test_a_stage_without_a_network_has_the_loopback_alone(docker_bench):
    assert (
        docker_bench.says(
            "[line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]]"
        )
        == "['lo']"
    )


# --- limits


def _limits(host: dict) -> dict:
    return {
        name: host[name] for name in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit", "ShmSize")
    }


def test_the_limits_are_those_of_the_stage(inspected):
    found = inspected(resources={"memory": "96M", "cpus": 0.5, "pids": 77})["HostConfig"]
    assert _limits(found) == {
        "Memory": 96_000_000,
        "MemorySwap": 96_000_000,
        "NanoCpus": 500_000_000,
        "PidsLimit": 77,
        "ShmSize": 256_000_000,
    }


def test_a_stage_that_wants_more_processors_than_there_are_gets_all(inspected, docker_engine):
    found = inspected(resources={"cpus": 512})["HostConfig"]
    assert found["NanoCpus"] == docker_engine.client().info()["NCPU"] * 1_000_000_000


def test_where_the_stage_sets_none_the_limits_are_the_executors(
    docker_engine, plain_image, make_bench, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    bench = make_bench("docker", plain_image, memory="128M", pids=99, shm="8M", tmp="4M")
    _, launch = bench.lay_out("s", USES)
    arguments = options.container(
        launch, bench.context, options.user(1, 1), [], launch.log, NO_ACCESS, "/", MACHINE
    )
    made = docker_engine.client().containers.create(launch.job.placement.image, **arguments)
    try:
        host = docker_engine.client().api.inspect_container(made.id)["HostConfig"]
    finally:
        made.remove(force=True)
    assert _limits(host) == {
        "Memory": 128_000_000,
        "MemorySwap": 128_000_000,
        "NanoCpus": 0,
        "PidsLimit": 99,
        "ShmSize": 8_000_000,
    }
    assert host["Tmpfs"] == {"/tmp": "size=4000000,mode=1777"}


def _made(bench) -> dict:
    """The engine's description of a container of a stage without limits, which has not started."""
    _, launch = bench.lay_out("s", USES)
    arguments = options.container(
        launch,
        bench.context,
        options.user(1, 1),
        [],
        launch.log,
        NO_ACCESS,
        "/",
        answers.info(bench.client),
    )
    made = bench.client.containers.create(launch.job.placement.image, **arguments)
    try:
        return bench.client.api.inspect_container(made.id)["HostConfig"]
    finally:
        made.remove(force=True)


def test_without_any_limit_a_stage_has_three_quarters_of_the_machines_memory(
    inspected, docker_bench
):
    found, most = inspected()["HostConfig"], docker_bench.client.info()["MemTotal"] * 3 // 4
    assert (found["Memory"], found["MemorySwap"], found["NanoCpus"], found["PidsLimit"]) == (
        most,
        most,
        0,
        2048,
    )


@pytest.mark.parametrize(("memory", "limit"), [(0, 0), ("0", 0), ("300M", 300_000_000)])
def test_the_executors_limit_of_memory_goes_before_the_machines(
    docker_engine, plain_image, make_bench, monkeypatch, memory, limit
):
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    bench = make_bench("docker", plain_image, memory=memory)
    bench.client = docker_engine.client()
    assert _made(bench)["Memory"] == limit


def test_a_network_that_the_engine_does_not_have_is_reported_before_anything_starts(
    docker_engine, plain_image, make_bench, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    bench = make_bench("docker", plain_image, network="nosuch")
    planned = [bench.plan("s", {**USES, "network": network})[0] for network in (False, True)]
    bench.executor.prepare(planned[:1])
    with pytest.raises(UserError, match="the container engine has no such network"):
        bench.executor.prepare(planned)


def test_the_limit_of_processes_is_kept(docker_bench):
    code = (
        "n = 0\ntry:\n    while n < 200:\n        os.fork() or time.sleep(600)\n        n += "
        "1\nexcept BlockingIOError:\n    text = n"
    )
    folder, ended = docker_bench.does(code, resources={"pids": 20})
    assert ended.status == 0 and 5 < int((folder.path / "out" / "data").read_text()) < 20


def test_a_fault_of_the_executor_is_shown_and_ends_the_job(docker_bench, monkeypatch, capsys):
    monkeypatch.setattr(verdict, "ended", lambda *_, **__: {}["fault"])
    _, ended = docker_bench.does("pass")
    assert (ended.status, ended.why) == (None, "the executor failed: KeyError('fault')")
    assert "Traceback" in capsys.readouterr().err


# --- devices


def _reaches(host: dict) -> tuple:
    mounts = [
        (mount["Source"], mount["Target"], mount.get("ReadOnly", False))
        for mount in host.get("Mounts") or []
    ]
    return mounts, host["Devices"] or [], host["DeviceCgroupRules"], host["GroupAdd"]


def test_without_an_edge_tpu_a_container_has_no_device(accelerated):
    assert _reaches(accelerated(None)) == ([], [], None, None)


def test_an_edge_tpu_on_usb_is_the_folder_of_usb_and_a_rule_for_its_kind(accelerated):
    folder = str(edgetpu.USB)
    assert _reaches(accelerated("usb")) == ([(folder, folder, False)], [], ["c 189:* rmw"], ["46"])


def test_an_edge_tpu_on_pcie_is_its_node_alone(accelerated):
    node = {
        "PathOnHost": "/dev/apex_0",
        "PathInContainer": "/dev/apex_0",
        "CgroupPermissions": "rw",
    }
    assert _reaches(accelerated("pcie")) == ([], [node], None, None)


@pytest.mark.parametrize("bus", ["usb", "pcie"])
def test_a_container_with_an_edge_tpu_has_no_more_rights_than_others(accelerated, bus):
    found = accelerated(bus)
    assert (
        found["Privileged"],
        found["CapDrop"],
        found["ReadonlyRootfs"],
        found["NetworkMode"],
    ) == (
        False,
        ["ALL"],
        True,
        "none",
    )


@pytest.mark.parametrize(
    ("plugged", "accelerator", "bus"),
    [
        (True, True, "usb"),
        (True, False, None),
        (False, True, None),
    ],
    ids=["asked for and there", "not asked for", "not there"],
)
def test_the_edge_tpu_goes_to_a_stage_that_asks_for_it_where_there_is_one(
    docker_bench, make_bench, plain_image, tmp_path, monkeypatch, plugged, accelerator, bus
):
    machine = Machine(tmp_path / "machine")
    if plugged:
        machine.plug("2-1", "18d1", "9302", 7)
    found = coral.find(machine.sys, machine.dev)
    monkeypatch.setattr(coral, "find", lambda *_: found)
    bench = make_bench("docker", plain_image, target=CORAL)
    _, launch = bench.lay_out("s", {**USES, "resources": {"accelerator": accelerator}})
    wanted = edgetpu.access(bus) if bus else NO_ACCESS
    assert bench.executor._machine.access(launch) == wanted


def test_an_edge_tpu_that_has_gone_since_it_was_seen_is_named(
    docker_bench, make_bench, plain_image, tmp_path, monkeypatch
):
    machine = Machine(tmp_path / "machine")
    machine.slot("0000:01:00.0", "0x1ac1", "0x089a", "apex_0")
    found = coral.find(machine.sys, machine.dev)
    monkeypatch.setattr(coral, "find", lambda *_: found)
    bench = make_bench("docker", plain_image, target=CORAL.model_copy(update={"bus": "pcie"}))
    _, ended = bench.does("pass", resources={"accelerator": True})
    assert (ended.status, ended.kind) == (None, "no_device")
    assert "plug the accelerator in, or choose a target without one" in ended.why


# --- finding a container again


def test_the_labels_say_whose_container_it_is(inspected, docker_bench):
    labels = inspected(env={"COLOUR": "red"})["Config"]["Labels"]
    ours = {
        name.removeprefix(options.LABEL): value
        for name, value in labels.items()
        if name.startswith(options.LABEL)
    }
    assert ours.keys() == {"", ".run", ".stage", ".attempt", ".fingerprint", ".folder", ".log"}
    assert (ours[""], ours[".run"], ours[".stage"], ours[".attempt"]) == (
        str(docker_bench.context.store),
        f"run-{docker_bench.mark}",
        "s",
        "1",
    )
    assert len(ours[".fingerprint"]) == 64


def test_nothing_is_left_in_the_engine(docker_bench):
    docker_bench.does("pass")
    docker_bench.does("sys.exit(3)")
    docker_bench.executor.launch(docker_bench.lay_out("s", {**USES, "image": None})[1])
    docker_bench.executor.close()
    assert (
        docker_bench.client.containers.list(
            all=True, filters={"label": f"{options.LABEL}={docker_bench.context.store}"}
        )
        == []
    )


def test_a_stages_word_of_the_engine_is_the_last_in_its_environment(docker_bench):
    said = docker_bench.says(
        "os.environ['HOME'] == os.environ['TMPDIR'] == os.getcwd()",
        env={"HOME": "/root", "TMPDIR": "/root"},
    )
    assert said == "True"


# --- where figures are measured


FOREIGN = [one for one in ARCHITECTURES if not emulation.is_native(one, HERE)]
ANY = tuple(
    Image("any", one, f"{ARCHITECTURES[one]}-1", frozenset(), False, "containers")
    for one in ARCHITECTURES
)


def _placement(make_bench, platform: str, runs_on: str):
    bench = make_bench("docker", *ANY, target=Target(name="aim", platform=platform))
    return bench.executor.place(StageSpec(uses="x", runs_on=runs_on), Contract(label="x"))


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_platform_is_emulated_and_says_so(make_bench, foreign):
    placement = _placement(make_bench, foreign, "target")
    assert (placement.platform, placement.emulated, placement.measured_on) == (
        foreign,
        True,
        EMULATED,
    )
    assert placement.image == f"raspberrypi-mlops/any:{ARCHITECTURES[foreign]}-1"


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_stage_on_the_build_machine_is_not_emulated_whatever_the_target(make_bench, foreign):
    placement = _placement(make_bench, foreign, "build")
    assert (placement.platform, placement.emulated, placement.measured_on) == (
        HERE,
        False,
        platform.machine(),
    )


@pytest.mark.parametrize(
    ("on", "processor"),
    [("linux/arm64", "cortex-a72"), ("linux/arm/v7", "cortex-a15"), (HERE, None)],
)
def test_an_emulated_container_has_the_processor_of_a_pi(docker_bench, on, processor):
    _, launch = docker_bench.lay_out("s", USES)
    placement = dataclasses.replace(
        launch.job.placement, platform=on, emulated=processor is not None
    )
    launch = dataclasses.replace(launch, job=dataclasses.replace(launch.job, placement=placement))
    arguments = options.container(
        launch, docker_bench.context, options.user(1, 1), [], launch.log, NO_ACCESS, "/", MACHINE
    )
    made = docker_bench.client.containers.create(launch.job.placement.image, **arguments)
    try:
        found = docker_bench.client.api.inspect_container(made.id)
    finally:
        made.remove(force=True)
    assert dict(word.split("=", 1) for word in found["Config"]["Env"]).get("QEMU_CPU") == processor
    binds = [
        (mount["Target"], mount.get("ReadOnly", False))
        for mount in found["HostConfig"].get("Mounts") or []
    ]
    assert binds == ([("/sys/devices/system/cpu", True)] if processor else [])


def test_the_image_is_all_of_the_environment_that_a_fingerprint_counts(make_bench):
    placement = _placement(make_bench, HERE, "build")
    assert dict(placement.environment) == {"image": placement.image}


def test_an_image_that_the_yaml_names_goes_before_the_smallest(make_bench):
    larger = Image("larger", HERE, "1", frozenset({"numpy"}), False, "containers")
    executor = make_bench("docker", *ANY, larger).executor
    assert (
        executor.place(StageSpec(uses="x", image="larger"), Contract(label="x")).image
        == larger.full_name
    )


def test_an_image_that_nobody_defines_is_refused_with_the_nearest(make_bench):
    with pytest.raises(UserError) as caught:
        make_bench("docker", *ANY).executor.place(
            StageSpec(uses="x", image="anny"), Contract(label="x")
        )
    assert caught.value.where == "image"
    assert (caught.value.what, caught.value.fix) == (
        f"there is no image 'anny' for {HERE}",
        "did you mean 'any'?",
    )


def test_an_optional_image_serves_a_stage_that_names_it_once_the_engine_has_it(
    docker_bench, docker_engine, plain_image, make_bench
):
    optional = Image("extra", HERE, f"{ARCHITECTURES[HERE]}-1", frozenset(), True, "containers")
    executor = make_bench("docker", plain_image, optional).executor
    spec = StageSpec(uses="x", image="extra")
    assert executor.place(spec, Contract(label="x")).image == plain_image.full_name
    client = docker_engine.client()
    client.images.get(plain_image.full_name).tag(*optional.full_name.rsplit(":", 1))
    try:
        assert executor.place(spec, Contract(label="x")).image == optional.full_name
    finally:
        with suppress(Exception):
            client.images.remove(optional.full_name)


# --- refusals


def test_an_image_that_the_engine_lacks_is_named_with_the_command_that_builds_it(
    docker_bench, make_bench
):
    absent = Image("absent", HERE, "1", frozenset(), False, "containers")
    bench = make_bench("docker", absent)
    planned, _ = bench.plan("s", USES)
    assert bench.executor.missing([planned]) == [absent.full_name]
    with pytest.raises(UserError) as caught:
        bench.executor.prepare([planned])
    assert (caught.value.where, caught.value.what, caught.value.fix) == (
        absent.full_name,
        "the container engine has no such image",
        "python run.py images build",
    )


def test_where_no_engine_answers_a_fix_is_named(make_bench, plain_image, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    bench = make_bench("docker", plain_image)
    planned, _ = bench.plan("s", USES)
    with pytest.raises(UserError) as caught:
        bench.executor.prepare([planned])
    assert caught.value.what == "no Docker engine found" and "executor=local" in caught.value.fix


class Ordinary:
    """The description of an engine run by root."""

    def info(self) -> dict:
        return MACHINE.model_dump()


def test_a_platform_that_the_kernel_does_not_run_is_refused(make_bench, monkeypatch, tmp_path):
    (tmp_path / "register").touch()
    look = emulation.look
    monkeypatch.setattr(emulation, "look", lambda platform: look(platform, tmp_path))
    job = SimpleNamespace(placement=Placement("linux/arm64", True, EMULATED))
    with pytest.raises(UserError) as caught:
        make_bench("docker").executor._machine.refuse(Ordinary(), [SimpleNamespace(job=job)])
    assert "linux/arm64" in caught.value.what and emulation.HOW_TO_REGISTER in caught.value.fix


class Rootless:
    """The description of a rootless engine, of which there is none here."""

    def info(self) -> dict:
        return {
            **MACHINE.model_dump(),
            "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
        }


def test_a_rootless_engine_is_refused(make_bench):
    with pytest.raises(UserError) as caught:
        make_bench("docker").executor._machine.refuse(Rootless(), [])
    assert (
        caught.value.what
        == "a rootless Docker engine runs stages as another user, who cannot write here"
    )
    assert "executor=local" in caught.value.fix


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with one certificate that serves as all three."""
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())
    return folder


@pytest.fixture(scope="module")
def tls_engine(certificates):
    """An engine that uses TLS and requires a client certificate."""
    with services.DockerEngine(certificates=certificates) as engine:
        yield engine


@pytest.mark.docker
def test_an_engine_behind_tls_is_reached_with_the_certificates_that_docker_takes(
    tls_engine, certificates, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", tls_engine.tls_host)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
    for name in (
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):  # of the developer's network; requests sets them above a session's own
        monkeypatch.delenv(name, raising=False)
    with closing(daemon.connect_here()) as client:
        assert client.ping()


@pytest.mark.docker
@pytest.mark.parametrize("given", [None, "absent"])
def test_an_engine_behind_tls_tells_what_is_missing(tls_engine, monkeypatch, tmp_path, given):
    monkeypatch.setenv("DOCKER_HOST", tls_engine.tls_host)
    if given:
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / given))
    with pytest.raises(UserError) as caught:
        daemon.connect_here()
    assert (
        caught.value.what.startswith("the TLS connection to the Docker engine failed: ")
        and "DOCKER_CERT_PATH=DIR" in caught.value.fix
    )


def test_a_job_whose_image_has_gone_since_is_told_so(docker_bench, make_bench):
    bench = make_bench("docker", Image("absent", HERE, "1", frozenset(), False, "containers"))
    _, launch = bench.lay_out("s", USES)
    bench.executor.launch(launch)
    [ended] = bench.end()
    assert (ended.status, ended.kind) == (
        None,
        "image_missing",
    ) and "python run.py images build" in ended.why


# --- GPUs, of which only the requests can be tested without one


def test_a_container_requests_the_gpus_of_its_stage(docker_bench):
    _, launch = docker_bench.lay_out("s", USES)
    launch = dataclasses.replace(launch, gpus=("GPU-1a", "GPU-2b"))
    arguments = options.container(
        launch, docker_bench.context, options.user(1, 1), [], launch.log, NO_ACCESS, "/", MACHINE
    )
    made = docker_bench.client.containers.create(launch.job.placement.image, **arguments)
    try:
        found = docker_bench.client.api.inspect_container(made.id)
    finally:
        made.remove(force=True, v=True)
    [request] = found["HostConfig"]["DeviceRequests"]
    assert request["DeviceIDs"] == ["GPU-1a", "GPU-2b"]
    assert request["Capabilities"] == [["gpu", "compute", "utility"]]
    assert "CUDA_VISIBLE_DEVICES=0,1" in found["Config"]["Env"]


def test_a_container_of_any_other_stage_requests_none(inspected):
    found = inspected()
    assert not found["HostConfig"]["DeviceRequests"]
    assert "CUDA_VISIBLE_DEVICES=-1" in found["Config"]["Env"]


def test_an_engine_without_the_nvidia_runtime_is_refused_when_planning(docker_bench):
    with pytest.raises(UserError) as caught:
        docker_bench.executor.place(StageSpec(resources=Resources(gpu=1)), Contract(label="x"))
    assert caught.value.where == "resources.gpu" and "NVIDIA Container Toolkit" in caught.value.fix


def test_a_stage_with_a_gpu_needs_an_image_of_the_users_own(tmp_path):
    context = ExecutorContext(CORAL, (tmp_path,), (), tuple, tmp_path)
    able = MACHINE.model_copy(update={"Runtimes": {"nvidia": {}}})
    client = SimpleNamespace(info=able.model_dump)
    with pytest.raises(UserError, match="name an image of your own with CUDA"):
        Here(context).refuse_gpus(client, StageSpec(resources=Resources(gpu=1)))
    Here(context).refuse_gpus(client, StageSpec(image="mine", resources=Resources(gpu=1)))


def test_a_device_has_no_gpu_for_stages(tmp_path):
    context = ExecutorContext(CORAL, (tmp_path,), (), tuple, tmp_path)
    with pytest.raises(UserError, match="runs_on: build"):
        Device(context).refuse_gpus(None, StageSpec(resources=Resources(gpu=1)))
