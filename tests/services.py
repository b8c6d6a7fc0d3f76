"""Real services for tests: a Docker engine, an image registry and an SSH server, each private, on loopback,
in its own folder.

Each is a context manager and ends with its block; if the test process itself is killed, the kernel ends
the service.
"""

import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from engine import emulation

DEBIAN_PYTHON = "/usr/bin/python3"  # has GStreamer's binding, which PyPI does not
SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # not in an ordinary user's PATH


def missing(marker: str) -> str | None:
    """Return why tests with the marker cannot run here, with the fix, in one line; None if they can."""
    return _NEEDS[marker]() if marker in _NEEDS else None


class Service:
    """A program that runs in its own folder until it is ended."""

    def __init__(self) -> None:
        self.folder = Path(
            tempfile.mkdtemp(prefix="rpi-mlops-")
        )  # short, because a socket's path has at most 107 bytes
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, and return as soon as it responds."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it as a system shutdown would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Resume it."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and its children, and remove its folder."""
        self.go_on()
        _kill_all(
            *self._containers()
        )  # first, because a container that ignores SIGTERM would delay its engine by 10 s
        self.stop()
        _kill_all(str(self.folder))
        for mount in reversed(list(_mounts_below(self.folder))):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _containers(self) -> list[str]:
        return []

    @property
    def log(self) -> str:
        """Its log."""
        return "\n".join(
            path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log"))
        )

    def _run(self, *argv: str) -> None:
        command = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            shutil.which(argv[0], path=SBIN) or argv[0],
            *argv[1:],
        ]
        with (self.folder / f"{Path(argv[0]).name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "PATH": SBIN},
                )
            )

    def _until(self, answers: Callable[[], Any], within_s: float = 300) -> None:
        end = time.monotonic() + within_s
        while not answers():
            gone = next(
                (process for process in self._processes if process.poll() is not None), None
            )
            if gone or time.monotonic() > end:
                raise RuntimeError(
                    f"{type(self).__name__} "
                    f"{f'ended with {gone.returncode}' if gone else 'does not answer'}:\n{self.log[-3000:]}"
                )
            time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        for process in reversed(self._processes):
            process.send_signal(how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


class DockerEngine(Service):
    """A separate dockerd; containers have the network `none` or `host`.

    own_containerd: a containerd that survives a kill of dockerd, as on a real machine; live_restore: the
    containers survive too. certificates: a folder with ca.pem, cert.pem and key.pem, with which it also
    listens on loopback, at `tls_host`.
    """

    def __init__(
        self,
        *,
        own_containerd: bool = False,
        live_restore: bool = False,
        certificates: Path | None = None,
    ) -> None:
        super().__init__()
        self._certificates, self.tls_host = certificates, f"tcp://127.0.0.1:{free_port()}"
        self._own_containerd, self._live_restore = own_containerd or live_restore, live_restore
        self._containerd: _Containerd | None = None
        self._clients: list[Any] = []
        self.socket = self.folder / "d.sock"
        self.host = f"unix://{self.socket}"

    def start(self) -> None:
        """Start it; after `stop` or `kill`, with its previous contents."""
        words = [
            f"--{key}={self.folder / name}"
            for key, name in (("data-root", "data"), ("exec-root", "exec"), ("pidfile", "pid"))
        ]
        if self._own_containerd and not self._containerd:
            self._containerd = _Containerd()
            self._containerd.start()
        if self._containerd:
            words.append(f"--containerd={self._containerd.socket}")
        if self._live_restore:
            words.append("--live-restore")
        if self._certificates:
            words += [f"--host={self.tls_host}", "--tlsverify"]
            words += [
                f"--tls{option}={self._certificates / name}.pem"
                for option, name in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))
            ]
        (self.folder / "daemon.json").write_text("{}")  # instead of the machine's configuration
        self._run(
            "dockerd",
            *words,
            f"--config-file={self.folder / 'daemon.json'}",
            f"--host={self.host}",
            "--bridge=none",
            "--iptables=false",
        )
        self._until(self._answers)

    def client(self) -> Any:
        """Return a docker-py client for it."""
        import docker

        self._clients.append(docker.DockerClient(base_url=self.host))
        return self._clients[-1]

    def close(self) -> None:
        """End it, its containers and its mounts, and remove its folder."""
        for client in self._clients:
            client.close()
        super().close()
        if self._containerd:
            self._containerd.close()

    def _containers(self) -> list[str]:
        return [path.name for path in (self.folder / "data" / "containers").glob("*")]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.settimeout(5)
                connection.connect(str(self.socket))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b"OK" in connection.makefile("rb").read()
            except OSError:
                return False


class _Containerd(Service):
    """The containerd of a dockerd that may be killed."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = self.folder / "c.sock"

    def start(self) -> None:
        """Start it."""
        (self.folder / "config.toml").write_text(
            f'version = 2\nroot = "{self.folder}/root"\nstate = '
            f'"{self.folder}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self.socket}"\n'
        )
        self._run("containerd", "--config", str(self.folder / "config.toml"))
        self._until(self.socket.exists)


