"""An image's configuration and layer for the code that is added to it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.containers import _layout
from stages.containers._tree import Tree, file

_ROOT = re.compile(r"\d+")
PLACE = "/opt/rpi-mlops"  # engine/job_code.py: INSIDE


def write_layer(code: Path, layer: Path, epoch: int) -> list[str]:
    """Write the layer with the code; return the folders that Python must search, in order.

    code: a folder with one numbered folder for each root. Every file belongs to root and has the
    time of the image, so the same code gives the same bytes.
    """
    if not code.is_dir():
        raise StageError("the code is not a folder")
    roots = sorted((path for path in code.iterdir()), key=lambda path: path.name.zfill(9))
    if not roots or not all(_ROOT.fullmatch(path.name) and path.is_dir() for path in roots):
        raise StageError("the code must contain only the folders 0, 1, ...")
    tree = Tree()
    for path in sorted(path for path in code.rglob("*") if path.is_file()):
        mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
        inside = path.relative_to(code).as_posix()
        tree.add(f"{PLACE}/{inside}", file(path.read_bytes(), mode))
    with layer.open("wb") as out:
        tree.write(out, epoch)
    return [f"{PLACE}/{path.name}" for path in roots]


def config(image: _layout.Image, diff_id: str, roots: Sequence[str]) -> bytes:
    """Return the image's configuration with one more layer, whose folders precede its PYTHONPATH."""
    made = dict(image.config)
    settings: dict[str, Any] = dict(made.get("config") or {})
    given = [str(one) for one in settings.get("Env") or []]
    before = [one.partition("=")[2] for one in given if one.startswith("PYTHONPATH=")]
    others = [one for one in given if not one.startswith("PYTHONPATH=")]
    settings["Env"] = [*others, f"PYTHONPATH={':'.join([*roots, *before])}"]
    made["config"] = settings
    made["rootfs"] = {**made["rootfs"], "diff_ids": [*made["rootfs"]["diff_ids"], diff_id]}
    entry = {"created": made.get("created"), "created_by": "code of stages"}
    if isinstance(made.get("history"), list):
        made["history"] = [*made["history"], entry]
    return as_json(made)


def as_json(value: Any) -> bytes:
    """Return the value as JSON with reproducible bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
