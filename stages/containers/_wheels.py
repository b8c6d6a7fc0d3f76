"""Wheels without an installer: downloaded by pip for another platform, checked, and copied unchanged
into a tree.

Scripts are not created: in a container, programs start with `python3 -m`. Format of a wheel:
packaging.python.org, binary distribution format.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from engine.stage import StageError
from stages.containers._download import cache, cached, digest_of, keep, sweep
from stages.containers._platform import PYTHON, Platform, wheel_tags
from stages.containers._tree import Entry, Tree, file, inside, unpacking

SITE = "usr/local/lib/python3.11/dist-packages"  # on the default path of Debian's Python
MAX_FILE_BYTES = 2 << 30
_LINE = re.compile(r"([a-z0-9][a-z0-9.-]*)==([A-Za-z0-9.!+]+) --hash=sha256:([0-9a-f]{64})")
_ABIS = ("cp311", "abi3", "none")
_SCHEMES = {"purelib": SITE, "platlib": SITE, "data": "usr/local", "scripts": "usr/local/bin"}


def read_requirements(path: Path) -> dict[str, str]:
    """Return the lines of a lock of wheels by sha256."""
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    found = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if not match:
            raise StageError(
                f"{path.name}: '{line[:80]}' is not NAME==VERSION --hash=sha256:...; "
                "create it again with: make lock"
            )
        found[match[3]] = line
    return found


def download_wheels(requirements: dict[str, str], platform: Platform) -> list[Path]:
    """Return the wheels of the lock; pip downloads those not in the cache from its configured index."""
    sweep()
    wheels = {sha256: cached(sha256) for sha256 in requirements}
    missing = [requirements[sha256] for sha256, path in wheels.items() if path is None]
    if missing:
        with tempfile.TemporaryDirectory(dir=cache(), prefix=".") as folder:
            pip_download(missing, platform, Path(folder))
            for path in sorted(Path(folder).glob("*.whl")):
                digest = digest_of(path)
                if digest in wheels:
                    wheels[digest] = keep(path, digest)
    absent = [requirements[sha256].split(" ")[0] for sha256, path in wheels.items() if path is None]
    if absent:
        raise StageError(f"pip downloaded no wheel of the lock for {', '.join(absent)}")
    return [path for path in wheels.values() if path is not None]


def pip_download(lines: list[str], platform: Platform, folder: Path) -> None:
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    version = ".".join(map(str, PYTHON))
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--no-cache-dir",
        "--ignore-requires-python",
        "--disable-pip-version-check",
        "--implementation",
        "cp",
        "--python-version",
        version,
        "-d",
        str(folder),
        "-r",
        str(wanted),
    ]
    argv += [word for abi in _ABIS for word in ("--abi", abi)]
    argv += [word for tag in wheel_tags(platform) for word in ("--platform", tag)]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        reasons = [
            line.removeprefix("ERROR: ")
            for line in done.stderr.splitlines()
            if line.startswith("ERROR")
        ] or done.stderr.splitlines()[-1:]
        raise StageError(
            f"pip cannot download the wheels for {platform.name}: "
            f"{' '.join(reasons[:3]) or 'it gives no reason'}"
        )


def lay(wheel: Path, tree: Tree, leave_out: Sequence[str]) -> None:
    """Add the files of a wheel to the tree, except for those that match a pattern.

    Their contents are read when the tree is written.
    """
    with unpacking():
        archive = zipfile.ZipFile(wheel)
    for info in archive.infolist():
        if not info.filename:
            raise StageError(f"{wheel.name} has a file without a name")
        if not info.is_dir() and not any(
            fnmatchcase(info.filename, pattern) for pattern in leave_out
        ):
            tree.add(_place(info.filename), _packed(archive, info))


def _place(name: str) -> str:
    """Return the destination of a file of a wheel.

    Only files in NAME.data/SCHEME/ do not go next to the modules.
    """
    parts = inside(name)
    if len(parts) > 2 and parts[0].endswith(".data"):
        return "/".join([_SCHEMES.get(parts[1], SITE), *parts[2:]])
    return "/".join([SITE, *parts])


def _packed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Entry:
    if info.file_size > MAX_FILE_BYTES:
        raise StageError(f"a wheel has a file of {info.file_size:,} bytes: {info.filename}")
    mode = 0o755 if (info.external_attr >> 16) & 0o111 else 0o644
    return Entry(file(b"").kind, mode, info.file_size, "", _reader(archive, info))


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)
