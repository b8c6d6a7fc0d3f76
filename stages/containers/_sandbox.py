"""Runs one program of an image in a Docker engine, with minimal privileges, and leaves nothing behind.

The sequence is create, start, wait, inspect, logs, remove. It never attaches, so a lost connection is
noticed and no container is lost. Files are copied through the engine's API, because the engine may be
on another machine.
"""

import io
import os
import signal
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageLoadError, ImageNotFound, NotFound
from docker.types import LogConfig

from engine.stage import StageError
from engine.stage.platforms import PLATFORMS
from stages.containers._layout import Image

_VOLUME = "/smoke"  # the container's root is read-only, and the volume's top folder belongs to root
FOLDER = f"{_VOLUME}/job"
# its value: the time, in seconds since 1970, after which any run may remove the container
LABEL = "raspberrypi-mlops.smoke"
_REPOSITORY = (
    "raspberrypi-mlops-smoke"  # for images under test; their tags begin with such a time too
)
_DAY_S = 86_400
_USER = 1000
# Under QEMU a program sees the host's CPU caches, and with those of x86, LiteRT 2.3.0 for arm64 dereferences
# a null pointer (measured: signal 11 in Interpreter()). So it is shown four CPUs without caches, as on a
# Raspberry Pi.
_PROCESSORS = "/sys/devices/system/cpu"
_FOUR = dict.fromkeys(("online", "possible", "present"), b"0-3\n")
_CALL_TIMEOUT_S = 600  # an engine on a slow disk takes minutes to load an image
_LOG_LINES = 40
_NO_EMULATION = (
    "this engine cannot run {platform}: no QEMU handler is registered for it; sudo apt-get install "
    "qemu-user-static binfmt-support, "
    "or docker run --privileged --rm tonistiigi/binfmt --install all"
)


@contextmanager
def engine() -> Iterator[Any]:
    """Yield the engine of DOCKER_HOST, or this machine's; turn its errors into StageErrors."""
    try:
        client = docker.from_env(timeout=_CALL_TIMEOUT_S, use_ssh_client=True)
        client.ping()
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        place = os.environ.get("DOCKER_HOST") or "this machine's own socket"
        raise StageError(
            f"no Docker engine found at {place}: sudo apt-get install docker.io, or set DOCKER_HOST"
        ) from None
    try:
        yield client
    except (requests.RequestException, OSError) as error:
        raise StageError(
            f"the connection to the Docker engine was lost ({type(error).__name__}): start "
            "it, and repeat the command"
        ) from None
    except DockerException as error:
        raise StageError(f"the Docker engine refuses: {_sentence(error)}") from None
    finally:
        client.close()


def is_emulated(client: Any, image: Image) -> bool:
    """Return whether the engine emulates the image's processor; arm/v7 runs natively on arm64."""
    here, wanted = client.version().get("Arch"), image.config.get("architecture")
    return bool(here != wanted and (here, wanted) != ("arm64", "arm"))


@contextmanager
def loaded(client: Any, image: Image) -> Iterator[str]:
    """Yield the image's name in the engine; remove the image afterwards if it did not exist before."""
    try:
        yield str(client.images.get(image.config_digest).id)
        return
    except ImageNotFound:
        pass
    tag = f"{_REPOSITORY}:{int(time.time()) + _DAY_S}-{uuid.uuid4().hex}"
    try:
        with image.path.open("rb") as archive:
            found = client.images.load(archive)
        if len(found) != 1:
            raise StageError(f"the engine read {len(found)} images from {image.path.name}, not one")
        found[0].tag(tag)
    except (ImageLoadError, APIError) as error:
        raise StageError(f"the engine refuses {image.path.name}: {_sentence(error)}") from None
    try:
        yield str(found[0].id)
    finally:
        with suppress(APIError, requests.RequestException):
            client.images.remove(tag)


