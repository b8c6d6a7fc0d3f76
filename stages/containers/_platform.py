"""The platforms that images are built for, and what Debian, OCI and Python call each."""

from dataclasses import dataclass

from engine.stage import StageError

PYTHON = (3, 11)  # bookworm's
GLIBC = 36  # bookworm's 2.36: wheels for this or any older one run


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform: `arch` names the lock files, the rest is what others call it."""

    name: str
    arch: str
    debian: str
    machine: str
    triplet: str
    oci: dict[str, str]


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform(
            "linux/amd64",
            "amd64",
            "amd64",
            "x86_64",
            "x86_64-linux-gnu",
            {"architecture": "amd64", "os": "linux"},
        ),
        Platform(
            "linux/arm64",
            "arm64",
            "arm64",
            "aarch64",
            "aarch64-linux-gnu",
            {"architecture": "arm64", "os": "linux"},
        ),
        Platform(
            "linux/arm/v7",
            "armv7",
            "armhf",
            "armv7l",
            "arm-linux-gnueabihf",
            {"architecture": "arm", "os": "linux", "variant": "v7"},
        ),
    )
}


def platform_of(name: str) -> Platform:
    """Return the platform of this name: OCI's, as linux/arm/v7, or that of the lock files, as armv7."""
    for platform in PLATFORMS.values():
        if name in (platform.name, platform.arch):
            return platform
    raise StageError(f"there is no platform '{name}'; images are built for {', '.join(PLATFORMS)}")


def wheel_tags(platform: Platform) -> list[str]:
    """Return the platform tags of wheels that run there, the newest glibc first (PEP 600 and the names before
    it).
    """
    numbered = [f"manylinux_2_{minor}_{platform.machine}" for minor in range(GLIBC, 4, -1)]
    return [
        *numbered,
        *(f"{name}_{platform.machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1")),
    ]
