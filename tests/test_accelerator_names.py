"""The files that an accelerator consists of: no other file of the project names it."""

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from engine import accelerator as targets
from stages.tflite.compiled_forms import names

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"edge ?tpu|imx ?500|\bcoral\b", re.IGNORECASE)
OWN = (  # the files of one accelerator, as patterns
    *("engine/accelerators/edgetpu.py", "engine/stage/coral.py", "engine/commands/edgetpu.py"),
    *("stages/accelerators/edgetpu.py", "stages/edgetpu/*", "stages/coral/*"),
    *("conf/accelerator/edgetpu.yaml", "containers/edgetpu-*", "usecases/edgetpu_images.yaml"),
    *("engine/accelerators/imx500.py", "engine/stage/imx500.py", "engine/commands/imx500.py"),
    *("stages/accelerators/imx500.py", "stages/imx500/*", "conf/accelerator/imx500.yaml"),
    *("containers/imx500-*", "usecases/imx500_images.yaml", "usecases/imx500_package.yaml"),
)
FACTS = (  # what people choose, what was published, what is generated, and what is written about it
    *("conf/target/*", "conf/asset/*", "conf/schema/*"),
    *("docs/*", "tests/*", "benchmarks/*", ".ci/*", "*.md", "uv.lock", "pyproject.toml"),
)


def tracked() -> list[str]:
    """The files of the project, as Git lists them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is not a Git repository")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_an_accelerator_is_named_only_in_its_own_files():
    naming = [
        f"{name}:{number}"
        for name in tracked()
        if not any(fnmatch(name, pattern) for pattern in (*OWN, *FACTS))
        for number, line in enumerate(
            (ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if NAME.search(line)
    ]
    assert naming == []


def test_what_stages_can_use_and_what_pipelines_add_is_known_to_targets():
    overlays = {path.stem for path in (ROOT / "conf" / "accelerator").glob("*.yaml")}
    assert set(names()) <= set(targets.NAMES)
    assert overlays <= set(names())