class Registry(Service):
    """Debian's docker-registry, on loopback, without TLS (which Docker allows there)."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"

    def start(self) -> None:
        """Start it; after `stop`, with its previous contents."""
        (self.folder / "config.yml").write_text(
            "version: 0.1\nlog: {accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/data}}, delete: {{enabled: "
            f"true}}}}\nhttp: {{addr: '{self.address}'}}\n"
        )
        self._run("docker-registry", "serve", str(self.folder / "config.yml"))
        self._until(lambda: _greets(self.port, b"GET /v2/ HTTP/1.0\r\n\r\n", b"HTTP/1."))


class Mosquitto(Service):
    """An MQTT broker on loopback that stores nothing; user: the name and password that it requires;
    certificate and key: with TLS.
    """

    def __init__(
        self,
        user: tuple[str, str] | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        super().__init__()
        self.port = free_port()
        self._user, self._certificate, self._key = user, certificate, key

    def start(self) -> None:
        """Start it; after `stop` or `kill`, it has forgotten everything."""
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root"]
        lines.append(f"allow_anonymous {str(self._user is None).lower()}")
        if self._user:
            passwords = self.folder / "passwords"
            subprocess.run(
                ["mosquitto_passwd", "-b", "-c", str(passwords), *self._user],
                check=True,
                capture_output=True,
            )
            lines.append(f"password_file {passwords}")
        if self._certificate:
            lines += [f"certfile {self._certificate}", f"keyfile {self._key}"]
        (self.folder / "m.conf").write_text("\n".join([*lines, ""]))
        self._run("mosquitto", "-c", str(self.folder / "m.conf"))
        self._until(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0


class SshServer(Service):
    """An sshd for the current user, with its own key; forwards TCP ports and sockets."""

    def __init__(self) -> None:
        super().__init__()
        self.host, self.port, self.user = (
            "127.0.0.1",
            free_port(),
            pwd.getpwuid(os.geteuid()).pw_name,
        )
        self.identity_file, self.known_hosts, self._host_key = (
            self.folder / "id",
            self.folder / "known_hosts",
            self.folder / "host",
        )
        _new_key(self.identity_file)
        _new_key(self._host_key)
        self.known_hosts.write_text(
            f"[{self.host}]:{self.port} {self._host_key.with_suffix('.pub').read_text()}"
        )

    @property
    def options(self) -> list[str]:
        """The options that the ssh command needs to log in, without the developer's own configuration."""
        pairs = {
            "IdentityFile": self.identity_file,
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
        }
        return [
            "-F",
            "none",
            *itertools.chain.from_iterable(
                ("-o", f"{key}={value}") for key, value in pairs.items()
            ),
        ]

    @property
    def config(self) -> str:
        """The same as an ssh configuration file."""
        return (
            f"Host *\n  IdentityFile {self.identity_file}\n  UserKnownHostsFile "
            f"{self.known_hosts}\n  GlobalKnownHostsFile /dev/null\n"
        )

    def start(self) -> None:
        """Start it; after `stop`, with the same keys."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(
                mode=0o755, exist_ok=True
            )  # sshd refuses to run as root without it
        settings = {
            "Port": self.port,
            "ListenAddress": self.host,
            "HostKey": self._host_key,
            "AuthorizedKeysFile": self.identity_file.with_suffix(".pub"),
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "AllowTcpForwarding": "yes",
            "AllowStreamLocalForwarding": "yes",
            "PrintMotd": "no",
            "Subsystem": "sftp internal-sftp",
            "MaxStartups": "100",
            "SetEnv": f"HOME={self.folder}",  # keeps the developer's own shell start-up files out of tests
        }
        (self.folder / "config").write_text(
            "".join(f"{key} {value}\n" for key, value in settings.items())
        )
        self._run("sshd", "-D", "-e", "-f", str(self.folder / "config"))
        self._until(lambda: _greets(self.port, b"", b"SSH-2.0"))

    def change_host_key(self) -> None:
        """Restart with a host key that differs from `known_hosts`, like an impostor at the same address."""
        self.stop()
        self._host_key.unlink()
        _new_key(self._host_key)
        self.start()

    def stop(self) -> None:
        """End it and its sessions, as if the device lost power."""
        sessions = list(_descendants(process.pid for process in self._processes))
        super().stop()
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    kill = stop


class RtspServer(Service):
    """GStreamer's RTSP server, on loopback, with test patterns as cameras; see tests/rtsp_server.py.

    secret: only for the user `u` with the password `p@ss`.
    """

    def __init__(self, secret: bool = False) -> None:
        super().__init__()
        self.port, self.width = free_port(), 320
        self._extra = ["secret"] if secret else []

    def address(self, path: str, user: str = "") -> str:
        """Return the address of a pattern."""
        return f"rtsp://{user}127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        """Start it; after `stop` or `kill`, at the same address. Its pictures have its `width`."""
        words = [str(self.port), str(self.width), *self._extra]
        self._run(DEBIAN_PYTHON, str(Path(__file__).with_name("rtsp_server.py")), *words)
        self._until(
            lambda: _greets(self.port, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"RTSP/1.0")
        )


class Slurm(Service):
    """A Slurm cluster of two nodes on loopback, without accounting."""

    NODES = ("n1", "n2")
    _CONFIG = """
        ClusterName=test
        SlurmctldHost=localhost(127.0.0.1)
        SlurmctldPort={control}
        SlurmUser={user}
        SlurmdUser={user}
        AuthInfo=socket={folder}/munge.socket
        CommunicationParameters=NoInAddrAny
        StateSaveLocation={folder}/state
        SlurmdSpoolDir={folder}/spool-%n
        SlurmctldPidFile={folder}/slurmctld.pid
        SlurmdPidFile={folder}/slurmd-%n.pid
        SlurmctldLogFile={folder}/control.log
        SlurmdLogFile={folder}/node-%n.log
        ProctrackType=proctrack/linuxproc
        TaskPlugin=task/none
        MpiDefault=none
        SelectType=select/cons_tres
        SelectTypeParameters=CR_Core
        SchedulerParameters=sched_interval=1
        InactiveLimit=0
        KillWait=5
        MailProg=/bin/true
        NodeName=n1 NodeAddr=127.0.0.1 NodeHostname=localhost Port={port1} CPUs=1 State=UNKNOWN
        NodeName=n2 NodeAddr=127.0.0.1 NodeHostname=localhost Port={port2} CPUs=1 State=UNKNOWN
        PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
    """

    @property
    def config(self) -> Path:
        """Its configuration file, which its commands find by the variable SLURM_CONF."""
        return self.folder / "slurm.conf"

    def start(self) -> None:
        """Start it, and return as soon as both nodes are idle."""
        ports = {f"port{number}": free_port() for number in (1, 2)}
        text = self._CONFIG.format(
            folder=self.folder,
            control=free_port(),
            user=pwd.getpwuid(os.geteuid()).pw_name,
            **ports,
        )
        self.config.write_text(textwrap.dedent(text))
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        socket_path = self.folder / "munge.socket"
        names = ("pid", "log", "seed")
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in names]
        own = [f"--key-file={key}", f"--socket={socket_path}", "--force", "--foreground"]
        self._run("munged", *own, *files)
        self._until(socket_path.exists)
        self._run("slurmctld", "-D", "-f", str(self.config))
        for node in self.NODES:
            (self.folder / f"spool-{node}").mkdir()
            self._run("slurmd", "-D", "-f", str(self.config), "-N", node)
        self._until(lambda: self._idle() == [*self.NODES])

    def _idle(self) -> list[str]:
        command = ["sinfo", "-h", "-N", "-t", "idle", "-o", "%N"]
        env = {**os.environ, "SLURM_CONF": str(self.config)}
        found = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return sorted(found.stdout.split())


@functools.cache
def _docker() -> str | None:
    if absent := [
        name for name in ("dockerd", "containerd", "iptables") if not shutil.which(name, path=SBIN)
    ]:
        return f"there is no {absent[0]}: sudo apt-get install docker.io iptables"
    may_mount = (
        os.geteuid() == 0
        and subprocess.run(
            ["unshare", "--mount", "--propagation", "unchanged", "true"],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    return (
        None
        if may_mount
        else (
            "a Docker engine cannot be started here: run the tests as root, after: sudo apt-get "
            "install docker.io iptables"
        )
    )


def _qemu() -> str | None:
    found = [emulation.look(platform) for platform in ("linux/arm64", "linux/arm/v7")]
    return next((f"{one.what}: {one.fix}" for one in found if not one.is_registered), None)


def _ssh() -> str | None:
    absent = [name for name in ("sshd", "ssh", "ssh-keygen") if not shutil.which(name, path=SBIN)]
    return f"there is no {absent[0]}: sudo apt-get install openssh-server" if absent else None


def _slurm() -> str | None:
    programs = ("slurmctld", "slurmd", "munged", "sbatch")
    if all(shutil.which(one, path=SBIN) for one in programs):
        return None
    return "Slurm is not installed: apt-get install slurmctld slurmd slurm-client munge"


def _rtsp() -> str | None:
    code = 'import gi; gi.require_version("GstRtspServer", "1.0"); from gi.repository import GstRtspServer, Gst; '
    code += 'Gst.init(None); raise SystemExit(not all(map(Gst.ElementFactory.find, ("x264enc", "rtpjpegpay"))))'
    found = subprocess.run([DEBIAN_PYTHON, "-c", code], capture_output=True, check=False)
    if found.returncode == 0:
        return None
    packages = (
        "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"
    )
    return f"there is no RTSP server of GStreamer: sudo apt-get install {packages}"


def _registry() -> str | None:
    return (
        None
        if shutil.which("docker-registry", path=SBIN)
        else "there is no docker-registry: sudo apt-get install docker-registry"
    )


def _browser() -> str | None:
    if shutil.which("chromium", path=SBIN):
        return None
    return "there is no chromium: sudo apt-get install chromium"


def _mosquitto() -> str | None:
    absent = [
        name for name in ("mosquitto", "mosquitto_passwd") if not shutil.which(name, path=SBIN)
    ]
    return f"there is no {absent[0]}: sudo apt-get install mosquitto" if absent else None


_NEEDS: dict[str, Callable[[], str | None]] = {
    "browser": _browser,
    "mosquitto": _mosquitto,
    "docker": _docker,
    "qemu": _qemu,
    "ssh": _ssh,
    "registry": _registry,
    "rtsp": functools.cache(_rtsp),
    "slurm": _slurm,
}


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _greets(port: int, sent: bytes, expected: bytes) -> bool:
    with socket.socket() as connection:
        connection.settimeout(5)
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(sent)
            return connection.recv(len(expected)) == expected
        except OSError:
            return False


def _new_key(path: Path) -> None:
    path.with_suffix(".pub").unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True
    )


def _kill_all(*marks: str) -> None:
    end = time.monotonic() + 300
    while (pids := list(processes_of(*marks))) and time.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def processes_of(*marks: str) -> Iterator[int]:
    """Yield the processes with one of the marks: a folder in the command line, or a container in the control
    group.
    """
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            told = (
                Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/cgroup").read_bytes()
            )
        except OSError:
            continue
        if int(pid) != os.getpid() and any(mark.encode() in told for mark in marks):
            yield int(pid)


def _descendants(pids: Any) -> Iterator[int]:
    for pid in pids:
        try:
            children = [
                int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            ]
        except OSError:
            continue
        yield from children
        yield from _descendants(children)


def _mounts_below(folder: Path) -> Iterator[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if (place := line.split()[1]).startswith(f"{folder}/"):
            yield place
