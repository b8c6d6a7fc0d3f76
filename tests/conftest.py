"""A user's folder with trivial stages and use cases.

Runs the command line in it, as a process (`project`) and in this process (`give`).
"""

import copy
import fcntl
import hashlib
import itertools
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import hypothesis
import pytest

from engine import digest, journal, layout, run_files
from engine.cli import cli
from engine.containers import loading
from engine.events import RunState
from engine.images import ARCHITECTURES, Image
from engine.processes.tree import MARK as SERVER
from engine.store import Store
from engine.target import platform_of
from engine.vocabulary import Event
from tests import lanes, services
from tests.browser import Browser

ROOT = Path(__file__).resolve().parent.parent
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")  # slowness of a busy machine proves nothing

MARK = "RPI_MLOPS_TEST_MARK"  # in the environment of the engine and its children, except for stages, which have SERVER's mark

MAKE = """
    from engine.stage import Out
    def make(data: Out, *, n: int = 1) -> None:
        \"\"\"Write a number.\"\"\"
        data.write_text(str(n))
"""
DOUBLE = """
    from typing import TypedDict
    from engine.stage import In, Out
    class Total(TypedDict):
        total: float
    def double(number: In, data: Out) -> Total:
        \"\"\"Double a number.\"\"\"
        n = 2 * int(number.read_text())
        data.write_text(str(n))
        return {"total": n}
"""
CHAIN = """
    name: chain
    params: {n: 3}
    stages:
      a: {uses: mystages.make, params: {n: "${params.n}"}}
      b: {uses: mystages.double, inputs: {number: a.data}}
      c: {uses: mystages.double, inputs: {number: b.data}}
"""


