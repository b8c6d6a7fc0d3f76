"""`serve`: finds the package, starts the server on this machine, and ends with it."""

import re
import signal
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

from tests.conftest import Project
from tests.stages.serving import servers

PACKED = """
    name: packed
    task: classify
    assets: {{source: {source}}}
    stages:
      package:
        command: [cp, -r, "{{inputs.source}}", "{{outputs.package}}"]
        inputs: {{source: "asset:source"}}
        outputs: [package]
"""
WORDS = ("serve", "stage_packages=[stages,mystages]", "usecase=packed", "port=0")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return servers.classifier(tmp_path_factory.mktemp("classifier") / "package")


def _packed(project, package):
    project.usecase("packed", PACKED.format(source=package))
    assert project.run(*WORDS[1:-1]).returncode == 0
    return project


@pytest.fixture(scope="module")
def packed(tmp_path_factory, package):
    """A run that packed a classifier; the tests share it and leave it as it is."""
    return _packed(Project(tmp_path_factory.mktemp("packed")), package)


@pytest.fixture
def source(tmp_path):
    return f"source={servers.pictures(tmp_path / 'pictures')}"


def test_the_packed_model_is_served_until_sigterm(packed, source):
    with packed.start(*WORDS, source) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        address = re.match(r"open (\S+/); the token is in (\S+)", lines[1])
        assert address, lines
        with urllib.request.urlopen(f"{address[1]}healthz", timeout=10) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "(packed), on this machine" in err.splitlines()[0]
    expected = packed.outputs / ".engine" / "serving" / "packed" / "token"
    assert Path(address[2]).samefile(expected)


def test_it_ends_by_itself_after_its_time(packed, source):
    assert packed.run(*WORDS, source, "seconds=0.2").returncode == 0


def test_an_unknown_accelerator_exits_with_2(packed, source):
    result = packed.run(*WORDS, source, "target.accelerator=edgetpuu")
    assert result.returncode == 2 and "did you mean 'edgetpu'?" in result.stderr


def test_an_accelerator_that_the_server_cannot_use_leaves_the_cpu(packed, source):
    result = packed.run(*WORDS, source, "seconds=0.2", "target.accelerator=gpu")
    assert result.returncode == 0, result.stderr
    assert "cannot use the accelerator 'gpu'; serving on the CPU" in result.stderr


def test_what_the_server_refuses_exits_with_2(packed):
    result = packed.run(*WORDS, "source=@absent")
    assert result.returncode == 2 and "give @FILE with the source" in result.stderr


def test_without_a_source_the_choices_are_named(packed):
    result = packed.run(*WORDS)
    assert result.returncode == 2 and "there is nothing to watch" in result.stderr


def test_an_unknown_option_is_refused_before_anything_starts(packed):
    result = packed.run(*WORDS, "webhook_host=a")
    assert result.returncode == 2 and "'webhook_hosts'" in result.stderr


def test_a_use_case_without_a_package_is_refused(project):
    result = project.run("serve", "usecase=chain")
    assert result.returncode == 2 and "no finished run has a packaged model" in result.stderr


def test_the_pictures_of_verify_are_the_sample(project, package):
    packed = _packed(project, package)
    run_dir = next((packed.outputs / "packed").glob("*/2*"))
    servers.pictures(run_dir.parent / "made")
    golden = run_dir / "artifacts" / "verify" / "golden"
    golden.mkdir(parents=True)
    (run_dir.parent / "made").rename(golden / "inputs")
    result = packed.run(*WORDS, "seconds=0.2")
    assert result.returncode == 0 and f"showing {golden / 'inputs'}" in result.stderr


def test_passwords_of_cameras_and_brokers_are_nowhere(packed, monkeypatch):
    monkeypatch.setitem(packed.environment, "MQTT_PASSWORD", "canary-of-mqtt")
    camera = "source=a=http://me:canary-of-camera@127.0.0.1:9/x"
    result = packed.run(*WORDS, camera, "mqtt=mqtt://me@127.0.0.1:9/x", "seconds=1.5")
    assert result.returncode == 0
    assert "canary" not in result.stdout + result.stderr
    files = [path for path in packed.path.rglob("*") if path.is_file()]
    assert files and [path for path in files if b"canary" in path.read_bytes()] == []
