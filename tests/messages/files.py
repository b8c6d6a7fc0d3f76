"""Mistakes in YAML files, in digested files, and in fetched assets."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from engine import asset, digest, fetch, yamlfile
from engine.asset import AssetFile
from engine.errors import UserError
from engine.store import Store
from tests.messages.forms import ASSET, FILE
from tests.messages.rows import Subject, Told, told

YAML = {
    "empty": (b"", "{here}/f.yaml", "empty", "write"),
    "list": (b"- a\n", "{here}/f.yaml", "list", "name: ..."),
    "large": (b"#" * 10_000_001, "{here}/f.yaml", "10,000,000", "split"),
    "latin": (b"a: \xe4\n", "{here}/f.yaml", "UTF-8", "UTF-8"),
    "absent": (None, "{here}/f.yaml", "No such file", "check the path"),
    "loop": (b"x: &x [*x]\n", "{here}/f.yaml", "*x", "write"),
    "bomb": (
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in b"bcdefg"
        ),
        "{here}/f.yaml",
        "500,000",
        "write",
    ),
    "deep": (b"a: " + b"[" * 50 + b"]" * 50, "{here}/f.yaml", "40", "flatten"),
    "braces": (
        b"a: 1\nb: {n: ${params.n}}\n",
        "{here}/f.yaml, line 2",
        "quotes",
        '{epochs: "${params.epochs}"}',
    ),
    "truth": (b"a: 1\nno: 1\n", "{here}/f.yaml, line 2", "no", '"no"'),
    "tag": (
        b"a: !!python/name:os.system x\n",
        "{here}/f.yaml, line 1",
        "tag:yaml.org,2002:python/name:os.system",
        "plain values",
    ),
    "tab": (b"a:\n\tb: 1\n", "{here}/f.yaml, line 2", "tab", "two spaces"),
    "twice": (b"a: 1\na: 2\n", "{here}/f.yaml, line 2", "'a'", "keep one"),
}
DIGESTS = {
    "loop": (lambda folder: (folder / "up").symlink_to(folder), "{here}/data/up", "link", "remove"),
    "dangling": (
        lambda folder: (folder / "x").symlink_to("nowhere"),
        "{here}/data/x",
        "No such file",
        "remove",
    ),
    "pipe_inside": (
        lambda folder: os.mkfifo(folder / "x"),
        "{here}/data/x",
        "neither a file nor a folder",
        "remove",
    ),
    "pipe": (
        lambda folder: (folder.rmdir(), os.mkfifo(folder)),
        "{here}/data",
        "neither a file nor a folder",
        "a file or a folder",
    ),
    "kernel": (
        lambda folder: (folder / "x").symlink_to("/proc/version"),
        "{here}/data/x",
        "proc",
        "copy",
    ),
    "absent": (lambda folder: folder.rmdir(), "{here}/data", "No such file", "check the path"),
}
WANTED = hashlib.sha256(b"wanted").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
FETCHES = {
    "other_in_the_mirror": (
        {"url": "https://x/m", "mirrored": b"other"},
        "{here}/mirror/m",
        "ca9066873bf3",
        "https://x/m",
    ),
    "nowhere": (
        {"url": "file:///no/such/file"},
        "asset a: m",
        "file:///no/such/file",
        "mirror={here}/mirror",
    ),
    "other_at_the_source": (
        {"url": "file://{here}/source", "source": b"other"},
        "asset a: m",
        "d9298a10d1b0",
        "mirror=",
    ),
}


def _yaml(data: bytes | None, folder: Path) -> list[Told]:
    if data is not None:
        (folder / "f.yaml").write_bytes(data)
    with pytest.raises(UserError) as caught:
        yamlfile.load(folder / "f.yaml")
    return told(caught.value, folder)


def _digest(harm: Any, folder: Path) -> list[Told]:
    (folder / "data").mkdir()
    harm(folder / "data")
    with pytest.raises(UserError) as caught:
        digest.of(folder / "data")
    return told(caught.value, folder)


def _fetch(facts: dict[str, Any], folder: Path) -> list[Told]:
    (folder / "mirror").mkdir()
    for name, place in (("mirrored", "mirror/m"), ("source", "source")):
        if name in facts:
            (folder / place).write_bytes(facts[name])
    file = AssetFile(**{**FILE, "sha256": WANTED, "bytes": 6}).model_copy(
        update={"url": facts["url"].replace("{here}", str(folder))}
    )
    wanted = asset.parse(ASSET, "a.yaml").model_copy(update={"files": (file,)})
    with pytest.raises(UserError) as caught:
        fetch.fetch(wanted, Store(folder / "store"), folder / "mirror", lambda *_: None)
    return told(caught.value, folder)


SUBJECTS = {
    "yaml": Subject(YAML, _yaml),
    "digest": Subject(DIGESTS, _digest),
    "fetch": Subject(FETCHES, _fetch),
}