@dataclass
class Project:
    """A user's folder: conf/, mystages/ and outputs/."""

    path: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    outputs: Path = field(init=False)
    python: str = sys.executable  # of the environment that runs run.py
    environment: dict[str, str] = field(default_factory=dict)  # in addition to that of the tests

    def __post_init__(self) -> None:
        self.outputs = self.path / "outputs"
        (self.path / "conf" / "usecases").mkdir(parents=True)
        (self.path / "conf" / "project.yaml").write_text("target: x86_64\n")  # of any machine
        (self.path / "mystages").mkdir()
        self.stage("make", MAKE)
        self.stage("double", DOUBLE)
        self.usecase("chain", CHAIN)

    def beside(self, name: str) -> "Project":
        """The same folder with a separate outputs folder."""
        other = copy.copy(self)
        other.mark, other.outputs = uuid.uuid4().hex, self.path / name
        return other

    def stage(self, name: str, source: str) -> Path:
        """Write the stage `mystages.<name>`."""
        path = self.path / "mystages" / f"{name}.py"
        path.write_text(dedent(source).lstrip())
        return path

    def usecase(self, name: str, text: str) -> Path:
        """Write the use case."""
        path = self.path / "conf" / "usecases" / f"{name}.yaml"
        path.write_text(dedent(text).lstrip())
        return path

    def only_stage(self, source: str, **keys: Any) -> None:
        """Write the use case `one`, with a single stage `s` that has this source.

        Its function is called `only`.
        """
        self.stage("only", source)
        self.usecase(
            "one", "name: one\nstages:\n  s: " + json.dumps({"uses": "mystages.only", **keys})
        )

    def start(
        self, *words: str, before: Sequence[str] = (), **options: Any
    ) -> "subprocess.Popen[str]":
        """Start run.py in the folder; `before`: a program that starts it."""
        words = (
            tuple(words)
            if any(word.startswith("usecase=") for word in words)
            else (*words, "usecase=chain")
        )
        argv = [
            *before,
            self.python,
            str(ROOT / "run.py"),
            "--config-dir",
            str(self.path / "conf"),
            "stage_packages=[mystages]",
            "tracking=none",
            "executor=local",
            f"outputs={self.outputs}",
            *words,
        ]
        env = {**os.environ, **self.environment, MARK: self.mark}
        return subprocess.Popen(
            argv,
            cwd=self.path,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **{"stdin": subprocess.DEVNULL, **options},
        )

    def run(self, *words: str, timeout_s: float = 600) -> "subprocess.CompletedProcess[str]":
        """Run run.py in the folder to its end."""
        process = self.start(*words)
        out, err = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def done(self, *words: str) -> RunState:
        """Run to exit status 0, and return the state of that run."""
        result = self.run(*words)
        assert result.returncode == 0, f"{shlex.join(words)}\n{result.stdout}\n{result.stderr}"
        return self.state()

    @property
    def runs(self) -> list[Path]:
        """All run folders, oldest first, by their first events; a run without events comes first."""
        return sorted(
            layout.runs(self.outputs),
            key=lambda path: next((event["time"] for event in self.events(path)), 0.0),
        )

    @property
    def last(self) -> Path:
        """The folder of the newest run."""
        return self.runs[-1]

    @property
    def store(self) -> Store:
        """The store."""
        return Store(layout.store_dir(self.outputs))

    def events(self, run_dir: Path | None = None) -> list[Event]:
        """The events in the journal of a run, by default the newest."""
        return journal.read((run_dir or self.last) / journal.FILE_NAME)

    def state(self, run_dir: Path | None = None) -> RunState:
        """The final state of a run, by default the newest."""
        return run_files.state(run_dir or self.last)

    def artifacts(self, run_dir: Path | None = None) -> dict[str, str]:
        """The digests of the artifacts in a run's folder, by stage/output."""
        folder = (run_dir or self.last) / "artifacts"
        return {
            f"{path.parent.name}/{path.name}": digest.of(path)
            for path in sorted(folder.glob("*/*"))
        }

    def started(self, run_dir: Path | None = None) -> list[str]:
        """The stages that a run (by default the newest) started, with one entry per attempt."""
        return [event["stage"] for event in self.events(run_dir) if event["event"] == "job_started"]

    def processes(self) -> list[int]:
        """The living processes that a run.py of this project started, including itself."""
        return [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_ours(pid)
        ]

    @staticmethod
    def until(fact: Callable[[], Any], within_s: float = 300) -> Any:
        """Return the fact's value as soon as it is true; fail if it is not true in time."""
        end = time.monotonic() + within_s
        while not (value := fact()):
            assert time.monotonic() < end, f"not within {within_s} s"
            time.sleep(0.03)
        return value

    def _is_ours(self, pid: int) -> bool:
        own, server, store = (
            f"{MARK}={self.mark}".encode(),
            f"{SERVER}=".encode(),
            f" {self.outputs}/".encode(),
        )
        try:
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if not any(
                word == own or (word.startswith(server) and store in word) for word in words
            ):
                return False
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The printed lines, stripped of spaces."""
        return [line.strip() for line in self.out.splitlines()]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the services that it uses, and its lane."""
    for item in items:
        lanes.mark(item)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> lanes.Scheduling:
    """Distribute the tests among the workers."""
    return lanes.Scheduling(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose services this machine cannot start, with how to install them."""
    for marker in item.iter_markers():
        if reason := services.missing(marker.name):
            pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _no_engine_of_the_developers() -> Iterator[None]:
    """Keep tests from reaching a Docker engine that they did not request."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DOCKER_HOST", "unix:///nowhere")
        for name in (
            "DOCKER_CONTEXT",
            "DOCKER_TLS_VERIFY",
            "DOCKER_CERT_PATH",
            "DOCKER_API_VERSION",
        ):
            environment.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    """Let processes that tests start handle interrupts, even if a shell started the tests in the background
    with interrupts ignored.
    """
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[services.DockerEngine]:
    """A Docker engine for tests that do not change its state."""
    with services.DockerEngine() as engine:
        yield engine


@pytest.fixture
def own_docker_engine() -> Iterator[services.DockerEngine]:
    """A Docker engine that may be stopped, killed and started; its containers end with it."""
    with services.DockerEngine(own_containerd=True) as engine:
        yield engine


@pytest.fixture
def live_docker_engine() -> Iterator[services.DockerEngine]:
    """A Docker engine that may be stopped, killed and started, and whose containers keep running."""
    with services.DockerEngine(live_restore=True) as engine:
        yield engine


@pytest.fixture
def registry() -> Iterator[services.Registry]:
    """An empty image registry."""
    with services.Registry() as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium, which all tests of the session share."""
    with Browser() as found:
        yield found


@pytest.fixture
def mosquitto() -> Iterator[services.Mosquitto]:
    """An MQTT broker without a user."""
    with services.Mosquitto() as broker:
        yield broker


@pytest.fixture(scope="session")
def launchers() -> str:
    """The Python of an environment with Hydra's launchers for Ray and submitit."""
    folder = ROOT / "tests" / "launchers"
    command = [shutil.which("uv") or str(Path(sys.executable).with_name("uv")), "sync", "-q"]
    command += ["--locked", "--project", str(folder), "--python", sys.executable]
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the launchers cannot be installed: {done.stderr.strip()[-300:]}")
    return str(folder / ".venv" / "bin" / "python")


