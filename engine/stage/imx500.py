"""Finds the AI Cameras of this machine in /sys, and the Java that Sony's converter needs. It opens no
camera.

A camera is the I2C device `imx500` of its device-tree node (compatible "sony,imx500", at address
0x1a). Its driver binds only if the sensor answers with its chip id, and then makes the node
/dev/v4l-subdevN (raspberrypi/linux, drivers/media/i2c/imx500.c). Picamera2 finds it in the same way
(picamera2/devices/imx500/imx500.py).
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Literal, Optional

SYS, DEV = Path("/sys"), Path("/dev")
NAME = "imx500"
LOOKED_FOR = "an I2C device 'imx500' (compatible sony,imx500)"

State = Literal["ready", "no answer", "node missing", "no permission"]

# The driver requests both when a network is loaded (imx500_start_streaming).
FIRMWARE = ("imx500_loader.fpk", "imx500_firmware.fpk")

MIN_JAVA = 17  # of imx500-converter 3.19
JAVA_FIX = "sudo apt-get install openjdk-17-jre-headless"
_JAVA_TIMEOUT_S = 20.0
_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')  # "17.0.15", "21", "1.8.0_452"


@dataclass(frozen=True)
class Camera:
    """An AI Camera."""

    id: str  # its I2C bus and address, such as 10-001a
    node: Optional[Path]  # /dev/v4l-subdevN; None until the driver has made one
    state: State

    @property
    def is_usable(self) -> bool:
        """Return whether a process of this user can load a network into it."""
        return self.state == "ready"


@dataclass(frozen=True)
class Java:
    """A Java runtime: its program, and its major version; 0 if it prints none."""

    path: Path
    version: int

    @property
    def is_new_enough(self) -> bool:
        """Return whether Sony's converter runs on it."""
        return self.version >= MIN_JAVA


def find(sys: Path = SYS, dev: Path = DEV) -> List[Camera]:
    """Return the AI Cameras; a Raspberry Pi 5 can have two."""
    devices = sorted((sys / "bus/i2c/devices").glob("*"))
    return [_camera(device, sys, dev) for device in devices if _is_camera(device)]


def missing_firmware(root: Path = Path("/")) -> List[str]:
    """Return the names of the firmware files that are not installed."""
    return [name for name in FIRMWARE if not (root / "lib/firmware" / name).is_file()]


def java(within_s: float = _JAVA_TIMEOUT_S) -> Optional[Java]:
    """Return the Java on PATH, or None if there is none."""
    found = shutil.which("java")
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=within_s,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return Java(Path(found), 0)
    version = _JAVA_VERSION.search(done.stdout.decode("utf-8", errors="replace"))
    return Java(Path(found), int(version.group(1)) if version else 0)


def _is_camera(device: Path) -> bool:
    """Return whether the I2C device is a camera; False if it cannot be read, as while it is removed."""
    try:
        return (device / "name").read_text(encoding="ascii", errors="replace").strip() == NAME
    except OSError:
        return False


def _camera(device: Path, sys: Path, dev: Path) -> Camera:
    node = next(
        (
            dev / subdevice.name
            for subdevice in sorted((sys / "class/video4linux").glob("v4l-subdev*"))
            if (subdevice / "device").resolve() == device.resolve()
        ),
        None,
    )
    return Camera(device.name, node, _state(device, node))


def _state(device: Path, node: Optional[Path]) -> State:
    if not (device / "driver").exists():
        return "no answer"
    if node is None or not node.exists():
        return "node missing"
    return "ready" if os.access(node, os.R_OK | os.W_OK) else "no permission"
