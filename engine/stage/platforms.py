"""The platforms of targets and images, and each tool's name for them."""

from dataclasses import dataclass
from typing import Dict, Optional


@dataclass(frozen=True)
class Platform:
    """One platform."""

    name: str  # OCI's: os/architecture[/variant]
    arch: str  # in the names of lock files, image tags and stages
    debian: str  # dpkg --print-architecture
    machine: str  # uname -m
    triplet: str  # of Debian's library folders
    elf_class: int  # e_ident[EI_CLASS] of elf(5): 1 for 32-bit, 2 for 64-bit
    elf_machine: int  # e_machine of elf.h
    qemu_cpu: Optional[str]  # the CPU model that QEMU emulates; None: its default

    @property
    def oci(self) -> Dict[str, str]:
        """Return the platform's fields in an image's configuration."""
        system, architecture, *variant = self.name.split("/")
        return {
            "architecture": architecture,
            "os": system,
            **({"variant": variant[0]} if variant else {}),
        }


# QEMU 7.2's default for arm64, `max`, has instructions that no Pi has, and with them XNNPACK's int8 kernels
# give different results (measured: up to 137 of 255 steps off; with any real CPU model, 1). So arm64 uses
# the CPU of a Pi 4, and arm/v7 the oldest one with VFPv4 and NEON.
_ALL = (
    Platform("linux/amd64", "amd64", "amd64", "x86_64", "x86_64-linux-gnu", 2, 62, None),
    Platform("linux/arm64", "arm64", "arm64", "aarch64", "aarch64-linux-gnu", 2, 183, "cortex-a72"),
    Platform(
        "linux/arm/v7", "armv7", "armhf", "armv7l", "arm-linux-gnueabihf", 1, 40, "cortex-a15"
    ),
)
PLATFORMS: Dict[str, Platform] = {platform.name: platform for platform in _ALL}
"""Platforms by OCI name."""