@pytest.fixture(scope="session")
def imx500_python() -> Path:
    """The Python of the environment with Sony's tools, which is made if it does not exist."""
    from engine.tools import definition, making

    if named := os.environ.get("RPI_MLOPS_IMX500"):
        return Path(named) / "bin" / "python"
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    found = definition.find([ROOT], "imx500-compiler", platform_of(platform.machine()))
    if found is None:
        pytest.skip("Sony's tools exist for x86-64 only")
    store = ROOT / "outputs" / ".engine"
    if why := found.obstacle(store):
        pytest.skip(why)
    making.make(found, store)
    return found.interpreter(store)


@pytest.fixture
def slurm() -> Iterator[services.Slurm]:
    """A Slurm cluster of two nodes."""
    with services.Slurm() as cluster:
        yield cluster


@pytest.fixture
def sshd() -> Iterator[services.SshServer]:
    """An SSH server that the current user can log in to."""
    with services.SshServer() as server:
        yield server


@pytest.fixture
def rtsp_server() -> Iterator[services.RtspServer]:
    """An RTSP server with test patterns."""
    with services.RtspServer() as server:
        yield server


@pytest.fixture(scope="session")
def plain_archive(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of an image with only Debian and Python, for this machine.

    Cached between sessions until the code that builds it changes.
    """
    made_by = [
        *sorted((ROOT / "containers" / "base").iterdir()),
        *sorted((ROOT / "stages" / "containers").glob("*.py")),
        Path(__file__),
    ]
    key = hashlib.sha256(
        b"".join(hashlib.sha256(path.read_bytes()).digest() for path in made_by)
    ).hexdigest()[:16]
    kept = pytestconfig.cache.mkdir("plain-image") / f"{key}.tar"
    with (kept.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker builds it, the others wait
        if not kept.is_file():
            for older in kept.parent.glob("*.tar"):
                older.unlink()
            made = tmp_path_factory.mktemp("plain") / "image.tar"
            _build_plain(made)
            partial = kept.with_suffix(".partial")
            shutil.move(made, partial)
            partial.rename(kept)
    return kept


def _build_plain(archive: Path) -> None:
    from stages.containers._archive import Layer, write_archive
    from stages.containers._platform import PLATFORMS
    from stages.containers._tree import epoch_of
    from stages.containers.base import base

    here, rootfs = platform_of(platform.machine()), archive.with_name("rootfs.tar")
    base(ROOT / "containers" / "base", rootfs, platform=here, base="bootstrap")
    settings = {
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
        "User": "1000:1000",
        "WorkingDir": "/",
        "Cmd": ["python3"],
    }
    write_archive(
        archive, [Layer(rootfs, "Debian and Python")], PLATFORMS[here], settings, epoch_of(rootfs)
    )
    rootfs.unlink()


@pytest.fixture(scope="session")
def plain_image(docker_engine: services.DockerEngine, plain_archive: Path) -> Image:
    """That image, in the engine of the session."""
    here = platform_of(platform.machine())
    image = Image("plain", here, f"{ARCHITECTURES[here]}-1", frozenset(), False, "containers")
    loading.load(docker_engine.client(), image.full_name, plain_archive)
    return image


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A user's folder; processes that a test leaves running end with it."""
    made = Project(tmp_path)
    yield made
    for pid in made.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def give(project, capfd, monkeypatch) -> Callable[..., Said]:
    """Run a command in the project.

    Each run is a second later than the previous one, however fast they are.
    """
    seconds, new_run_dir = itertools.count(), layout.new_run_dir
    monkeypatch.setattr(
        layout, "new_run_dir", lambda o, u, t, now: new_run_dir(o, u, t, now + next(seconds))
    )
    monkeypatch.chdir(project.path)

    def given(*words: str) -> Said:
        capfd.readouterr()
        status = command_line(project, *words)
        return Said(status, *capfd.readouterr())

    return given


def command_line(project: Project, *words: str) -> int:
    """Run a command of the project in this process, and return its exit status."""
    if not any(word.startswith("usecase=") for word in words):
        words = (*words, "usecase=chain")
    argv = [
        "--config-dir",
        str(project.path / "conf"),
        "stage_packages=[mystages]",
        "tracking=none",
        "executor=local",
        f"outputs={project.outputs}",
    ]
    return cli([*argv, *words])
