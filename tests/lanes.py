"""Which tests `make test` runs, and which ones workers must not divide among themselves.

The first lane needs Python alone and takes minutes; `make test-all` runs both. Nobody keeps a list: fixtures give
a test its markers, and its markers the lane.
"""

import pytest

SERVICES = {  # fixture -> the marker of what it starts
    "docker_engine": "docker",
    "own_docker_engine": "docker",
    "live_docker_engine": "docker",
    "plain_archive": "docker",
    "runtime_image": "slow",
    "registry": "registry",
    "sshd": "ssh",
}
NEEDS = frozenset({"docker", "mirror", "qemu", "registry", "root", "slow", "ssh", "strace"})  # second lane
SHARED = {  # costly fixture of a session or module -> its tests stay in one worker
    "do": "networks",
    "runtime_image": "runtime-image",
    "provoked": "messages",
    "one": "training",
    "trainings": "training-state",
    "server": "mlflow-server",
}


def mark(item: pytest.Item) -> None:
    """Give the test the markers of its services, its lane, and its group of workers."""
    used = getattr(item, "fixturenames", ())
    for marker in {SERVICES[name] for name in used if name in SERVICES}:
        item.add_marker(marker)
    if NEEDS & {marker.name for marker in item.iter_markers()}:
        item.add_marker("second_lane")
    for name in sorted(SHARED.keys() & set(used)):
        item.add_marker(pytest.mark.xdist_group(SHARED[name]))
