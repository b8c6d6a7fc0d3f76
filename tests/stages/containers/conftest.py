"""The project's own image, built once for the tests that run it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stages.containers.base import base
from stages.containers.build import BuildMetrics, build

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def runtime_image(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[Path, BuildMetrics]]:
    """Build the project's own image `runtime` for a platform, on the project's own bootstrapped base; return
    archive and metrics.
    """
    built: dict[str, tuple[Path, BuildMetrics]] = {}

    def of(platform: str) -> tuple[Path, BuildMetrics]:
        if platform not in built:
            folder = tmp_path_factory.mktemp("runtime")
            base(ROOT / "containers/base", folder / "base.tar", platform=platform, base="bootstrap")
            metrics = build(
                ROOT / "containers/runtime",
                folder / "base.tar",
                folder / "image.tar",
                platform=platform,
            )
            (folder / "base.tar").unlink()
            built[platform] = folder / "image.tar", metrics
        return built[platform]

    return of
