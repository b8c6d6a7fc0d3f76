"""The platforms of images: Debian's Python version, and the wheels that run on each platform."""

from engine.stage import StageError
from engine.stage.platforms import PLATFORMS, Platform

PYTHON = (3, 11)  # bookworm's
GLIBC = 36  # bookworm's 2.36: wheels for this or any older version run


def platform_of(name: str) -> Platform:
    """Return the platform with this OCI name, such as linux/arm/v7, or lock file name, such as armv7."""
    for platform in PLATFORMS.values():
        if name in (platform.name, platform.arch):
            return platform
    raise StageError(f"there is no platform '{name}'; images are built for {', '.join(PLATFORMS)}")


def wheel_tags(platform: Platform) -> list[str]:
    """Return the platform tags of wheels that run there, the newest glibc first (PEP 600 and older names)."""
    numbered = [f"manylinux_2_{minor}_{platform.machine}" for minor in range(GLIBC, 4, -1)]
    return [
        *numbered,
        *(
            f"{name}_{platform.machine}"
            for name in ("manylinux2014", "manylinux2010", "manylinux1")
        ),
    ]
