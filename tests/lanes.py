"""Defines which tests `make test` runs, and how they are distributed among workers.

The first lane needs only Python and takes minutes; `make test-all` runs both. There is no list: a test's
fixtures determine its markers, and its markers the lane.
"""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVICES = {  # fixture -> the marker of the service that it starts
    "docker_engine": "docker",
    "own_docker_engine": "docker",
    "live_docker_engine": "docker",
    "plain_archive": "docker",
    "runtime_image": "slow",
    "registry": "registry",
    "rtsp_server": "rtsp",
    "sshd": "ssh",
    "imx500_python": "imx500",
    "slurm": "slurm",
    "browser": "browser",
    "mosquitto": "mosquitto",
    "launchers": "launchers",
}
NEEDS = frozenset(  # second lane
    {
        "browser",
        "docker",
        "imx500",
        "launchers",
        "mirror",
        "mosquitto",
        "qemu",
        "registry",
        "root",
        "rtsp",
        "slow",
        "slurm",
        "ssh",
        "strace",
    }
)
TOGETHER = {
    "tests/stages/edge",
    "tests/stages/tflite",
    "tests/stages/containers",
}  # their files share slow fixtures


def mark(item: pytest.Item) -> None:
    """Add the markers of the test's services, and its lane."""
    used = getattr(item, "fixturenames", ())
    for marker in {SERVICES[name] for name in used if name in SERVICES}:
        item.add_marker(marker)
    if NEEDS & {marker.name for marker in item.iter_markers()}:
        item.add_marker("second_lane")


class Scheduling(LoadScopeScheduling):
    """Assigns all tests of a scope to one worker; a busy worker gets fewer scopes."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return the scope that stays in one worker: the test's file, or its folder if that shares fixtures.

    Complete runs, in tests/ itself, share nothing and are distributed one by one.
    """
    file = nodeid.partition("::")[0]
    folder = str(PurePosixPath(file).parent)
    if folder == "tests":
        return nodeid
    return folder if folder in TOGETHER else file
