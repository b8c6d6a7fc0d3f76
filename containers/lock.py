"""Regenerates every lock under containers/: `make lock`.

Debian packages are resolved by apt for each platform, in a private root and without emulation, from the main
suite only. Wheels are those of uv.lock, so that a stage has the same versions in a container as in a
local process. An image with `wheels: {packages: [...]}` lists its packages itself, and uv
resolves them for its platform: executor=local makes an environment from the same lock.
"""

import email.utils
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


from stages.containers._platform import GLIBC, PLATFORMS, PYTHON, Platform, wheel_tags

PROJECT = "raspberrypi-mlops"
CONTAINERS = ROOT / "containers"
SUITE = (
    "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian "
    "bookworm main"
)
BASE = ["?essential", "usr-is-merged", "apt", "ca-certificates", "python3"]
APT = """\
Dir "{root}";
Dir::State::status "{root}/status";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""


class Apt:
    """A separate apt for one platform, independent of this machine's packages."""

    def __init__(self, root: Path, platform: Platform) -> None:
        self.root = root
        for folder in (
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
        ):
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        (root / "etc/apt/sources.list").write_text(SUITE + "\n")
        (root / "apt.conf").write_text(APT.format(root=root, architecture=platform.debian))
        self._run("apt-get", "-q", "update")

    def epoch(self) -> int:
        """Return the time of the release, in seconds since 1970."""
        (release,) = (self.root / "var/lib/apt/lists").glob("*_InRelease")
        date = re.search(r"^Date: (.*)$", release.read_text(), re.MULTILINE)
        assert date
        return int(email.utils.parsedate_to_datetime(date[1].replace("UTC", "+0000")).timestamp())

    def closure(self, names: Iterable[str]) -> list[str]:
        """Return the lock's lines for these packages and all their dependencies."""
        answer = self._run("apt-get", "-q", "-y", "--print-uris", "install", *names)
        wanted = {
            match[1] for match in re.finditer(r"^'\S+/(pool/\S+)'", unquote(answer), re.MULTILINE)
        }
        index = self._run("apt-cache", "dumpavail")
        found = sorted(line for place, line in _stanzas(index) if place in wanted)
        assert len(found) == len(wanted), sorted(wanted)
        return found

    def _run(self, *argv: str) -> str:
        environment = {
            "APT_CONFIG": str(self.root / "apt.conf"),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C",
        }
        done = subprocess.run(argv, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
        return done.stdout


def _stanzas(index: str) -> Iterator[tuple[str, str]]:
    for stanza in index.split("\n\n"):
        fields = dict(
            re.findall(r"^(Package|Version|Filename|SHA256): (.*)$", stanza, re.MULTILINE)
        )
        if "Filename" in fields:
            yield (
                fields["Filename"],
                f"{fields['Package']} {fields['Version']} {fields['Filename']} {fields['SHA256']}",
            )


class Wheels:
    """The wheels of one platform in uv.lock."""

    def __init__(self, platform: Platform) -> None:
        packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        self.packages = {(package["name"], package.get("version")): package for package in packages}
        self.versions: dict[str, list[str]] = {}
        for name, version in self.packages:
            self.versions.setdefault(name, []).append(version)
        version = ".".join(map(str, PYTHON))
        self.environment = {
            "python_version": version,
            "python_full_version": f"{version}.2",
            "sys_platform": "linux",
            "os_name": "posix",
            "platform_machine": platform.machine,
            "platform_system": "Linux",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }
        tags = wheel_tags(platform)
        self.order = {
            tag: n
            for n, tag in enumerate(
                [*cpython_tags(PYTHON, platforms=tags), *compatible_tags(PYTHON, platforms=tags)]
            )
        }

    def closure(self, extra: str, without: Iterable[str]) -> list[str]:
        """Return the lock's lines for one of the project's extras and all its dependencies.

        without: packages that are left out
        """
        seen, done = set(without), []
        project = self.packages[PROJECT, self.versions[PROJECT][0]]
        todo = self._chosen(project["optional-dependencies"][extra], extra)
        while todo:
            name, version = todo.pop()
            if name not in seen:
                seen.add(name)
                package = self.packages[name, version]
                done.append(f"{name}=={version} --hash={self.wheel(package)}")
                todo.extend(self._chosen(package.get("dependencies", []), extra))
        return sorted(done)

    def wheel(self, package: dict[str, Any]) -> str:
        """Return the hash of the wheel that pip would choose on the platform."""
        fitting = [
            (self._rank(wheel["url"].rsplit("/", 1)[1]), hash_of(wheel))
            for wheel in package.get("wheels", [])
        ]
        best = min(fitting, default=(len(self.order), ""))
        if best[0] == len(self.order):
            sys.exit(
                f"{package['name']} {package['version']} has no wheel for "
                f"{self.environment['platform_machine']}; use a Debian package instead"
            )
        return best[1]

    def _chosen(self, dependencies: list[dict[str, Any]], extra: str) -> list[tuple[str, str]]:
        # how uv names the extras that exclude each other (train and gpu), in markers of its lock
        environment = {**self.environment, "extra": f"extra-{len(PROJECT)}-{PROJECT}-{extra}"}
        fitting = [
            d
            for d in dependencies
            if "marker" not in d or Marker(d["marker"]).evaluate(environment)
        ]
        return [(d["name"], d.get("version") or self.versions[d["name"]][0]) for d in fitting]

    def _rank(self, wheel: str) -> int:
        tags: frozenset[Tag] = parse_wheel_filename(wheel)[3]
        return min((self.order[tag] for tag in tags if tag in self.order), default=len(self.order))


def hash_of(file: dict[str, Any]) -> str:
    """Return the hash of a file in uv.lock, or in a pylock.toml (PEP 751)."""
    return file["hash"] if "hash" in file else f"sha256:{file['hashes']['sha256']}"


def resolve(packages: Iterable[str], sources: Iterable[str], platform: Platform) -> dict[str, Any]:
    """Return uv's resolution of these packages for the platform, as a pylock.toml (PEP 751).

    sources: packages without a wheel, which are built from source
    """
    beside = Path(sys.executable).with_name("uv")
    argv = [str(beside) if beside.is_file() else shutil.which("uv") or "uv", "pip", "compile", "-q"]
    argv += ["--python-version", ".".join(map(str, PYTHON)), "--format", "pylock.toml"]
    argv += ["--python-platform", f"{platform.machine}-manylinux_2_{GLIBC}"]
    argv += [
        "--only-binary",
        ":all:",
        *(word for name in sources for word in ("--no-binary", name)),
    ]
    text = "".join(f"{package}\n" for package in packages)
    done = subprocess.run([*argv, "-"], input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(argv)}\n{done.stderr}")
    return tomllib.loads(done.stdout)


def own_locks(image: dict[str, Any], platform: Platform) -> dict[str, list[str]]:
    """Return the locks of an image that lists its packages, by the beginning of their names."""
    wanted, wheels = image["wheels"], Wheels(platform)
    sources = wanted.get("sources", [])
    locks: dict[str, list[str]] = {"requirements": [], "sources": []}
    for package in resolve(wanted["packages"], sources, platform)["packages"]:
        is_source = package["name"] in sources
        found = hash_of(package["sdist"]) if is_source else wheels.wheel(package)
        line = f"{package['name']}=={package['version']} --hash={found}"
        locks["sources" if is_source else "requirements"].append(line)
    return {name: sorted(lines) for name, lines in locks.items() if lines}


def lock_platform(platform: Platform, root: Path) -> None:
    """Write the locks of one platform: those of the base and of each image."""
    apt = Apt(root, platform)
    base = apt.closure(BASE)
    _write(CONTAINERS / "base" / f"debian-{platform.arch}.lock", [f"epoch {apt.epoch()}", *base])
    for file in sorted(CONTAINERS.glob("*/image.yaml")):
        image = yaml.safe_load(file.read_text())
        if platform.name not in image["platforms"] or "wheels" not in image:
            continue
        instead = image.get("debian", {}).get(platform.arch, {})
        left_out = [*instead, *image["wheels"].get("without", [])]
        if "packages" in image["wheels"]:
            locks = own_locks(image, platform)
        else:
            locks = {"requirements": Wheels(platform).closure(image["wheels"]["extra"], left_out)}
        for name, lines in locks.items():
            _write(file.parent / f"{name}-{platform.arch}.lock", lines)
        if instead:
            packages = sorted(set(apt.closure([*BASE, *instead.values()])) - set(base))
            _write(
                file.parent / f"debian-{platform.arch}.lock", [f"epoch {apt.epoch()}", *packages]
            )


def _write(path: Path, lines: list[str]) -> None:
    path.write_text(
        "# Made by containers/lock.py: make lock\n" + "".join(f"{line}\n" for line in lines)
    )
    print(f"{path.relative_to(ROOT)}: {len(lines)} lines")


if __name__ == "__main__":
    for each in PLATFORMS.values():
        with tempfile.TemporaryDirectory() as folder:
            lock_platform(each, Path(folder))