def run(
    client: Any,
    image: Image,
    name: str,
    argv: Sequence[str],
    files: Mapping[str, bytes],
    wanted: str,
    *,
    memory_mb: int,
    timeout_s: int,
) -> bytes:
    """Run `argv` in a FOLDER with `files`, and return the wanted file that it writes there.

    Raise StageError, with the cause, if it fails.
    """
    _remove_forgotten(client)
    limit = memory_mb << 20
    shown, environment = (
        {},
        {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    if is_emulated(client, image):
        shown[_PROCESSORS] = _FOUR
        known = PLATFORMS.get(image.platform)
        environment["QEMU_CPU"] = (known and known.qemu_cpu) or "max"
    with _ended_politely():
        container = client.containers.create(
            name,
            entrypoint=[argv[0]],
            command=list(argv[1:]),
            user=f"{_USER}:{_USER}",
            network_mode="none",
            read_only=True,
            init=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=limit,
            memswap_limit=limit,
            pids_limit=256,
            tmpfs={"/tmp": "size=64m,mode=1777"},
            volumes=[_VOLUME, *shown],
            working_dir=_VOLUME,
            environment=environment,
            labels={LABEL: str(int(time.time()) + timeout_s + _CALL_TIMEOUT_S)},
            log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
        )
        try:
            container.put_archive(
                _VOLUME,
                _packed(
                    {"job": None, **{f"job/{name}": content for name, content in files.items()}}
                ),
            )
            for place, contents in shown.items():
                container.put_archive(place, _packed(contents))
            _start_and_wait(container, image, memory_mb, timeout_s)
            return _unpacked(container, f"{FOLDER}/{wanted}")
        finally:
            with suppress(APIError, requests.RequestException):
                container.remove(v=True, force=True)


def _start_and_wait(container: Any, image: Image, memory_mb: int, timeout_s: int) -> None:
    try:
        container.start()
    except APIError as error:
        raise _cause(image, str(error.explanation or error)) from None
    try:
        container.wait(timeout=timeout_s)
    except requests.exceptions.RequestException as error:
        container.reload()  # also fails if the engine is gone
        if container.status == "running":
            raise StageError(
                f"it did not end within {timeout_s} s; raise the parameter timeout_s"
            ) from None
        raise error
    container.reload()
    state = container.attrs["State"]
    if state["OOMKilled"]:  # not visible in the exit status
        raise StageError(
            f"out of memory: the limit is {memory_mb} MiB; raise the parameter memory_mb"
        )
    if state["ExitCode"]:
        log = container.logs(tail=_LOG_LINES).decode(errors="replace").strip()
        sys.stderr.write(f"{log}\n")
        raise _cause(image, (log.splitlines() or ["no output"])[-1], int(state["ExitCode"]))


def _cause(image: Image, message: str, status: int = 1) -> StageError:
    if "exec format error" in message.lower():
        return StageError(_NO_EMULATION.format(platform=image.platform))
    if "executable file not found" in message or (
        "no such file or directory" in message.lower() and status in (1, 127)
    ):
        return StageError(f"the image cannot start Python: {message}")
    if 128 < status < 128 + signal.NSIG:
        return StageError(
            f"Python was killed in the image by {_signal_name(status - 128)}: {message}"
        )
    return StageError(f"the smoke test failed in the image with status {status}: {message}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _packed(files: Mapping[str, bytes | None]) -> bytes:
    """Return a tar of the ordinary user's files; None is a folder that the user can write to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.uid = info.gid = _USER
            info.type, info.mode, info.size = (
                (tarfile.DIRTYPE, 0o755, 0)
                if content is None
                else (tarfile.REGTYPE, 0o444, len(content))
            )
            tar.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def _unpacked(container: Any, path: str) -> bytes:
    try:
        pieces, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            stream = tar.extractfile(tar.getmembers()[0])
            return stream.read() if stream else b""
    except (NotFound, tarfile.TarError, IndexError):
        raise StageError("the smoke test ended in the image without writing outputs") from None


def _remove_forgotten(client: Any) -> None:
    """Remove expired containers and images of killed smoke tests."""
    for container in client.containers.list(
        all=True, filters={"label": LABEL}, ignore_removed=True
    ):
        if _is_over(container.labels.get(LABEL, "")):
            with suppress(APIError):
                container.remove(v=True, force=True)
    for tag in [tag for image in client.images.list(name=_REPOSITORY) for tag in image.tags]:
        if tag.startswith(f"{_REPOSITORY}:") and _is_over(tag.partition(":")[2].partition("-")[0]):
            with suppress(APIError):
                client.images.remove(tag)


def _is_over(until: str) -> bool:
    return until.isdigit() and int(until) < time.time()


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that the container is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sentence(error: Exception) -> str:
    message = getattr(error, "explanation", None) or str(error)
    return (
        str(message).strip().splitlines()[0][:300] if str(message).strip() else type(error).__name__
    )
