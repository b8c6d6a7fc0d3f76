"""The use case `containers` on the command line, with a real engine, emulation and registry: the image
`runtime` of every platform.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.containers import _registry
from tests import archives

ROOT = Path(__file__).resolve().parents[3]
RECORD = {
    "id": "TEST-1",
    "database_specific": {"severity": "HIGH"},
    "affected": [{"package": {"ecosystem": "PyPI", "name": "numpy"}, "versions": ["1.26.4"]}],
}


@pytest.mark.slow
@pytest.mark.qemu
def test_every_platform_is_built_tried_scanned_and_pushed_under_one_tag(
    docker_engine, registry, tmp_path
):
    (tmp_path / "known.json").write_text(json.dumps(RECORD))
    words = [
        "usecase=containers",
        "executor=local",
        "tracking=none",
        f"outputs={tmp_path / 'out'}",
        "until=[publish_runtime]",
        "params.tag=v1",
        "params.base=bootstrap",
        f"params.registry={registry.address}/project",
        f"assets.vulnerabilities={tmp_path / 'known.json'}",
    ]
    done = subprocess.run(
        [sys.executable, "run.py", *words],
        cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": docker_engine.host},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reference = f"{registry.address}/project/runtime:v1"
    _, content = _registry.Repository(_registry.parse(reference)).manifest("v1")
    assert [entry["platform"] for entry in json.loads(content)["manifests"]] == list(
        archives.PLATFORMS.values()
    )
    (run,) = (tmp_path / "out" / "containers").glob("*/*-*/artifacts")
    report = json.loads((run / "publish_runtime" / "report.json").read_text())
    assert (report["pushed"], report["index"]) == (reference, _registry.digest_of(content))
    for arch, platform in zip(("amd64", "arm64", "armv7"), archives.PLATFORMS, strict=True):
        assert (
            json.loads((run / f"smoke_runtime@{arch}" / "outputs.json").read_text())["platform"]
            == platform
        )
        found = json.loads((run / f"scan_runtime@{arch}" / "report.json").read_text())["findings"]
        assert [finding["severity"] for finding in found] == (
            [] if arch == "armv7" else ["high"]
        )  # arm/v7 has Debian's numpy
