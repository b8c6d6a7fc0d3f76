"""Which tests `make test` runs, and how workers share them.

The first lane needs Python alone and takes minutes; `make test-all` runs both. Nobody keeps a list: fixtures give
a test its markers, and its markers the lane.
"""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVICES = {  # fixture -> the marker of what it starts
    "docker_engine": "docker",
    "own_docker_engine": "docker",
    "live_docker_engine": "docker",
    "plain_archive": "docker",
    "runtime_image": "slow",
    "registry": "registry",
    "sshd": "ssh",
}
NEEDS = frozenset(
    {"docker", "mirror", "qemu", "registry", "root", "slow", "ssh", "strace"}
)  # second lane
TOGETHER = {
    "tests/stages/edge",
    "tests/stages/tflite",
    "tests/stages/containers",
}  # their files share fixtures that take long to make


def mark(item: pytest.Item) -> None:
    """Give the test the markers of its services, and its lane."""
    used = getattr(item, "fixturenames", ())
    for marker in {SERVICES[name] for name in used if name in SERVICES}:
        item.add_marker(marker)
    if NEEDS & {marker.name for marker in item.iter_markers()}:
        item.add_marker("second_lane")


class Scheduling(LoadScopeScheduling):
    """Gives a worker all tests of a scope; a busy worker gets fewer scopes."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return what of its kind stays in one worker: the file of the test, or the folder if that shares fixtures.

    Whole runs, in tests/ itself, share nothing and are given out one by one.
    """
    file = nodeid.partition("::")[0]
    folder = str(PurePosixPath(file).parent)
    if folder == "tests":
        return nodeid
    return folder if folder in TOGETHER else file
