"""Measures building an image: `python benchmarks/images.py` builds `runtime` for arm64 without emulation,
and its Dockerfile under QEMU.

Both start with the same base and with wheels on this machine's disk; Docker gets its own engine, so that
nothing is cached. If Docker or QEMU is missing, only the first build is measured. `--image` and
`--platform` choose another image.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stages.containers._platform import Platform, platform_of  # noqa: E402 - the root comes first
from stages.containers._wheels import pip_download, read_requirements  # noqa: E402

LIMIT_S, LIMIT_RATIO, LIMIT_BYTES = 10, 10, 150_000_000
START_S = 30
STAGE = (
    "import sys; from pathlib import Path; from stages.containers.{0} import {0}; "
    "print({0}(*map(Path, sys.argv[2:]), platform=sys.argv[1]{1}))"
)


def stage(name: str, platform: Platform, *paths: Path, more: str = "") -> float:
    """Return the seconds of a stage, including its process."""
    paths[-1].unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", STAGE.format(name, more), platform.name, *map(str, paths)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def missing(platform: Platform) -> str | None:
    """Return why Docker cannot build for the platform on this machine."""
    if not shutil.which("dockerd"):
        return "dockerd is not installed: apt-get install docker.io"
    if os.geteuid() != 0:
        return "a Docker engine of its own needs root"
    handler = {"aarch64": "qemu-aarch64", "armv7l": "qemu-arm"}.get(platform.machine)
    if handler and not Path(f"/proc/sys/fs/binfmt_misc/{handler}").exists():
        return f"QEMU's handler {handler} is not registered: apt-get install qemu-user-static binfmt-support"
    return None


@contextmanager
def engine(folder: Path) -> Iterator[dict[str, str]]:
    """Run a separate Docker engine, and yield the environment variables to connect to it."""
    argv = [
        "dockerd",
        "--data-root",
        f"{folder}/data",
        "--exec-root",
        f"{folder}/exec",
        "-H",
        f"unix://{folder}/d.sock",
        "-p",
        f"{folder}/pid",
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [*argv, "--bridge=none", "--iptables=false"], stdout=log, stderr=log
        ) as process,
    ):
        try:
            deadline = time.monotonic() + START_S
            while not (folder / "d.sock").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            yield {**os.environ, "DOCKER_HOST": f"unix://{folder}/d.sock", "DOCKER_BUILDKIT": "0"}
        finally:
            process.terminate()
            process.wait()
            subprocess.run(
                ["umount", f"{folder}/exec/netns/default"], stderr=subprocess.DEVNULL
            )  # which the engine leaves mounted


def docker_build(image: Path, platform: Platform, base: Path, folder: Path) -> float:
    """Return the seconds of `docker build` under QEMU."""
    context = folder / "context"
    shutil.copytree(image, context)
    (context / "wheels").mkdir()
    pip_download(
        list(read_requirements(image / f"requirements-{platform.arch}.lock").values()),
        platform,
        context / "wheels",
    )
    (folder / "base").mkdir()
    os.link(base, folder / "base" / "base.tar")
    (folder / "base" / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
    lock = image / f"debian-{platform.arch}.lock"
    packages = (
        [line.split()[0] for line in lock.read_text().splitlines() if line.startswith("python3-")]
        if lock.exists()
        else []
    )
    settings = {
        "BASE": "base",
        "ARCH": platform.arch,
        "PIP_NO_INDEX": "1",
        "DEBIAN_PACKAGES": " ".join(packages),
    }
    arguments = [
        word for name, value in settings.items() for word in ("--build-arg", f"{name}={value}")
    ]
    with engine(folder) as environment:
        build = ["docker", "build", "--platform", platform.name, "--network", "host"]
        _run([*build, "-t", "base", str(folder / "base")], environment)
        start = time.perf_counter()
        _run([*build, "--no-cache", *arguments, str(context)], environment)
        return time.perf_counter() - start


def _run(argv: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout[-3000:]}")


def main() -> None:
    """Print the figures and their limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="runtime")
    parser.add_argument("--platform", default="linux/arm64")
    chosen = parser.parse_args()
    platform, image = platform_of(chosen.platform), ROOT / "containers" / chosen.image
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base, archive = folder / "base.tar", folder / "image.tar"
        bootstrap_s = min(
            stage("base", platform, ROOT / "containers" / "base", base, more=", base='bootstrap'")
            for _ in range(2)
        )
        build_s = min(
            stage("build", platform, image, base, archive) for _ in range(3)
        )  # the first may still download
        above = archive.stat().st_size - base.stat().st_size
        first = hashlib.sha256(archive.read_bytes()).hexdigest()
        stage("build", platform, image, base, archive)
        same = (
            "the same"
            if hashlib.sha256(archive.read_bytes()).hexdigest() == first
            else "NOT the same"
        )
        print(f"{chosen.image} for {platform.name}, without emulation, warm:")
        print(
            f"  base from Debian's packages       {bootstrap_s:8.1f} s   {base.stat().st_size / 1e6:8.1f} MB"
        )
        print(
            f"  image on that base                {build_s:8.1f} s   {above / 1e6:8.1f} MB above it   "
            f"(limits: {LIMIT_S} s, {LIMIT_BYTES / 1e6:.0f} MB)"
        )
        print(f"  built twice                       {same} bytes, sha256 {first[:12]}")
        reason = missing(platform)
        if reason:
            print(f"  docker build under QEMU            not measured: {reason}")
            return
        qemu_s = docker_build(image, platform, base, folder)
        print(f"  docker build under QEMU           {qemu_s:8.1f} s")
        print(
            f"  ratio                             {qemu_s / build_s:8.1f}     (at least {LIMIT_RATIO})"
        )


if __name__ == "__main__":
    main()
