"""Fingerprints jobs: a digest over source, parameters, inputs and environment.

Pure except for `environment`.
"""

import hashlib
import json
import platform
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ENTRIES = "entries/1"
RECORD = (
    "job/1"  # the hashed data begin with type and version, so that kinds of digests cannot collide
)
DISTRIBUTIONS = {
    "cv2": ("opencv_python_headless", "opencv"),
    "PIL": ("pillow", "pil"),
    "sklearn": ("scikit_learn",),
    "yaml": ("pyyaml",),
    "tensorflow": ("tensorflow_cpu",),
}

Parts = Mapping[
    str, Mapping[str, object]
]  # "source", "parameter", "input", "environment" -> name -> value


def fingerprint(parts: Parts) -> str:
    """Return the sha256 of the parts, as 64 hexadecimal digits."""
    text = json.dumps([RECORD, parts], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def of_entries(digests: Mapping[str, str]) -> str:
    """Return the digest of a folder input, computed from its entries' names and digests."""
    text = json.dumps([ENTRIES, digests], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def differences(before: Parts, after: Parts) -> list[str]:
    """Return one line for each value that differs, with its part."""
    lines = []
    for part in ("source", "parameter", "input", "environment"):
        old, new = before.get(part, {}), after.get(part, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                lines.append(f"{part} {name}: {_short(old.get(name))} -> {_short(new.get(name))}")
    return lines


def environment(imports: frozenset[str], programs: Sequence[str] = ()) -> dict[str, str]:
    """Return the parts of this machine's environment that a local job depends on: Python, processor,
    the packages it imports and the programs it runs.
    """
    versions = {
        "python": "{}.{}.{}".format(*sys.version_info),
        "machine": f"{platform.system()} {platform.machine()}".lower(),
    }
    found_here = installed()
    for package in sorted(imports - sys.stdlib_module_names):
        names = (package.lower(), *DISTRIBUTIONS.get(package, ()))
        found = next((found_here[name] for name in names if name in found_here), None)
        versions[package] = found or "not installed"
    return versions | {f"program {name}": _program(name) for name in programs}


def _program(name: str) -> str:
    """Return the digest of a program on PATH.

    Results made without the program must not stay cached once it is installed.
    """
    path = shutil.which(name)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else "not installed"


@cache
def installed() -> dict[str, str]:
    """Return the version of each installed distribution, using only the names of dist-info folders."""
    found: dict[str, str] = {}
    for folder in reversed(sys.path):
        for path in Path(folder).glob("*.dist-info") if folder and Path(folder).is_dir() else ():
            match = re.fullmatch(r"(.+)-([^-]+)\.dist-info", path.name)
            if match:
                found[match[1].lower().replace("-", "_")] = match[2]
    return found


def _short(value: object) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if re.fullmatch(r"(?:\w+:)?[0-9a-f]{64}", text) else text[:60]
